"""``hub.relay``: the streams of SDKs and clients, sync and async, in logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest

from ssejet import AsyncClient, AsyncStream, ServerSentEvent, encode
from ssejet.hub import AsyncHub
from ssejet.testing import mock_anthropic, mock_openai

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

QUESTION: Any = [{"role": "user", "content": "?"}]
TEXT = "Hello to all of you"


def openai_stream(_: Any = None) -> Any:
    client = openai.AsyncOpenAI(api_key="test", http_client=None)
    return client.chat.completions.create(model="m", messages=QUESTION, stream=True)


def openai_sync() -> Any:
    return openai.OpenAI(api_key="test").chat.completions.create(model="m", messages=QUESTION, stream=True)


def openai_manager() -> Any:
    return openai.AsyncOpenAI(api_key="test").chat.completions.stream(model="m", messages=QUESTION)


def own_client() -> Any:
    client = AsyncClient(api_key="test", base_url="https://api.openai.com/v1")
    return client.chat.completions.create(model="m", messages=QUESTION, stream=True)


async def own_stream() -> Any:
    client = httpx.AsyncClient()
    body = {"model": "m", "messages": QUESTION, "stream": True}
    request = client.build_request("POST", "https://api.openai.com/v1/chat/completions", json=body)
    return AsyncStream(await client.send(request, stream=True))


async def response() -> Any:
    client = httpx.AsyncClient()
    body = {"model": "m", "messages": QUESTION, "stream": True}
    request = client.build_request("POST", "https://api.openai.com/v1/chat/completions", json=body)
    return await client.send(request, stream=True)


async def relayed(upstream: Any) -> list[ServerSentEvent]:
    async with AsyncHub() as hub:
        assert await hub.relay("key", upstream)
        return [event async for event in hub.follow("key")]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "upstream", [openai_stream, openai_sync, openai_manager, own_client, own_stream, response],
    ids=lambda each: each.__name__,
)  # fmt: skip
async def test_a_chat_completion_is_in_the_log_chunk_by_chunk(upstream: Callable[[], Any]) -> None:
    with mock_openai() as mock:
        mock.chat.completions.create.response = TEXT
        *events, end = await relayed(upstream)
    assert end.data == '{"reason":"finished"}'
    chunks = [json.loads(event.data) for event in events if event.data != "[DONE]"]
    if upstream is openai_manager:
        text = "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "content.delta")
    else:
        text = "".join(
            chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]
        )
    assert text == TEXT


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_message_of_anthropic_keeps_the_types_of_its_events() -> None:
    with mock_anthropic() as mock:
        mock.messages.create.response = TEXT
        client = anthropic.AsyncAnthropic(api_key="test")
        *events, _end = await relayed(
            lambda: client.messages.create(model="m", max_tokens=9, messages=QUESTION, stream=True)
        )
    assert events[0].event == "message_start"
    assert events[-1].event == "message_stop"
    deltas = [json.loads(event.data)["delta"] for event in events if event.event == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas) == TEXT


async def test_nobody_asks_the_other_server_if_the_log_has_been_started() -> None:
    async with AsyncHub() as hub:
        await hub.start("key", list)
        with mock_openai() as mock:
            assert not await hub.relay("key", openai_stream)
            assert not mock.chat.completions.create.called


async def test_a_stream_that_is_not_needed_is_closed() -> None:
    closed: set[Any] = set()

    class Response:
        async def aiter_bytes(self) -> AsyncIterator[bytes]:
            yield encode("text")

        async def aclose(self) -> None:
            closed.add(self)

    async with AsyncHub() as hub:
        assert await hub.relay("key", Response())
        assert [event.data async for event in hub.follow("key")] == ["text", '{"reason":"finished"}']
        assert not await hub.relay("key", Response())
    assert len(closed) == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_an_error_of_the_other_server_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, json={"error": {"message": "slow down", "code": "rate_limit"}})

    async def ask() -> Any:
        client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        return await client.send(client.build_request("GET", "http://test"), stream=True)

    error, end = await relayed(ask)
    assert (error.event, end.data) == ("error", '{"reason":"failed"}')
    assert json.loads(error.data)["error"]["message"] == "slow down"

"""The option ``direct`` and the environment turn direct reading off, wherever bodies are read."""

# ruff: noqa: SIM117 (one statement for both would not fit into a line)

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest

from exact_server import CHUNKED, ExactServer
from raw_server import chunk
from ssejet import (
    AsyncClient,
    Client,
    EventSource,
    accelerate,
    aconnect_sse,
    asubscribe,
    connect_sse,
    direct_reading,
    subscribe,
)
from ssejet.emit import arelay, relay

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
STEPS = (CHUNKED, chunk(DATA), chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

BOTH_WAYS = pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])


@pytest.fixture(autouse=True, params=["1", "0"], ids=["SSEJET_DIRECT=1", "SSEJET_DIRECT=0"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEJET_DIRECT", request.param)


@pytest.fixture(scope="module")
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server


def check(response: Any, *, direct: bool) -> None:
    assert bool(direct_reading(response)) is (direct and os.environ["SSEJET_DIRECT"] == "1")


@BOTH_WAYS
class TestSync:
    def test_the_option_direct_works_in_event_sources(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client() as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                assert len(list(EventSource(response, direct=direct))) == 2
                check(response, direct=direct)
            with connect_sse(client, "GET", exact.answer(*STEPS), direct=direct) as source:
                assert len(list(source)) == 2
                check(source.response, direct=direct)

    def test_the_option_direct_works_in_subscriptions(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client() as client:
            with subscribe(exact.answer(*STEPS), client=client, direct=direct) as events:
                next(iter(events))
                check(events.response, direct=direct)

    def test_the_option_direct_works_in_relays(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            assert DATA in b"".join(relay(response, direct=direct))
            check(response, direct=direct)

    def test_the_option_direct_works_in_clients(self, exact: ExactServer, direct: bool) -> None:
        with Client(base_url=base_of(exact), direct=direct) as client:
            with client.chat.completions.create(model="m", messages=[], stream=True) as stream:
                assert len(list(stream)) == 1
                check(stream.response, direct=direct)
        with Client(base_url=base_of(exact)) as client:
            with client.chat.completions.create(model="m", messages=[], stream=True, direct=direct) as stream:
                assert len(list(stream)) == 1
                check(stream.response, direct=direct)


@BOTH_WAYS
class TestAsync:
    async def test_the_option_direct_works_in_async_event_sources(
        self, exact: ExactServer, direct: bool
    ) -> None:
        async with httpx.AsyncClient() as client:
            async with client.stream("GET", exact.answer(*STEPS)) as response:
                assert len([event async for event in EventSource(response, direct=direct)]) == 2
                check(response, direct=direct)
            async with aconnect_sse(client, "GET", exact.answer(*STEPS), direct=direct) as source:
                assert len([event async for event in source]) == 2
                check(source.response, direct=direct)

    async def test_the_option_direct_works_in_async_subscriptions(
        self, exact: ExactServer, direct: bool
    ) -> None:
        async with httpx.AsyncClient() as client:
            async with asubscribe(exact.answer(*STEPS), client=client, direct=direct) as events:
                await anext(aiter(events))
                check(events.response, direct=direct)

    async def test_the_option_direct_works_in_async_relays(self, exact: ExactServer, direct: bool) -> None:
        async with httpx.AsyncClient() as client:
            async with client.stream("GET", exact.answer(*STEPS)) as response:
                assert DATA in b"".join([piece async for piece in arelay(response, direct=direct)])
                check(response, direct=direct)

    async def test_the_option_direct_works_in_async_clients(self, exact: ExactServer, direct: bool) -> None:
        async with AsyncClient(base_url=base_of(exact), direct=direct) as client:
            stream = await client.chat.completions.create(model="m", messages=[], stream=True)
            async with stream:
                assert len([item async for item in stream]) == 1
                check(stream.response, direct=direct)


class TestAcceleratedSDKs:
    """They have no option."""

    def test_the_environment_alone_decides_in_sdks(self, exact: ExactServer) -> None:
        with openai.OpenAI(api_key="k", base_url=base_of(exact)) as client:
            with accelerate(client).chat.completions.create(model="m", messages=[], stream=True) as chunks:
                assert len(list(chunks)) == 1
                check(chunks.response, direct=True)
        with anthropic.Anthropic(api_key="k", base_url=base_of(exact)) as other:
            with accelerate(other).messages.create(
                model="m", max_tokens=9, messages=[], stream=True
            ) as events:
                assert [event.type for event in events] == ["message_stop"]
                check(events.response, direct=True)

    async def test_the_environment_alone_decides_in_async_sdks(self, exact: ExactServer) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=base_of(exact)) as client:
            create = accelerate(client).chat.completions.create
            async with await create(model="m", messages=[], stream=True) as chunks:
                assert len([each async for each in chunks]) == 1
                check(chunks.response, direct=True)
        async with anthropic.AsyncAnthropic(api_key="k", base_url=base_of(exact)) as other:
            async with await accelerate(other).messages.create(
                model="m", max_tokens=9, messages=[], stream=True
            ) as events:
                assert [event.type async for event in events] == ["message_stop"]
                check(events.response, direct=True)


def base_of(server: ExactServer) -> str:
    # The server looks at the last part of the path only.
    server._answers["/completions"] = STEPS
    server._answers["/messages"] = (
        CHUNKED,
        chunk(b'event: message_stop\ndata: {"type": "message_stop"}\n\n') + b"0\r\n\r\n",
    )
    return server.base + "v1"

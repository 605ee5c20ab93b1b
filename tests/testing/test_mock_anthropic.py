"""The mock of Anthropic's API, used by the real SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import Anthropic, AnthropicFoundry, AnthropicVertex, AsyncAnthropic

from ssejet import Client
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.testing import AnthropicMock, MockError, OpenAIMock, StreamedAnswer, mock_anthropic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ASKED: Any = {"model": "claude-test", "max_tokens": 99, "messages": [{"role": "user", "content": "Say hi"}]}
CONTENT = [
    {"type": "thinking", "thinking": "Let me see", "signature": "c2ln"},
    {"type": "text", "text": "I look it up"},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris", "days": [1, 2]}},
]


@pytest.fixture
def client() -> Iterator[Anthropic]:
    with Anthropic(api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client() -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key="sk-test", max_retries=0) as client:
        yield client


def raw_events(client: Anthropic) -> list[Any]:
    return list(client.messages.create(stream=True, **ASKED))


# Answers


def test_a_text_is_what_the_model_says(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = "Hello, big world!"
    message = client.messages.create(**ASKED)
    assert [(block.type, block.text) for block in message.content] == [("text", "Hello, big world!")]  # type: ignore[union-attr]
    assert (message.model, message.stop_reason, message.role) == ("claude-test", "end_turn", "assistant")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (2, 3)


def test_a_streamed_text_comes_in_anthropics_events(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = "Hello world"
    response = client.messages.with_raw_response.create(stream=True, **ASKED)
    text = "".join(response.http_response.iter_text())
    assert [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    start, *_, delta, _ = raw_events(client)
    assert (start.message.content, start.message.stop_reason) == ([], None)
    assert (delta.delta.stop_reason, delta.usage.output_tokens) == ("end_turn", 2)


def test_the_sdk_puts_all_kinds_of_blocks_together(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = {"content": CONTENT, "usage": {"input_tokens": 7}}
    whole = client.messages.create(**ASKED)
    with client.messages.stream(**ASKED) as stream:
        events = list(stream)
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [block.to_dict() for block in whole.content]
    thinking, text, tool = final.content
    assert (thinking.thinking, thinking.signature) == ("Let me see", "c2ln")  # type: ignore[union-attr]
    assert text.text == "I look it up"  # type: ignore[union-attr]
    assert (tool.name, tool.input) == ("weather", {"city": "Paris", "days": [1, 2]})  # type: ignore[union-attr]
    assert (final.stop_reason, final.usage.input_tokens) == ("tool_use", 7)
    kinds = [event.type for event in events]
    assert kinds.count("thinking") == 3
    assert kinds.count("signature") == 1
    assert kinds.count("input_json") >= 3
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    parts = [delta.partial_json for delta in deltas if delta.type == "input_json_delta"]
    assert parts[0] == ""
    assert "".join(parts) == '{"city": "Paris", "days": [1, 2]}'


async def test_the_async_sdk_puts_a_message_together(
    mock_anthropic: AnthropicMock, async_client: AsyncAnthropic
) -> None:
    mock_anthropic.messages.create.response = {"content": CONTENT}
    assert (await async_client.messages.create(**ASKED)).stop_reason == "tool_use"
    async with async_client.messages.stream(**ASKED) as stream:
        final = await stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use"]
    raw = await async_client.messages.create(stream=True, **ASKED)
    assert [event.type async for event in raw][-1] == "message_stop"


def test_a_block_needs_no_more_than_what_it_says(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = {
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "tool_use", "name": "f"}]
    }
    with client.messages.stream(**ASKED) as stream:
        thinking, tool = stream.get_final_message().content
    assert thinking.signature  # type: ignore[union-attr]
    assert tool.id.startswith("toolu_")  # type: ignore[union-attr]
    assert tool.input == {}  # type: ignore[union-attr]


def test_a_given_stop_reason_is_kept(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = {"content": CONTENT, "stop_reason": "max_tokens"}
    assert client.messages.create(**ASKED).stop_reason == "max_tokens"
    assert raw_events(client)[-2].delta.stop_reason == "max_tokens"
    mock_anthropic.messages.create.response = {"content": "x", "stop_sequence": "END"}
    assert client.messages.create(**ASKED).stop_reason == "stop_sequence"


def test_a_model_is_sent_as_it_is(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = {"content": CONTENT}
    message = client.messages.create(**ASKED)
    mock_anthropic.messages.create.response = message
    assert client.messages.create(**ASKED) == message


def test_an_empty_message_is_a_stream_too(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = ""
    assert raw_events(client)[-1].type == "message_stop"
    mock_anthropic.messages.create.response = {"content": []}
    assert [event.type for event in raw_events(client)] == ["message_start", "message_delta", "message_stop"]


@pytest.mark.parametrize("kind", [EventStream, AsyncEventStream])
async def test_a_stream_of_dicts_has_the_types_that_the_sdk_looks_at(
    mock_anthropic: AnthropicMock, async_client: AsyncAnthropic, kind: Any
) -> None:
    mock_anthropic.messages.create.response = "Hello"
    events = [event async for event in await async_client.messages.create(stream=True, **ASKED)]
    mock_anthropic.messages.create.response = kind([event.to_dict() for event in events])
    for _ in range(2):
        again = await async_client.messages.create(stream=True, **ASKED)
        assert [event async for event in again] == events


def test_tokens_are_counted(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    asked = {name: ASKED[name] for name in ("model", "messages")}
    assert client.messages.count_tokens(**asked).input_tokens == 2
    mock_anthropic.messages.count_tokens.response = {"input_tokens": 5}
    assert client.messages.count_tokens(**asked).input_tokens == 5


def test_the_beta_api_is_mocked(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = "Hello"
    assert client.beta.messages.create(betas=["x"], **ASKED).content[0].text == "Hello"  # type: ignore[union-attr]


# Errors and pings


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
def test_an_error_before_the_stream_has_anthropics_shape(
    mock_anthropic: AnthropicMock, client: Anthropic, status: int, error: Any, kind: str
) -> None:
    mock_anthropic.messages.create.response = MockError("too much", status=status)
    for options in ({}, {"stream": True}):
        with pytest.raises(error, match="too much") as caught:
            client.messages.create(**options, **ASKED)
        assert caught.value.status_code == status
        assert caught.value.body["error"] == {"type": kind, "message": "too much"}


@pytest.mark.parametrize("after", [None, 0, 4])
def test_an_error_inside_the_stream_ends_it(
    mock_anthropic: AnthropicMock, client: Anthropic, after: int | None
) -> None:
    error = MockError("Overloaded", status=529)
    mock_anthropic.messages.create.response = StreamedAnswer("a b c", error=error, after=after)
    received: list[Any] = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded") as caught:
        received.extend(client.messages.create(stream=True, **ASKED))
    assert caught.value.body["error"]["type"] == "overloaded_error"  # type: ignore[index]
    # The ping is an event that the SDK does not show.
    assert len(received) == {None: 3, 0: 0, 4: 3}[after]


async def test_an_error_inside_the_stream_ends_it_for_async_clients(
    mock_anthropic: AnthropicMock, async_client: AsyncAnthropic
) -> None:
    mock_anthropic.messages.create.response = StreamedAnswer("a b c", error="Overloaded")
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        async with async_client.messages.stream(**ASKED) as stream:
            await stream.until_done()


def test_pings_come_as_often_as_asked_and_do_no_harm(
    mock_anthropic: AnthropicMock, client: Anthropic
) -> None:
    mock_anthropic.messages.create.response = StreamedAnswer("a b", ping_every=1, cut=5)
    response = client.messages.with_raw_response.create(stream=True, **ASKED)
    assert "".join(response.http_response.iter_text()).count("event: ping\n") == 8
    with client.messages.stream(**ASKED) as stream:
        assert stream.get_final_text() == "a b"


def test_a_stream_breaks_as_on_a_real_connection(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    mock_anthropic.messages.create.response = StreamedAnswer("a b c", fail_after=4)
    stream = client.messages.create(stream=True, **ASKED)
    with pytest.raises((httpx.ReadError, httpx2.ReadError, anthropic.APIConnectionError)):
        list(stream)


def test_the_sdk_retries_against_the_mock(mock_anthropic: AnthropicMock) -> None:
    def flaky(request: Any, route: Any) -> Any:
        overloaded = MockError("Overloaded", status=529, headers={"retry-after-ms": "1"})
        return overloaded if route.call_count < 2 else "at last"

    mock_anthropic.messages.create.response = flaky
    with Anthropic(api_key="sk-test", max_retries=2) as client:
        assert client.messages.create(**ASKED).content[0].text == "at last"  # type: ignore[union-attr]
    assert mock_anthropic.messages.create.call_count == 3


def test_a_route_without_a_response_says_so(mock_anthropic: AnthropicMock, client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"mock\.messages\.create\.response is not set"):
        client.messages.create(**ASKED)
    with pytest.raises(anthropic.NotFoundError, match=r"has no GET /v1/models; it has POST /v1/messages"):
        client.models.list()


# Where the mock stands


@mock_anthropic
def test_a_decorated_test_runs_with_the_mock(mock_anthropic: AnthropicMock) -> None:
    mock_anthropic.messages.create.response = "Hello"
    with Anthropic(api_key="sk-test") as client:
        assert client.messages.create(**ASKED).content[0].text == "Hello"  # type: ignore[union-attr]


@mock_anthropic(base_url="http://localhost:1", state={"seen": []})
async def test_a_decorated_async_test_runs_with_the_mock(mock_anthropic: AnthropicMock) -> None:
    def remember(request: Any, state: Any) -> str:
        state["seen"].append(str(request.url))
        return "Hello"

    mock_anthropic.messages.create.response = remember
    async with AsyncAnthropic(api_key="sk-test", base_url="http://localhost:1") as client:
        await client.messages.create(**ASKED)
    assert mock_anthropic.state == {"seen": ["http://localhost:1/v1/messages"]}


def test_both_mocks_can_be_active_at_once(
    mock_anthropic: AnthropicMock, mock_openai: OpenAIMock, client: Anthropic
) -> None:
    mock_anthropic.messages.create.response = "Hello"
    client.messages.create(**ASKED)
    assert (mock_anthropic.messages.create.call_count, mock_openai.calls) == (1, [])


def test_azures_clients_are_mocked(mock_anthropic: AnthropicMock) -> None:
    mock_anthropic.messages.create.response = "Hello"
    with AnthropicFoundry(api_key="k", resource="example") as client:
        assert client.messages.create(**ASKED).content[0].text == "Hello"  # type: ignore[union-attr]


def test_google_clouds_clients_are_mocked(mock_anthropic: AnthropicMock) -> None:
    mock_anthropic.messages.create.response = "Hello there"
    for region in ("europe-west1", "global", "us", "eu"):
        with AnthropicVertex(project_id="p", region=region, access_token="token", max_retries=0) as client:
            with client.messages.stream(**ASKED) as stream:
                assert stream.get_final_text() == "Hello there"
            assert client.messages.create(**ASKED).content[0].text == "Hello there"  # type: ignore[union-attr]
            counted = client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "a b"}])
            assert counted.input_tokens == 2
    assert mock_anthropic.messages.create.call_count == 8


CITATION = {
    "type": "web_search_result_location",
    "cited_text": "a",
    "encrypted_index": "Eo8B",
    "title": "A",
    "url": "https://a.example",
}
BLOCKS = [
    {"type": "thinking", "thinking": "Let me see."},
    {"type": "redacted_thinking", "data": "Emw="},
    {"type": "compaction", "content": "A summary.", "encrypted_content": "enc"},
    {"type": "text", "text": "Look here.", "citations": [CITATION]},
    {"type": "server_tool_use", "name": "web_search", "input": {"query": "a"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "mcp_tool_use", "name": "echo", "input": {"text": "a"}},
    {"type": "tool_use", "name": "weather", "input": {"city": "Paris"}},
]


def test_a_stream_has_the_blocks_and_fields_of_the_whole_message(mock_anthropic: AnthropicMock) -> None:
    edits = {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 1}]}
    mock_anthropic.messages.create.response = {
        "id": "msg_1",
        "content": [{**block, **({"id": "a"} if "input" in block else {})} for block in BLOCKS],
        "context_management": edits,
        "container": {"id": "c", "expires_at": "2026-12-01T00:00:00Z"},
    }
    with Client.for_provider("anthropic", api_key="none") as client:
        request: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": []}
        whole = client.messages.create(**request)
        streamed = client.messages.stream(**request).get_final_message()
    assert [block.type for block in streamed.content] == [block["type"] for block in BLOCKS]
    assert _without_nulls(streamed.to_dict()) == _without_nulls(whole.to_dict())
    assert streamed.context_management == edits


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value

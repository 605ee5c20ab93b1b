"""Tests of one's own, with OpenAI's and Anthropic's APIs mocked."""

from collections.abc import Iterator
from typing import Any

import httpx
from typing_extensions import assert_type

from ssejet.emit import EventStream
from ssejet.testing import (
    AnthropicMock,
    Call,
    MockError,
    MockTransport,
    OpenAIMock,
    Route,
    StreamedAnswer,
    mock_anthropic,
    mock_openai,
)


@mock_openai(state={"count": 0})
def test_chat(mock_openai: OpenAIMock) -> None:
    route = mock_openai.chat.completions.create
    assert_type(route, Route)
    route.response = "Hello"
    route.response = {"choices": [{"finish_reason": "tool_calls"}]}
    route.response = StreamedAnswer("Hello", error="overloaded", after=1)
    route.response = EventStream([{"id": "1"}])
    assert_type(route.call_count, int)
    assert_type(route.calls, list[Call])
    assert_type(route.calls[0].request.headers["authorization"], str)
    assert_type(route.calls[0].closed, bool)
    route.calls[0].response.status_code  # error: None|Optional
    route.call_counts  # error: call_counts
    mock_openai.chat.completions.make  # error: make
    mock_openai.audio  # error: audio


@mock_anthropic
async def test_messages(mock_anthropic: AnthropicMock) -> None:
    mock_anthropic.messages.create.response = MockError("busy", status=529)
    assert_type(mock_anthropic.messages.count_tokens, Route)
    mock_anthropic.chat  # error: chat


def test_without_decorator() -> None:
    with mock_anthropic() as mock:
        assert_type(mock, AnthropicMock)
    with AnthropicMock(base_url="http://127.0.0.1") as other:
        assert_type(other, AnthropicMock)
    with OpenAIMock(base_urls="x") as wrong:  # error: base_urls
        wrong.calls


def answer(request: httpx.Request) -> EventStream[dict[str, Any]]:
    def items() -> Iterator[dict[str, Any]]:
        yield {"path": request.url.path}

    return EventStream(items())


def test_transport() -> None:
    client = httpx.Client(transport=MockTransport(answer))
    client.get("http://127.0.0.1/")
    MockTransport(3)  # error: int|Literal


assert_type(test_chat(OpenAIMock()), None)

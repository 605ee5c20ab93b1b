"""JSON that is not an object, in place of a chunk or an event: all protocols decide the same."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import pytest

from ssejet import Stream
from ssejet.chat import ChatCompletionStream
from ssejet.errors import APIError, StreamError
from ssejet.messages import MessageStream
from ssejet.responses import ResponseStream

SECRET = "sk-0123456789abcdef"
REQUEST = httpx.Request("POST", "http://test", headers={"authorization": f"Bearer {SECRET}"})
STREAMS: dict[str, Any] = {
    "chat": ChatCompletionStream,
    "messages": MessageStream,
    "responses": partial(ResponseStream, require_finish=False),
}


def handle(protocol: str, item: Any) -> list[Any]:
    """The events of a stream with one item, without the event that every chunk of a chat causes."""
    body = f"data: {json.dumps(item)}\n\n"
    headers = {"content-type": "text/event-stream"}
    stream: Stream[Any] = Stream(httpx.Response(200, headers=headers, text=body, request=REQUEST))
    events: Any = STREAMS[protocol](stream)
    return [event for event in events if event.type != "chunk"]


pytestmark = pytest.mark.parametrize("protocol", STREAMS)


@pytest.mark.parametrize("item", [None, "ping", "keep-alive"], ids=repr)
def test_null_and_pings_cause_nothing(protocol: str, item: Any) -> None:
    assert handle(protocol, item) == []


@pytest.mark.parametrize("item", [5, "text", ["a", 1]], ids=repr)
def test_other_json_is_an_error_that_shows_it(protocol: str, item: Any) -> None:
    shown = item if isinstance(item, str) else repr(item)
    with pytest.raises(StreamError) as raised:
        handle(protocol, item)
    assert str(raised.value).endswith(f" must be an object, but {type(item).__name__} came: {shown}")


def test_what_an_error_shows_is_cut_and_has_no_secrets(protocol: str) -> None:
    with pytest.raises(StreamError) as raised:
        handle(protocol, [SECRET, "a" * 1000])
    shown = str(raised.value).partition("came: ")[2]
    assert SECRET not in shown
    assert shown.startswith("['***', 'aaa")
    assert shown.endswith("a…")
    assert len(shown) == 201


def test_a_deep_list_is_an_error_of_the_stream(protocol: str) -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    with pytest.raises(StreamError, match="must be an object, but list came"):
        handle(protocol, deep)


def test_an_error_in_a_list_is_raised_with_the_request(protocol: str) -> None:
    with pytest.raises(APIError, match="too many tokens") as raised:
        handle(protocol, [{"error": {"message": "too many tokens"}}])
    assert raised.value.request is REQUEST

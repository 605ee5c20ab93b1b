"""Sending events, event sources, and tests of one's own."""

import httpx
from typing_extensions import assert_type

from ssejet import EventSource, ServerSentEvent, connect_sse, encode
from ssejet.emit import EventStream
from ssejet.testing import OpenAIMock, mock_openai


def send() -> None:
    assert_type(encode({"a": 1}, event="x", id="1"), bytes)
    encode("text", event=1)  # error: int|Literal
    encode("text", events="x")  # error: events
    for chunk in EventStream(iter([1, 2])):
        assert_type(chunk, bytes)


def source(client: httpx.Client) -> None:
    with connect_sse(client, "GET", "http://127.0.0.1/events") as events:
        assert_type(events, EventSource)
        for event in events:
            assert_type(event, ServerSentEvent)


@mock_openai()
def mocked(openai_mock: OpenAIMock) -> None:
    openai_mock.missing_member  # error: missing_member


assert_type(mocked(OpenAIMock()), None)

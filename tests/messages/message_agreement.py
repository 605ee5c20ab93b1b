"""Our stream and anthropic's, on the same bytes: the same events, snapshots and messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
from message_events import body

from ssejet import Stream
from ssejet.messages import MessageStream, RawMessageStreamEvent

REQUEST: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


@dataclass
class Reading:
    """What a stream gave.

    Attributes:
        events: the events, as JSON types.
        message: the message, as JSON types.
        error: the exception.
    """

    events: list[Any] = field(default_factory=list)
    message: Any = None
    error: Exception | None = None


def _response(content: bytes) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=content)


def theirs(content: bytes, *, beta: bool = False, **options: Any) -> Reading:
    """What anthropic's stream gives."""
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: _response(content)))
    client = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0)
    messages: Any = client.beta.messages if beta else client.messages
    reading = Reading()
    try:
        with messages.stream(**REQUEST, **options) as stream:
            for event in stream:
                reading.events.append(plain(event))
            reading.message = plain(stream.get_final_message())
    except Exception as error:
        reading.error = error
    return reading


def ours(content: bytes, **options: Any) -> Reading:
    """What our stream gives."""
    reading = Reading()
    try:
        stream = MessageStream(Stream(_response(content), cast_to=RawMessageStreamEvent), **options)
        for event in stream:
            if event.type != "ping":  # anthropic leaves them out
                reading.events.append(plain(event))
        reading.message = plain(stream.get_final_message())
    except Exception as error:
        reading.error = error
    return reading


def plain(value: Any) -> Any:
    """A model as JSON types, without what is null. An event's message is left out, as it changes later."""
    is_theirs = hasattr(value, "model_dump")
    fields = value.model_dump(mode="json", by_alias=True) if is_theirs else value.to_dict()
    if fields["type"] == "message_stop":
        fields.pop("message", None)
    return json.loads(json.dumps(_without_nulls(fields)))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_nulls(each)
            for name, each in value.items()
            if each is not None and not name.startswith("__")
        }
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def assert_agreement(events: list[dict[str, Any]], *, beta: bool = False, events_too: bool = True) -> None:
    """Assert that both give the same, if anthropic's stream raises nothing."""
    content = body(events)
    expected = theirs(content, beta=beta)
    if expected.error is not None:
        return
    reading = ours(content)
    assert reading.error is None
    assert reading.message == expected.message
    if events_too:
        assert reading.events == expected.events

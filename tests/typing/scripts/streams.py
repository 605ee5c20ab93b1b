"""Streams with each kind of cast_to."""

from dataclasses import dataclass
from typing import Any

import httpx
from typing_extensions import TypedDict, assert_type

from ssejet import AsyncStream, Decoder, ServerSentEvent, Stream, StreamMachine, StreamMetrics


@dataclass
class Text:
    text: str


@dataclass
class Ping:
    time: int


class Row(TypedDict):
    id: int


def length(event: ServerSentEvent) -> int:
    return len(event.data)


def read(response: httpx.Response) -> None:
    assert_type(Stream(response), Stream[Any])
    assert_type(Stream(response, cast_to=None), Stream[Any])
    assert_type(Stream(response, cast_to=Text), Stream[Text])
    assert_type(Stream(response, cast_to=Row), Stream[Row])
    assert_type(Stream(response, cast_to=list[Text]), Stream[list[Text]])
    assert_type(Stream(response, cast_to=Text | Ping), Stream[Text | Ping])
    assert_type(Stream(response, cast_to=length, timeout=3), Stream[int])
    for item in Stream(response, cast_to=Text | Ping, done=None):
        if isinstance(item, Ping):
            assert_type(item.time, int)
        else:
            assert_type(item.text, str)
            item.missing  # error: missing
    with Stream(response, cast_to=Text) as stream:
        assert_type(stream, Stream[Text])
        assert_type(stream.metrics, StreamMetrics)
        assert_type(next(stream), Text)
        for event in stream.events():
            assert_type(event, ServerSentEvent)
    Stream(response, cast_to=3)  # error: Stream|__init__
    Stream(response, timeouts=3)  # error: Stream|__init__


async def aread(response: httpx.Response) -> None:
    async with AsyncStream(response, cast_to=Text | Ping) as stream:
        assert_type(stream, AsyncStream[Text | Ping])
        async for item in stream:
            assert_type(item, Text | Ping)
            item.text  # error: text
    assert_type(AsyncStream(response, cast_to=length), AsyncStream[int])


def feed(chunk: bytes) -> None:
    assert_type(StreamMachine(cast_to=Text | Ping), StreamMachine[Text | Ping])
    assert_type(StreamMachine(), StreamMachine[Any])
    for event in Decoder(max_event_size=None).feed(chunk):
        match event:
            case ServerSentEvent("ping", data):
                assert_type(data, str)
            case ServerSentEvent(id=last):
                assert_type(last, str | None)
    Decoder(dialect="other")  # error: Decoder|other|__new__
    Decoder().feed("text")  # error: text|str

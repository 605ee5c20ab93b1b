"""Comments in typed streams, whose callback may raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ssejet import AsyncStream, Decoder, InvalidJSONError, Stream, StreamMachine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

CHUNKS = [
    b':1\ndata: {"n": 0}\n\n:2\n:3\ndata: {"n": 1}\n\ndata: {"n"',
    b": 2}\n\n:4\n",
    b":5\n",
    b'data: {"n": 3}\n\ndata: [DONE]\n\n',
]
LOG = ["1", 0, "2", "3", 1, 2, "4", "5", 3]


class CommentError(Exception):
    """What the callbacks here raise."""


def refuse(comment: str) -> None:
    raise CommentError(comment)


def refusing_decoder() -> Decoder:
    return Decoder(on_comment=refuse)


def response_of(chunks: Iterator[bytes] | AsyncIterator[bytes]) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=chunks)


async def async_chunks() -> AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


def take_events(stream: Any) -> Any:
    return (event.json() if event.data != "[DONE]" else None for event in stream.events())


def log_of(loop: Callable[[], Iterator[Any]]) -> list[Any]:
    """What a stream gives to loop after loop, until one comes to its end."""
    log: list[Any] = []
    while True:
        try:
            for item in loop():
                if item is not None:
                    log.append(item["n"])  # noqa: PERF401
            return log
        except CommentError as error:  # noqa: PERF203
            log.append(str(error))


@pytest.mark.parametrize("events", [False, True])
def test_another_loop_goes_on_after_each_exception_of_the_callback(events: bool) -> None:
    stream = Stream(response_of(iter(CHUNKS)), decoder=refusing_decoder())
    assert log_of(lambda: take_events(stream) if events else iter(stream)) == LOG
    assert stream.saw_done
    assert stream.response.is_closed


def test_next_goes_on_after_each_exception_of_the_callback() -> None:
    stream = Stream(response_of(iter(CHUNKS)), decoder=refusing_decoder())
    log: list[Any] = []
    while True:
        try:
            log.append(next(stream)["n"])
        except CommentError as error:  # noqa: PERF203
            log.append(str(error))
        except StopIteration:
            break
    assert log == LOG


async def test_an_async_loop_goes_on_after_each_exception_of_the_callback() -> None:
    stream = AsyncStream(response_of(async_chunks()), decoder=refusing_decoder())
    log: list[Any] = []
    while not stream.response.is_closed:
        try:
            async for item in stream:
                log.append(item["n"])  # noqa: PERF401
        except CommentError as error:  # noqa: PERF203
            log.append(str(error))
    assert log == LOG
    assert stream.saw_done


@pytest.mark.parametrize("events", [False, True])
async def test_one_async_iterator_goes_on_after_each_exception_of_the_callback(events: bool) -> None:
    stream = AsyncStream(response_of(async_chunks()), decoder=refusing_decoder())
    iterator: Any = stream.events() if events else aiter(stream)
    log: list[Any] = []
    while True:
        try:
            item = await anext(iterator)
        except CommentError as error:  # noqa: PERF203
            log.append(str(error))
        except StopAsyncIteration:
            break
        else:
            item = item.json() if events and item.data != "[DONE]" else item
            if isinstance(item, dict):
                log.append(item["n"])
    assert log == LOG
    assert stream.response.is_closed


def test_beginning_a_stream_can_be_tried_again_after_an_exception_of_the_callback() -> None:
    stream = Stream(response_of(iter(CHUNKS)), decoder=(decoder := refusing_decoder()))
    with pytest.raises(CommentError, match="1"):
        stream.begin()
    assert stream.begin() is stream
    assert next(stream) == {"n": 0}
    stream.close()
    decoder.reset()  # or the next exception would be reported


def test_an_exception_of_the_callback_leaves_the_response_open_and_another_one_closes_it() -> None:
    stream = Stream(response_of(iter([b":1\ndata: {}\n\ndata: nonsense\n\n"])), decoder=refusing_decoder())
    with pytest.raises(CommentError):
        next(stream)
    assert not stream.response.is_closed
    assert next(stream) == {}
    with pytest.raises(InvalidJSONError):
        next(stream)
    assert stream.response.is_closed


def test_what_follows_the_sentinel_does_not_count() -> None:
    stream = Stream(response_of(iter([b"data: [DONE]\n\n:1\n"])), decoder=(decoder := refusing_decoder()))
    assert list(stream) == []
    decoder.reset()


def test_a_machine_gives_what_is_left_when_it_is_fed_again() -> None:
    machine: StreamMachine[Any] = StreamMachine(decoder=refusing_decoder())
    with pytest.raises(CommentError, match="1"):
        machine.feed(b":1\ndata: 1\n\n:2\n")
    items = machine.feed(b"data: 2\n\n")
    assert next(items) == 1
    with pytest.raises(CommentError, match="2"):
        next(items)
    assert list(machine.items()) == [2]
    with pytest.raises(CommentError, match="3"):
        machine.feed(b":3\ndata: 3\n\n")
    assert list(machine.finish()) == [3]

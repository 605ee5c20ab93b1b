from __future__ import annotations

import asyncio
import contextvars
import random
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import trio
from openai.types.beta.assistant_stream_event import ThreadRunStepInProgress
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseTextDeltaEvent

from ssejet import APIError, Decoder, ServerSentEvent
from ssejet.emit import AsyncEventStream, EventStream, Failure

HEARTBEAT = b": keep-alive\n\n"
DONE = b"event: done\ndata: [DONE]\n\n"
SOON = 0.01

Pieces = Callable[..., list[bytes]]


def read_sync(items: Any, **options: Any) -> list[bytes]:
    return list(EventStream(items, **options))


def read_async(items: Any, **options: Any) -> list[bytes]:
    async def read() -> list[bytes]:
        return [piece async for piece in AsyncEventStream(items, **options)]

    return asyncio.run(read())


@pytest.fixture(params=[read_sync, read_async])
def read(request: pytest.FixtureRequest) -> Pieces:
    """Read all that a stream of these items gives."""
    return request.param


def broken(error: Exception) -> Iterator[str]:
    yield "one"
    raise error


class Greeting(EventStream[str]):
    def generate(self) -> Iterator[str]:
        yield "Hello"
        yield "world"


class AsyncGreeting(AsyncEventStream[str]):
    async def generate(self) -> AsyncIterator[str]:  # type: ignore[override]
        yield "Hello"
        yield "world"


class AGreeting(AsyncEventStream[str]):
    async def agenerate(self) -> AsyncIterator[str]:  # type: ignore[override]
        yield "Hello"
        yield "world"


class PlainGreeting(AsyncEventStream[str]):
    def generate(self) -> list[str]:
        return ["Hello", "world"]


CHUNK = ChatCompletionChunk.model_validate(
    {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("text", b"data: text\n\n"),
        (b"bytes", b"data: bytes\n\n"),
        ({"event": "no type", "data": 1}, b'data: {"event":"no type","data":1}\n\n'),
        (ServerSentEvent(event="a", data="b", id="c", retry=1), b"event: a\nid: c\nretry: 1\ndata: b\n\n"),
        (SimpleNamespace(event="a", data={"b": 1}), b'event: a\ndata: {"b":1}\n\n'),
        (SimpleNamespace(event=None, data="b", id="c", retry=2), b"id: c\nretry: 2\ndata: b\n\n"),
        (httpx2.ServerSentEvent(event="message", data="b", id="7"), b"id: 7\ndata: b\n\n"),
        (
            CHUNK,
            b'data: {"id":"1","choices":[],"created":1,"model":"m","object":"chat.completion.chunk"}\n\n',
        ),
        (
            ThreadRunStepInProgress.model_construct(event="thread.run.step.in_progress", data={"id": "step"}),
            b'event: thread.run.step.in_progress\ndata: {"id":"step"}\n\n',
        ),
        (
            ResponseTextDeltaEvent.model_construct(type="response.output_text.delta", delta="x"),
            b'event: response.output_text.delta\ndata: {"delta":"x","type":"response.output_text.delta"}\n\n',
        ),
    ],
    ids=repr,
)
def test_an_item_may_be_of_any_known_kind(read: Pieces, item: Any, expected: bytes) -> None:
    assert read([item]) == [expected, DONE]


def test_an_id_is_written_only_if_it_is_new(read: Pieces) -> None:
    events = [
        ServerSentEvent(data=data, id=id) for data, id in [("a", "1"), ("b", "1"), ("c", ""), ("d", "2")]
    ]
    assert read(events, done=None) == [
        b"id: 1\ndata: a\n\n",
        b"data: b\n\n",
        b"data: c\n\n",
        b"id: 2\ndata: d\n\n",
    ]


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ("[END]", [b"data: x\n\n", b"data: [END]\n\n"]),
        (ServerSentEvent(event="end"), [b"data: x\n\n", b"event: end\ndata: \n\n"]),
        (None, [b"data: x\n\n"]),
    ],
)
def test_the_sentinel_may_be_another_or_none(read: Pieces, done: Any, expected: list[bytes]) -> None:
    assert read(["x"], done=done) == expected


def test_each_iteration_of_a_subclass_generates_its_items() -> None:
    greeting = Greeting()
    assert list(greeting) == list(greeting) == [b"data: Hello\n\n", b"data: world\n\n", DONE]


@pytest.mark.parametrize("greeting", [AsyncGreeting, AGreeting, PlainGreeting])
async def test_an_async_subclass_may_override_either_method_with_either_kind_of_generator(
    greeting: type[AsyncEventStream[str]],
) -> None:
    stream = greeting()
    for _ in range(2):
        assert [piece async for piece in stream] == [b"data: Hello\n\n", b"data: world\n\n", DONE]


def test_a_subclass_need_not_call_its_base() -> None:
    class Counter(EventStream[int]):
        def __init__(self, end: int) -> None:
            self.end = end

        def generate(self) -> Iterator[int]:
            yield from range(self.end)

    assert list(Counter(2)) == [b"data: 0\n\n", b"data: 1\n\n", DONE]


def test_a_stream_without_a_source_says_what_is_missing() -> None:
    with pytest.raises(
        NotImplementedError, match=r"EventStream .*pass an iterable of items or override generate\(\)"
    ):
        iter(EventStream())
    with pytest.raises(NotImplementedError, match=r"AsyncEventStream .*override generate\(\)"):
        aiter(AsyncEventStream())


# Closing


def test_a_source_is_closed_when_its_reader_leaves() -> None:
    closed = []

    def source() -> Iterator[str]:
        try:
            yield from map(str, range(100))
        finally:
            closed.append(True)

    stream = EventStream(source())
    next(iter(stream))
    assert not closed
    stream.close()
    stream.close()
    assert closed == [True]


@pytest.mark.parametrize("heartbeat", [None, 100.0])
async def test_an_async_source_is_closed_when_its_reader_leaves(heartbeat: float | None) -> None:
    closed = []

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    stream = AsyncEventStream(source(), heartbeat=heartbeat)
    async for _ in stream:
        break
    assert not closed
    await stream.aclose()
    await stream.aclose()
    assert closed == [True]


def test_a_source_that_was_never_read_is_closed_as_well() -> None:
    source = Upstream()
    EventStream(source).close()
    assert source.closed


async def test_an_async_source_that_was_never_read_is_closed_as_well() -> None:
    source = Upstream()
    await AsyncEventStream(source).aclose()
    assert source.closed


class Upstream:
    """A source that holds something."""

    closed = False

    def __iter__(self) -> Iterator[str]:
        yield "x"

    def close(self) -> None:
        self.closed = True


async def test_an_async_source_is_closed_where_it_waits_when_its_reader_is_cancelled() -> None:
    ended: list[str] = []

    async def source() -> AsyncIterator[str]:
        task = asyncio.current_task()
        try:
            yield "x"
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert asyncio.current_task() is task
            ended.append("cancelled")
            raise

    for heartbeat in (None, 100.0):
        pieces = aiter(AsyncEventStream(source(), heartbeat=heartbeat))
        await anext(pieces)
        with anyio.move_on_after(0):
            await anext(pieces)
        await asyncio.sleep(0)
        await pieces.aclose()
    assert ended == ["cancelled", "cancelled"]


# Heartbeats


def test_heartbeats_come_while_the_source_is_silent() -> None:
    gate = threading.Event()

    def source() -> Iterator[str]:
        yield "before"
        gate.wait()
        yield "after"

    pieces = iter(EventStream(source(), heartbeat=SOON))
    assert next(piece for piece in pieces if piece != HEARTBEAT) == b"data: before\n\n"
    assert [next(pieces), next(pieces)] == [HEARTBEAT, HEARTBEAT]
    gate.set()
    assert [piece for piece in pieces if piece != HEARTBEAT] == [b"data: after\n\n", DONE]


async def test_async_heartbeats_come_while_the_source_is_silent() -> None:
    gate = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        yield "before"
        await gate.wait()
        yield "after"

    pieces = aiter(AsyncEventStream(source(), heartbeat=SOON))
    while (piece := await anext(pieces)) == HEARTBEAT:
        pass
    assert piece == b"data: before\n\n"
    assert [await anext(pieces), await anext(pieces)] == [HEARTBEAT, HEARTBEAT]
    gate.set()
    assert [piece async for piece in pieces if piece != HEARTBEAT] == [b"data: after\n\n", DONE]


def test_no_heartbeat_comes_from_a_source_that_is_not_silent(read: Pieces) -> None:
    assert read(["a", "b"], heartbeat=100.0) == [b"data: a\n\n", b"data: b\n\n", DONE]


def test_with_heartbeats_a_source_runs_in_one_thread_and_in_the_readers_context() -> None:
    user = contextvars.ContextVar[str]("user")
    threads = []

    def source() -> Iterator[str]:
        try:
            for _ in range(9):
                threads.append(threading.current_thread())
                yield user.get()
        finally:
            threads.append(threading.current_thread())

    user.set("reader")
    stream = EventStream(source(), heartbeat=100.0)
    pieces = iter(stream)
    assert [next(pieces), next(pieces)] == [b"data: reader\n\n", b"data: reader\n\n"]
    stream.close()
    assert len(threads) == 3
    assert set(threads) == {threads[0]}
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()


def test_a_source_with_heartbeats_does_not_run_ahead_of_its_reader() -> None:
    given = []

    def source() -> Iterator[int]:
        for number in range(100):
            given.append(number)
            yield number

    with_beats = EventStream(source(), heartbeat=100.0)
    pieces = iter(with_beats)
    for count in range(1, 5):
        next(pieces)
        assert len(given) == count
    with_beats.close()


def test_an_error_of_a_source_with_heartbeats_reaches_the_reader(read: Pieces) -> None:
    with pytest.raises(ZeroDivisionError):
        read(broken(ZeroDivisionError()), heartbeat=100.0)


def test_a_stream_with_heartbeats_ends_once() -> None:
    pieces = iter(EventStream(["x"], heartbeat=100.0))
    assert list(pieces) == [b"data: x\n\n", DONE]
    assert list(pieces) == []


def test_trio_can_read_a_stream_and_learns_that_heartbeats_need_asyncio() -> None:
    async def collect(stream: AsyncIterable[bytes]) -> list[bytes]:
        return [piece async for piece in stream]

    assert trio.run(collect, AsyncGreeting(delay=0.001)) == [b"data: Hello\n\n", b"data: world\n\n", DONE]
    with pytest.raises(RuntimeError, match="heartbeats need asyncio"):
        trio.run(collect, AsyncGreeting(heartbeat=1))


# Errors


def test_an_error_of_the_source_is_raised_after_the_items_before_it() -> None:
    pieces = iter(EventStream(broken(ZeroDivisionError())))
    assert next(pieces) == b"data: one\n\n"
    with pytest.raises(ZeroDivisionError):
        next(pieces)


def test_an_error_of_the_source_becomes_an_event_without_details(
    read: Pieces, caplog: pytest.LogCaptureFixture
) -> None:
    first, last = read(broken(ValueError("password=1234")), on_error="event")
    assert first == b"data: one\n\n"
    (event,) = Decoder().feed(last)
    assert event.event == "error"
    assert event.json() == {
        "error": {
            "message": "The stream was interrupted.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("ssejet.emit", "ERROR")
    assert isinstance(record.exc_info[1], ValueError)  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"message": "slow down", "code": 429}, {"message": "slow down", "code": 429}),
        ("busy", {"message": "no more", "type": "server_error", "param": None, "code": None}),
    ],
)
def test_an_error_event_has_the_error_of_another_server(read: Pieces, body: Any, expected: Any) -> None:
    _, last = read(broken(APIError("no more", body=body)), on_error="event")
    assert Decoder().feed(last)[0].json() == {"error": expected}


def test_a_callable_makes_the_last_item_of_an_error(read: Pieces) -> None:
    def last_words(error: Exception) -> Any:
        return ServerSentEvent(event="sorry", data=str(error))

    assert read(broken(ValueError("why")), on_error=last_words) == [
        b"data: one\n\n",
        b"event: sorry\ndata: why\n\n",
    ]


def test_an_item_that_cannot_be_sent_is_an_error_like_any_other(read: Pieces) -> None:
    with pytest.raises(TypeError, match="cannot send object as JSON"):
        read(["one", object()])
    first, last = read(["one", object(), "two"], on_error="event")
    assert (first, Decoder().feed(last)[0].event) == (b"data: one\n\n", "error")


# Faults


@pytest.mark.parametrize("size", [1, 4, 7, 1000])
def test_pieces_are_cut_to_size_wherever_events_end(read: Pieces, size: int) -> None:
    whole = b"".join(read(["a" * 9, "b"]))
    pieces = read(["a" * 9, "b"], cut=size)
    assert b"".join(pieces) == whole
    assert {len(piece) for piece in pieces[:-1]} <= {size}


def test_pieces_of_random_size_are_the_same_for_the_same_seed(read: Pieces) -> None:
    whole = b"".join(read(["x" * 100] * 5))
    pieces, again, others = (read(["x" * 100] * 5, cut=random.Random(seed)) for seed in (1, 1, 2))
    assert pieces == again != others
    assert b"".join(pieces) == b"".join(others) == whole


def test_a_piece_with_a_heartbeat_in_it_is_cut_as_well() -> None:
    gate = threading.Event()

    def source() -> Iterator[str]:
        yield "x"
        gate.wait()

    stream = EventStream(source(), heartbeat=SOON, cut=1, done=None)
    received = b""
    for piece in stream:
        assert len(piece) == 1
        received += piece
        if received.endswith(b"data: x\n\n" + HEARTBEAT):
            gate.set()
    assert received.replace(HEARTBEAT, b"") == b"data: x\n\n"


def test_a_delay_comes_before_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    assert read_sync(["a", "b"], delay=0.25) == [b"data: a\n\n", b"data: b\n\n", DONE]
    assert naps == [0.25, 0.25]


async def test_an_async_delay_comes_before_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    assert [piece async for piece in AsyncEventStream(["a", "b"], delay=0.25)] == [
        b"data: a\n\n",
        b"data: b\n\n",
        DONE,
    ]
    assert naps == [0.25, 0.25]


def read_until_error(**options: Any) -> tuple[list[bytes], Exception | None]:
    pieces: list[bytes] = []
    try:
        pieces.extend(EventStream(["a", "b", "c"], **options))
    except Exception as error:
        return pieces, error
    return pieces, None


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (0, []),
        (2, [b"data: a\n\n", b"data: b\n\n"]),
        (3, [b"data: a\n\n", b"data: b\n\n", b"data: c\n\n"]),
        (Failure(bytes=0), []),
        (Failure(bytes=9), [b"data: a\n\n"]),
        (Failure(bytes=12), [b"data: a\n\n", b"dat"]),
        (Failure(events=1, bytes=30), [b"data: a\n\n"]),
    ],
    ids=repr,
)
def test_a_stream_breaks_where_it_is_told_to(failure: Any, expected: list[bytes]) -> None:
    pieces, error = read_until_error(fail_after=failure)
    assert pieces == expected
    assert isinstance(error, ConnectionResetError)


def test_a_stream_that_breaks_sends_all_bytes_before_the_break_for_any_cut() -> None:
    pieces, error = read_until_error(fail_after=Failure(bytes=12, error=httpx.ReadError("gone")), cut=5)
    assert pieces == [b"data:", b" a\n\nd", b"at"]
    assert isinstance(error, httpx.ReadError)


def test_a_stream_may_end_early_as_if_it_were_complete(read: Pieces) -> None:
    assert read(["a", "b"], fail_after=Failure(events=1, error=None)) == [b"data: a\n\n"]
    assert read(["a", "b"], fail_after=Failure(bytes=3, error=None), cut=2) == [b"da", b"t"]


def test_on_error_does_not_handle_a_simulated_break() -> None:
    pieces, error = read_until_error(fail_after=1, on_error="event")
    assert pieces == [b"data: a\n\n"]
    assert isinstance(error, ConnectionResetError)


def test_heartbeats_count_as_bytes_that_can_break() -> None:
    gate = threading.Event()

    def source() -> Iterator[str]:
        gate.wait()
        yield "never"

    pieces = iter(EventStream(source(), heartbeat=SOON, fail_after=Failure(bytes=2)))
    assert next(pieces) == b": "
    gate.set()
    with pytest.raises(ConnectionResetError):
        next(pieces)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heartbeat": 0}, "heartbeat must be a positive number of seconds, or None; got 0"),
        ({"delay": -1}, "delay must be 0 or more seconds; got -1"),
        ({"cut": 0}, "cut must be a size of 1 or more bytes, or a random.Random; got 0"),
        ({"fail_after": -1}, "say after how many events or bytes to fail, 0 or more"),
        ({"on_error": "ignore"}, "on_error must be 'raise', 'event' or a callable; got 'ignore'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    for kind in (EventStream, AsyncEventStream):
        with pytest.raises(ValueError, match=message):
            kind([], **options)


@pytest.mark.parametrize("items", ["text", b"bytes", {"a": 1}])
def test_a_single_item_is_refused(items: Any) -> None:
    for kind in (EventStream, AsyncEventStream):
        with pytest.raises(TypeError, match=f"not one {type(items).__name__}: pass a list of it"):
            kind(items)


def test_what_cannot_be_iterated_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="not AsyncGreeting; async iterables are for AsyncEventStream"):
        EventStream(AsyncGreeting())
    with pytest.raises(TypeError, match="items must be an iterable, not int; async or not"):
        AsyncEventStream(5)


def test_nothing_is_imported_that_is_not_needed() -> None:
    script = (
        "import sys, ssejet.pytest_plugin\n"
        "assert not {'ssejet.emit', 'ssejet.testing'} & set(sys.modules)\n"
        "import ssejet.emit, ssejet.testing\n"
        "others = {'anyio', 'flask', 'httpx', 'httpx2', 'openai', 'pydantic', 'starlette'}\n"
        "assert not others & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_failure_needs_a_limit() -> None:
    with pytest.raises(ValueError, match="say after how many events or bytes to fail"):
        Failure()


# As the content of responses


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_stream_is_the_content_of_a_response(library: Any) -> None:
    def handler(request: Any) -> Any:
        return library.Response(200, content=Greeting())

    with library.Client(transport=library.MockTransport(handler)) as client:
        assert client.get("http://test").content == b"".join(Greeting())


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_an_async_stream_is_the_content_of_an_async_response(library: Any) -> None:
    def handler(request: Any) -> Any:
        return library.Response(200, content=AsyncGreeting())

    async with library.AsyncClient(transport=library.MockTransport(handler)) as client:
        assert (await client.get("http://test")).content == b"".join(Greeting())


async def test_the_close_of_a_stream_of_an_sdk_is_awaited() -> None:
    closed = []

    class Stream:
        """As openai-python's, which has no ``aclose``."""

        def __aiter__(self) -> Stream:
            return self

        async def __anext__(self) -> str:
            raise StopAsyncIteration

        async def close(self) -> None:
            closed.append(True)

    await AsyncEventStream(Stream()).aclose()
    assert closed == [True]

"""Answers of a model that arrive one by one: they are read without Python frames, and nobody can tell."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import warnings
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from exact_server import CHUNKED, ExactServer, Step, Then
from raw_server import A_LONG_TIME, chunk
from ssejet import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AsyncStream,
    Decoder,
    EventTooLargeError,
    InvalidJSONError,
)
from ssejet._core import BodyArrivals, BodyReader, ReadBuffer
from ssejet._http.exclusive import ConcurrentReadError
from ssejet.chat import ChatCompletionChunk, ChatMetrics
from ssejet.typed import _async_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def answer(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: %s\n\n" % json.dumps({"id": "1", "choices": [choice]}).encode()


def text_of(item: ChatCompletionChunk) -> str:
    content = item.choices[0].delta.content
    assert content is not None
    return content


@pytest.fixture
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server
        for _ in range(100):  # its connections end when they have nothing to wait for
            server.go_on()


@pytest.fixture
def general_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets a number each time the subclass reads in the general way."""
    reads: list[int] = []
    general = _async_stream._AsyncItems._next

    def counted(items: Any, may_be_ordinary: bool) -> Any:
        reads.append(len(reads))
        return general(items, may_be_ordinary)

    monkeypatch.setattr(_async_stream._AsyncItems, "_next", counted)
    return reads


class Opened:
    """A stream of answers, which the server sends one by one, when the test asks for the next."""

    def __init__(self, server: ExactServer, steps: tuple[Step, ...], options: dict[str, Any]) -> None:
        self._server = server
        self._url = server.answer(CHUNKED, *steps)
        self._options = {"cast_to": ChatCompletionChunk, **options}

    async def __aenter__(self) -> AsyncStream[Any]:
        read = self._options.pop("read", A_LONG_TIME)
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(A_LONG_TIME, read=read))
        response = await self._client.send(self._client.build_request("GET", self._url), stream=True)
        return AsyncStream(response, **self._options)

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


@pytest.fixture
def opened(exact: ExactServer) -> Callable[..., Opened]:
    return lambda *steps, **options: Opened(exact, steps, options)


def stepwise(exact: ExactServer, *texts: str) -> list[Step]:
    return [step for text in texts for step in (chunk(answer(text)), Then.WAIT)]


async def after_the_next(exact: ExactServer, stream: AsyncIterator[Any]) -> str:
    exact.go_on()
    return text_of(await asyncio.wait_for(anext(stream), A_LONG_TIME))


async def waiting(stream: AsyncIterator[Any]) -> asyncio.Task[Any]:
    """A task that waits for the next item."""
    task = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_answers_that_arrive_one_by_one_are_not_read_in_the_general_way(
    exact: ExactServer, opened: Any, general_reads: list[int]
) -> None:
    texts = [f" {number}" for number in range(20)]
    steps = stepwise(exact, *texts)
    metrics = ChatMetrics()
    async with opened(*steps, chunk(DONE) + END, metrics=metrics) as stream:
        items = aiter(stream)
        seen = [text_of(await anext(items))]
        seen += [await after_the_next(exact, items) for _ in texts[1:]]
        assert seen == texts
        assert len(general_reads) < 5
        exact.go_on()
        with pytest.raises(StopAsyncIteration):
            await anext(items)
        assert stream.saw_done
    assert (metrics.events, metrics.chunks, metrics.tokens) == (21, 20, 20)
    assert len(metrics.inter_token_latencies) == 19
    assert metrics.bytes == sum(map(len, map(answer, texts))) + len(DONE)


async def test_answers_that_arrive_one_by_one_are_read_without_frames_of_python(
    exact: ExactServer, opened: Any
) -> None:
    texts = [f" {number}" for number in range(10)]
    calls: list[str] = []

    def on_call(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_globals.get("__name__", "").startswith("ssejet."):
            calls.append(frame.f_code.co_qualname if sys.version_info >= (3, 11) else frame.f_code.co_name)

    async with opened(*stepwise(exact, *texts), Then.HANG, read=A_LONG_TIME) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == texts[0]
        assert await after_the_next(exact, items) == texts[1]
        sys.setprofile(on_call)
        try:
            seen = []
            for _ in texts[2:]:
                asyncio.get_running_loop().call_soon(exact.go_on)
                seen.append(text_of(await anext(items)))
        finally:
            sys.setprofile(None)
        assert seen == texts[2:]
        await stream.aclose()
    assert calls == []


class CountingTask(asyncio.Task[Any]):
    """Counts how often it is asked for its coroutine."""

    asked = 0
    error: type[BaseException] | None = None

    def get_coro(self) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error("this task does not tell")
        return super().get_coro()


@pytest.mark.parametrize("error", [None, AttributeError, RuntimeError])
@pytest.mark.parametrize("has_many_streams", [True, False], ids=["many streams", "few streams"])
async def test_what_a_read_touches_is_noted_once_in_many_reads_if_there_are_many_streams(
    exact: ExactServer, opened: Any, has_many_streams: bool, error: type[BaseException] | None
) -> None:
    loop = asyncio.get_running_loop()
    other_stream = BodyArrivals(BodyReader("until-close"), loop, ReadBuffer(1), None)
    # The answers grow, so that all that is kept of them moves in memory, after it was noted.
    texts = [f"{number} " * (number * number + 1) for number in range(80)]

    async def read_all() -> list[str]:
        async with opened(*stepwise(exact, *texts), chunk(DONE) + END) as stream:
            items = aiter(stream)
            seen = [text_of(await anext(items))]
            for _ in texts[1:]:
                for _ in range(100 if has_many_streams else 0):
                    other_stream.get_buffer(-1)
                exact.go_on()
                seen.append(text_of(await anext(items)))
            exact.go_on()
            with pytest.raises(StopAsyncIteration):
                await anext(items)
            return seen

    task = CountingTask(read_all(), loop=loop)
    task.error = error
    assert await asyncio.wait_for(task, A_LONG_TIME) == texts
    assert task.asked == (3 if has_many_streams else 0)


async def test_what_is_not_ordinary_between_answers_is_found(exact: ExactServer, opened: Any) -> None:
    odd = [
        b": comment\n\n",
        b"data: null\n\n",
        answer("two") + answer("three"),
        b"event: other\n" + answer("four"),
        answer("five") + b": comment\n\n",
        answer("six").replace(b"\n", b"\r\n"),
        b'data: {"choices": [{"index": 0, "delta": {"content": "seven", "new": [1]}}]}\n\n',
    ]
    steps: list[Step] = []
    for piece in odd:
        steps += [*stepwise(exact, "one"), chunk(piece[:9]), Then.WAIT, chunk(piece[9:]), Then.WAIT]
    async with opened(*steps, chunk(DONE) + END) as stream:
        seen = []
        async for item in stream:
            seen.append(text_of(item))
            for _ in range(3):
                exact.go_on()
    words = ["two", "three", "four", "five", "six", "seven"]
    assert [text for text in seen if text != "one"] == words
    assert seen.count("one") == len(odd)


FAULTS: list[tuple[tuple[Step, ...], dict[str, Any], type[Exception]]] = [
    ((chunk(b'data: {"error": {"message": "no"}}\n\n') + END,), {}, APIError),
    ((chunk(b"data: {\n\n") + END,), {}, InvalidJSONError),
    ((chunk(b"data: " + b"x" * 3000),), {"decoder": 2000}, EventTooLargeError),
    ((b"zz\r\n", Then.HANG), {}, APIConnectionError),
    ((Then.CLOSE,), {}, APIConnectionError),
    ((Then.RESET,), {}, APIConnectionError),
    ((Then.HANG,), {"read": 0.3}, APITimeoutError),
    ((Then.HANG,), {"idle_timeout": 0.3}, APITimeoutError),
    ((Then.HANG,), {"idle_timeout": 0.3, "read": None}, APITimeoutError),
    ((Then.HANG,), {"idle_timeout": A_LONG_TIME, "read": 0.3}, APITimeoutError),
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
async def test_a_fault_after_answers_looks_the_same_in_the_general_way(
    exact: ExactServer, opened: Any, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, options, error_class = FAULTS[number]
    outcomes = []
    for is_ordinary in (True, False):
        if not is_ordinary:
            monkeypatch.setattr(_async_stream._AsyncItems, "_begin_ordinary", lambda *_: False)
        given = dict(options)
        if "decoder" in given:
            given["decoder"] = Decoder(max_event_size=given["decoder"])
        steps = stepwise(exact, "one", "two", "three")
        async with opened(*steps, *fault, **given) as stream:
            items = aiter(stream)
            seen = [text_of(await anext(items))]
            seen += [await after_the_next(exact, items) for _ in range(2)]
            exact.go_on()
            with pytest.raises(error_class) as caught:
                await anext(items)
            partial = getattr(caught.value, "partial", None)
            with pytest.raises(StopAsyncIteration):
                await anext(items)
            outcomes.append(
                (
                    seen,
                    type(caught.value),
                    str(caught.value),
                    repr(caught.value.__cause__),
                    None if partial is None else partial.to_dict(),
                    stream.response.is_closed,
                    stream.metrics.events,
                    stream.response.num_bytes_downloaded,
                )
            )
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][4]["choices"][0]["message"]["content"] == "onetwothree"


async def test_an_answer_before_an_event_that_is_too_large_is_given_first(
    exact: ExactServer, opened: Any
) -> None:
    last = chunk(answer("three") + b"data: " + b"x" * 3000)
    decoder = Decoder(max_event_size=2000)
    async with opened(*stepwise(exact, "one", "two"), last, Then.HANG, decoder=decoder) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        assert [await after_the_next(exact, items) for _ in range(2)] == ["two", "three"]
        with pytest.raises(EventTooLargeError):
            await asyncio.wait_for(anext(items), A_LONG_TIME)


async def test_a_cancelled_read_loses_nothing(exact: ExactServer, opened: Any) -> None:
    async with opened(*stepwise(exact, "one", "two", "three", "four"), Then.HANG) as stream:
        assert text_of(await anext(stream)) == "one"
        items = aiter(stream)
        assert await after_the_next(exact, items) == "two"
        task = await waiting(items)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stream._reader.suspended
        assert await after_the_next(exact, items) == "three"
        assert await after_the_next(exact, items) == "four"
        await stream.aclose()


async def test_a_read_that_was_closed_counts_as_cancelled(exact: ExactServer, opened: Any) -> None:
    async with opened(*stepwise(exact, "one", "two"), Then.HANG) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        assert await after_the_next(exact, items) == "two"
        read: Any = anext(items)
        read.send(None)
        read.close()
        assert stream._reader.suspended
        await stream.aclose()


async def test_a_second_task_may_not_read_at_the_same_time(exact: ExactServer, opened: Any) -> None:
    async with opened(*stepwise(exact, "one", "two", "three"), Then.HANG) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        assert await after_the_next(exact, items) == "two"
        task = await waiting(items)
        for other in (items, stream, stream.events()):
            with pytest.raises(ConcurrentReadError):
                await anext(other)
        exact.go_on()
        assert text_of(await task) == "three"
        await stream.aclose()


@pytest.mark.parametrize("closes", ["stream", "response"])
async def test_a_task_that_waits_ends_when_another_one_closes(
    exact: ExactServer, opened: Any, closes: str
) -> None:
    async with opened(*stepwise(exact, "one", "two"), Then.HANG) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        assert await after_the_next(exact, items) == "two"
        task = await waiting(items)
        await (stream if closes == "stream" else stream.response).aclose()
        with pytest.raises(StopAsyncIteration if closes == "stream" else APIConnectionError):
            await task
        assert stream.response.is_closed
        with pytest.raises(StopAsyncIteration):
            await anext(items)


async def test_what_has_arrived_is_not_given_after_closing(exact: ExactServer, opened: Any) -> None:
    async with opened(*stepwise(exact, "one", "two"), chunk(answer("three")), Then.HANG) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        assert await after_the_next(exact, items) == "two"
        exact.go_on()
        while not stream._reader.direct.arrived.size:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.001)
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(items)


async def test_the_next_item_is_awaited_once(exact: ExactServer, opened: Any) -> None:
    async with opened(*stepwise(exact, "one", "two", "three"), Then.HANG) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        exact.go_on()
        assert text_of(await anext(items)) == "two"
        never_awaited = items.__anext__()
        awaitable: Awaitable[Any] = items.__anext__()
        exact.go_on()
        assert text_of(await awaitable) == "three"
        with pytest.raises(RuntimeError, match="already awaited"):
            await awaitable
        assert isinstance(never_awaited, Coroutine)
        never_awaited.close()
        await stream.aclose()


async def test_events_can_be_read_between_answers(exact: ExactServer, opened: Any) -> None:
    async with opened(*stepwise(exact, "one", "two", "three", "four"), Then.HANG) as stream:
        items = aiter(stream)
        assert text_of(await anext(items)) == "one"
        assert await after_the_next(exact, items) == "two"
        exact.go_on()
        event = await anext(stream.events())
        assert json.loads(event.data)["choices"][0]["delta"]["content"] == "three"
        assert await after_the_next(exact, items) == "four"
        await stream.aclose()


async def test_a_stream_that_was_left_in_a_read_is_collected(
    exact: ExactServer, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []
    for is_ordinary in (True, False):
        if not is_ordinary:
            monkeypatch.setattr(_async_stream._AsyncItems, "_begin_ordinary", lambda *_: False)
        async with opened(*stepwise(exact, "one"), chunk(answer("two")), Then.HANG) as stream:
            items = aiter(stream)
            assert text_of(await anext(items)) == "one"
            assert await after_the_next(exact, items) == "two"
            task = await waiting(items)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            response, reference = stream.response, weakref.ref(stream)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                del stream, items, task
                for _ in range(5):
                    gc.collect()
                    await asyncio.sleep(0)
            outcomes.append((reference() is None, response.is_closed, [str(each.message) for each in caught]))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0]

"""Limits of time where bodies are read from sockets, by a clock that the tests move."""

# ruff: noqa: ASYNC110 (nothing tells of the changes that are awaited)

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from exact_server import CHUNKED, ExactServer, Step, Then
from raw_server import A_LONG_TIME, chunk
from ssejet import APITimeoutError, AsyncStream, Stream, direct_reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

EVENTS = [chunk(b"data: %d\n\n" % number) for number in range(2)]
COMMENT = chunk(b": still here\n\n")
END = b"0\r\n\r\n"
BOTH_WAYS = pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])


@pytest.fixture(scope="module")
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock on by so many seconds."""

    def move(seconds: float) -> None:
        monkeypatch.setattr("ssejet._http.deadlines.perf_counter", lambda: perf_counter() + seconds)

    return move


@asynccontextmanager
async def begun(
    exact: ExactServer,
    *steps: Step,
    direct: bool = True,
    read_timeout: float | None = A_LONG_TIME,
    **limits: Any,
) -> AsyncIterator[AsyncStream[Any]]:
    """A stream with these limits that has given its first item; the steps follow."""
    url = exact.answer(CHUNKED, EVENTS[0], *steps)
    async with httpx.AsyncClient(timeout=read_timeout) as client, client.stream("GET", url) as response:
        stream: AsyncStream[Any] = AsyncStream(response, direct=direct, **limits)
        assert await anext(stream) == 0
        assert bool(direct_reading(response)) is direct
        yield stream


async def next_has_arrived(server: ExactServer, stream: AsyncStream[Any]) -> None:
    """Let the server go on, and wait for the bytes, where they arrive without a read."""
    server.go_on()
    direct = stream._reader.direct
    while direct is not None and not direct.arrived.size:
        await asyncio.sleep(0.001)


@BOTH_WAYS
async def test_bytes_that_have_arrived_are_not_read_after_the_total_limit(
    exact: ExactServer, advance: Any, direct: bool
) -> None:
    steps = (Then.WAIT, EVENTS[1], Then.HANG)
    async with begun(exact, *steps, direct=direct, timeout=A_LONG_TIME) as stream:
        await next_has_arrived(exact, stream)
        advance(2 * A_LONG_TIME)
        with pytest.raises(APITimeoutError) as caught:
            await anext(stream)
        assert caught.value.kind == "total"


@BOTH_WAYS
async def test_time_between_two_reads_takes_nothing_from_the_limit_between_events(
    exact: ExactServer, advance: Any, direct: bool
) -> None:
    steps = (Then.WAIT, COMMENT, Then.WAIT, EVENTS[1], Then.HANG)
    async with begun(exact, *steps, direct=direct, data_timeout=A_LONG_TIME) as stream:
        await next_has_arrived(exact, stream)
        advance(2 * A_LONG_TIME)
        reading = asyncio.ensure_future(anext(stream))
        exact.go_on()
        assert await reading == 1


async def test_bytes_of_the_framing_do_not_restart_the_limit_between_events(
    exact: ExactServer, advance: Any
) -> None:
    event = chunk(b"data: 1\n\n")
    steps = (Then.WAIT, event[:1], Then.WAIT, event[1:], Then.HANG)
    async with begun(exact, *steps, data_timeout=A_LONG_TIME) as stream:
        reading = asyncio.ensure_future(anext(stream))
        arrivals = stream._reader._chunks.arrived
        while arrivals.due == inf:
            await asyncio.sleep(0)
        advance(2 * A_LONG_TIME)
        exact.go_on()
        with pytest.raises(APITimeoutError) as caught:
            await asyncio.wait_for(reading, A_LONG_TIME / 4)
        assert caught.value.kind == "data"
    exact.go_on()


@pytest.mark.slow
@BOTH_WAYS
def test_an_idle_limit_ends_a_read_before_the_client_does(exact: ExactServer, direct: bool) -> None:
    url = exact.answer(CHUNKED, EVENTS[0], Then.HANG)
    with httpx.Client(timeout=A_LONG_TIME) as client, client.stream("GET", url) as response:
        stream = Stream(response, idle_timeout=0.3, direct=direct)
        with pytest.raises(APITimeoutError) as caught:
            list(stream)
        assert caught.value.kind == "idle"
        assert bool(direct_reading(response)) is direct


LONG = pytest.mark.parametrize(
    "options",
    [
        {"idle_timeout": inf},
        {"timeout": inf},
        {"data_timeout": inf},
        {"idle_timeout": 1e300},
        {"timeout": 1e10},
    ],
    ids=str,
)


@LONG
@BOTH_WAYS
class TestLongLimits:
    """A limit may be longer than an operating system can wait."""

    def test_long_limits_are_none(self, exact: ExactServer, options: dict[str, Any], direct: bool) -> None:
        url = exact.answer(CHUNKED, EVENTS[0], Then.WAIT, EVENTS[1], END)
        with httpx.Client(timeout=None) as client, client.stream("GET", url) as response:
            stream = Stream(response, direct=direct, **options)
            assert next(stream) == 0
            assert bool(direct_reading(response)) is direct
            # When it ends, the next read may have begun or not: both must do.
            timer = threading.Timer(0.02, exact.go_on)
            timer.start()
            assert list(stream) == [1]
            timer.join()

    async def test_long_limits_are_none_on_asyncio(
        self, exact: ExactServer, options: dict[str, Any], direct: bool
    ) -> None:
        steps = (Then.WAIT, EVENTS[1], END)
        async with begun(exact, *steps, direct=direct, read_timeout=None, **options) as stream:
            asyncio.get_running_loop().call_later(0.02, exact.go_on)
            assert [item async for item in stream] == [1]

"""The states of an asynchronous reader, over a real connection."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest

from servers import Then
from ssejet import APIConnectionError
from ssejet._http.async_reader import AsyncReader, ReaderState
from ssejet._http.deadlines import Deadlines
from ssejet._http.exclusive import ConcurrentReadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import ModuleType

    from typing_extensions import Self

    from servers import Server

FIRST = b"data: 1\n\n"
SECOND = b"data: 2\n\n"


class Unresumable:
    """A response of an unknown library, whose iterator ends when a read is cancelled."""

    def __init__(self) -> None:
        self.closed = 0

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        await anyio.sleep_forever()
        yield b""

    async def aclose(self) -> None:
        self.closed += 1


class WithOwnIterator:
    """A response of an unknown library, whose iterator notes when it is closed."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def aiter_bytes(self) -> WithOwnIterator.Chunks:
        return self.Chunks(self.log)

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.log.append("response")

    class Chunks:
        def __init__(self, log: list[str]) -> None:
            self.log = log

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> bytes:
            await anyio.sleep_forever()
            return b""

        async def aclose(self) -> None:
            await anyio.lowlevel.checkpoint()
            self.log.append("iterator")


@pytest.fixture(params=[httpx, httpx2], ids=lambda http: http.__name__)
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def run(http: Any, backend: str, server: Server) -> Callable[..., None]:
    """Runs a function with the reader of a response that has these steps, after its first chunk."""

    def run(function: Callable[[AsyncReader], Awaitable[None]], *steps: Any) -> None:
        async def main() -> None:
            url = server.answer(FIRST, *steps).url
            async with http.AsyncClient() as client, client.stream("GET", url) as response:
                reader = AsyncReader(response, Deadlines())
                assert await reader.read() == FIRST
                await function(reader)

        anyio.run(main, backend=backend)

    return run


async def cancelled_read(reader: AsyncReader) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await reader.read()
    assert scope.cancelled_caught


async def wait_for(reader: AsyncReader, state: ReaderState) -> None:
    while reader.state is not state:
        await anyio.lowlevel.checkpoint()


def test_a_reader_is_idle_between_reads_and_closed_in_the_end(run: Any) -> None:
    async def use(reader: AsyncReader) -> None:
        assert reader.state is ReaderState.IDLE
        assert await reader.read() is None
        assert reader.state is ReaderState.IDLE
        await reader.aclose()
        assert reader.state is ReaderState.CLOSED
        assert reader.closed
        assert await reader.read() is None

    run(use)


def test_a_cancelled_read_suspends_the_reader_and_the_next_one_goes_on(run: Any) -> None:
    async def use(reader: AsyncReader) -> None:
        await cancelled_read(reader)
        assert reader.state is ReaderState.SUSPENDED
        assert reader.suspended
        assert not reader.closed
        go_on.set()
        assert await reader.read() == SECOND
        assert reader.state is ReaderState.IDLE

    go_on = threading.Event()
    run(use, go_on, SECOND)


def test_a_suspended_reader_can_be_closed(run: Any) -> None:
    async def use(reader: AsyncReader) -> None:
        await cancelled_read(reader)
        await reader.aclose()
        assert reader.state is ReaderState.CLOSED
        assert await reader.read() is None
        with pytest.raises(StopAsyncIteration):
            await reader.begin()()

    run(use, Then.HANG)


def test_a_reader_that_is_closed_while_a_task_reads_closes_when_the_task_returns(run: Any) -> None:
    async def use(reader: AsyncReader) -> None:
        chunks: list[bytes | None] = []

        async def read() -> None:
            chunks.append(await reader.read())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await wait_for(reader, ReaderState.READING)
            with pytest.raises(ConcurrentReadError):
                await reader.read()
            await reader.aclose()
            assert reader.closed
        assert chunks == [None]
        assert reader.state is ReaderState.CLOSED

    run(use, Then.HANG)


def test_a_reader_that_is_closed_while_its_task_is_cancelled_closes(run: Any) -> None:
    async def use(reader: AsyncReader) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.read)
            await wait_for(reader, ReaderState.READING)
            tasks.cancel_scope.cancel()
            await reader.aclose()
        assert reader.state is ReaderState.CLOSED

    run(use, Then.HANG)


@pytest.mark.usefixtures("long_drain")
def test_a_reader_that_is_closed_while_it_drains_closes(run: Any) -> None:
    async def use(reader: AsyncReader) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.drain)
            await wait_for(reader, ReaderState.READING)
            await reader.aclose()
        assert reader.state is ReaderState.CLOSED

    run(use, Then.HANG)


def test_a_cancelled_read_that_cannot_go_on_loses_the_body_and_the_next_one_says_so(backend: str) -> None:
    async def main() -> None:
        response = Unresumable()
        reader = AsyncReader(response, Deadlines())
        await cancelled_read(reader)
        assert reader.state is ReaderState.LOST
        assert (reader.closed, response.closed) == (True, 1)
        with pytest.raises(APIConnectionError, match="an earlier read of this response was cancelled"):
            await reader.read()
        assert reader.state is ReaderState.CLOSED
        assert await reader.read() is None

    anyio.run(main, backend=backend)


def test_a_lost_read_closes_the_iterator_and_then_the_response(backend: str) -> None:
    """Also in a task whose cancellation goes on: each await of it raises."""

    async def main() -> None:
        response = WithOwnIterator()
        await cancelled_read(AsyncReader(response, Deadlines()))
        assert response.log == ["iterator", "response"]

    anyio.run(main, backend=backend)

"""The connection of a body that is read directly on asyncio: how it pauses, ends, and is handed back."""

# ruff: noqa: ASYNC110, F811, SIM117 (nothing tells of the changes that are awaited; fixtures; one statement would not
# fit into a line)

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from test_direct_connections import unix  # noqa: F401  # a fixture
from test_direct_faults import BOTH_WAYS, END, Run, run  # noqa: F401  # a fixture

from exact_server import CHUNKED, UNTIL_CLOSE, ExactServer, Then
from raw_server import A_LONG_TIME, chunk
from ssejet import APIConnectionError, APITimeoutError, AsyncStream, direct_reading
from ssejet._http.deadlines import Deadlines
from ssejet._http.direct._arrivals import Arrivals
from ssejet._http.direct._asyncio import AsyncDirectChunks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from test_direct_connections import UnixServer

EVENT = b"data: 0\n\n"
BLOCK = chunk(b"data: 1\n\n".ljust(4095, b":") + b"\n")
COUNT = 400
FLOOD = (CHUNKED + BLOCK * COUNT, Then.HANG)

OVER = pytest.mark.parametrize("over", ["tcp", "unix"])


@pytest.fixture(scope="module")
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server


def client_for(over: str, unix: UnixServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(unix.path) if over == "unix" else None),
        timeout=A_LONG_TIME,
    )


@asynccontextmanager
async def flooded(over: str, exact: ExactServer, unix: UnixServer) -> AsyncIterator[tuple[Any, Arrivals]]:
    """A stream that has more bytes than its buffer takes, and what has arrived of it."""
    url = (unix if over == "unix" else exact).answer(*FLOOD)
    async with client_for(over, unix) as client, client.stream("GET", url) as response:
        stream = AsyncStream(response)
        assert await anext(stream) == 1
        yield stream, await wait_until_paused(stream)


async def wait_until_paused(stream: AsyncStream[Any]) -> Arrivals:
    arrivals: Arrivals = stream._reader._chunks.arrived
    while not arrivals.is_paused:
        await asyncio.sleep(0.001)
    return arrivals


def reads_on(arrivals: Any) -> bool:
    """Whether the event loop reads the connection for them."""
    if hasattr(arrivals, "_transport"):
        return bool(arrivals._transport.is_reading())
    return arrivals._readable is not None


@OVER
class TestPauses:
    def test_a_full_buffer_pauses_the_reading_until_it_is_taken(
        self, exact: ExactServer, unix: UnixServer, run: Run, over: str
    ) -> None:
        async def main() -> None:
            async with flooded(over, exact, unix) as (stream, arrivals):
                for _ in range(20):
                    await asyncio.sleep(0.001)
                assert not reads_on(arrivals)
                assert arrivals.size < 3 * 64 * 1024
                while arrivals.is_paused:
                    arrivals.take()
                assert reads_on(arrivals)
                await stream.aclose()

        run(main())

    def test_a_reader_that_takes_what_is_left_does_not_read_a_connection_that_was_handed_back(
        self, exact: ExactServer, unix: UnixServer, run: Run, over: str
    ) -> None:
        async def main() -> None:
            async with flooded(over, exact, unix) as (stream, arrivals):
                arrivals.close()
                while arrivals.size:
                    arrivals.take()
                assert not arrivals.is_paused
                assert not reads_on(arrivals)
                await stream.aclose()

        run(main())

    def test_a_connection_that_was_handed_back_is_not_read(
        self, exact: ExactServer, unix: UnixServer, run: Run, over: str
    ) -> None:
        async def main() -> None:
            url = (unix if over == "unix" else exact).answer(CHUNKED, chunk(EVENT), Then.HANG)
            async with client_for(over, unix) as client, client.stream("GET", url) as response:
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                arrivals = stream._reader._chunks.arrived
                await asyncio.sleep(0)  # the task may have been resumed out of a read
                assert reads_on(arrivals)
                arrivals.close()
                for _ in range(3):
                    await asyncio.sleep(0)
                assert not reads_on(arrivals)
                await stream.aclose()

        run(main())

    def test_a_connection_is_handed_back_once(
        self, exact: ExactServer, unix: UnixServer, run: Run, over: str
    ) -> None:
        """It may serve the next response when its reader is closed again."""

        async def main() -> None:
            server = unix if over == "unix" else exact
            async with client_for(over, unix) as client:
                url = server.answer(CHUNKED, chunk(EVENT), Then.WAIT, chunk(EVENT), END)
                accepted = server.accepted
                closed = []
                for _ in range(2):
                    async with client.stream("GET", url) as response:
                        stream = AsyncStream(response)
                        assert await anext(stream) == 0
                        arrivals = stream._reader._chunks.arrived
                        for each in closed:
                            each.close()
                        asyncio.get_running_loop().call_soon(server.go_on)
                        assert [item async for item in stream] == [0]
                    closed.append(arrivals)
                assert server.accepted == accepted + 1

        run(main())

    def test_a_client_that_is_closed_during_a_pause_ends_the_body_with_an_error(
        self, exact: ExactServer, unix: UnixServer, run: Run, over: str
    ) -> None:
        async def main() -> None:
            url = (unix if over == "unix" else exact).answer(*FLOOD)
            client = client_for(over, unix)
            response = await client.send(client.build_request("GET", url), stream=True)
            stream = AsyncStream(response)
            assert await anext(stream) == 1
            await wait_until_paused(stream)
            await client.aclose()
            items = []
            try:
                async for item in stream:
                    items.append(item)  # noqa: PERF401 (what comes before an error counts)
            except APIConnectionError as error:
                items.append(type(error.__cause__))
            assert items.pop() is httpx.ReadError
            assert 0 < len(items) < COUNT - 1
            assert set(items) == {1}

        run(main())


class TestUnixSockets:
    def test_an_ended_body_leaves_what_follows_in_the_socket(self, unix: UnixServer, run: Run) -> None:
        async def main() -> None:
            url = unix.answer(CHUNKED, chunk(EVENT), Then.WAIT, END, Then.WAIT, b"more", Then.WAIT)
            async with client_for("unix", unix) as client, client.stream("GET", url) as response:
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                chunks: AsyncDirectChunks = stream._reader._chunks
                unix.go_on()
                while not chunks._body.is_over:
                    await asyncio.sleep(0.001)
                unix.go_on()
                unix.wait_until(lambda: unix.waits == 3)
                for _ in range(5):
                    await asyncio.sleep(0.001)
                peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
                assert chunks.arrived._stream._raw_socket.recv(100, peek) == b"more"
                assert [item async for item in stream] == []
                unix.go_on()
            assert client._transport._pool.connections == []

        run(main())

    def test_a_reader_that_stops_while_bytes_arrive_leaves_nothing_to_report(
        self, unix: UnixServer, run: Run
    ) -> None:
        async def main() -> None:
            url = unix.answer(CHUNKED, chunk(EVENT), Then.WAIT, chunk(EVENT), Then.WAIT, Then.HANG)
            async with client_for("unix", unix) as client, client.stream("GET", url) as response:
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                unix.go_on()
                unix.wait_until(lambda: unix.waits == 2)
                await stream.aclose()
                unix.go_on()

        run(main())

    def test_a_reader_and_its_connection_may_be_closed_at_the_same_time(
        self, unix: UnixServer, run: Run
    ) -> None:
        async def main() -> None:
            url = unix.answer(CHUNKED, chunk(EVENT), Then.HANG)
            async with client_for("unix", unix) as client, client.stream("GET", url) as response:
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                arrivals = stream._reader._chunks.arrived
                closing = asyncio.ensure_future(response.extensions["network_stream"].aclose())
                await asyncio.sleep(0)
                assert reads_on(arrivals)
                arrivals.close()
                await closing
                await stream.aclose()

        run(main())


class TestLostConnections:
    """A transport may end without an end of the server: other code has closed it."""

    @BOTH_WAYS
    @pytest.mark.parametrize("head", [UNTIL_CLOSE, CHUNKED], ids=["until close", "chunked"])
    def test_a_transport_that_other_code_closes_ends_the_body_like_the_server(
        self, exact: ExactServer, run: Run, direct: bool, head: bytes
    ) -> None:
        async def main() -> list[Any]:
            async with httpx.AsyncClient(timeout=A_LONG_TIME) as client:
                url = exact.answer(head, chunk(EVENT) if head is CHUNKED else EVENT, Then.HANG)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response, direct=direct)
                    items: list[Any] = [await anext(stream)]
                    assert bool(direct_reading(response)) is direct
                    network_stream = response.extensions["network_stream"]
                    asyncio.get_running_loop().call_later(0.01, network_stream._stream._transport.abort)
                    try:
                        items += [item async for item in stream]
                    except APIConnectionError as error:
                        items.append(type(error.__cause__))
                    return items

        assert run(main()) == ([0, httpx.RemoteProtocolError] if head is CHUNKED else [0])

    @BOTH_WAYS
    @pytest.mark.parametrize("closes", ["client", "server"])
    def test_a_connection_that_is_closed_or_reset_is_no_end_of_a_body_until_close(
        self, exact: ExactServer, run: Run, direct: bool, closes: str
    ) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(timeout=A_LONG_TIME) as client:
                url = exact.answer(UNTIL_CLOSE, EVENT, Then.WAIT, Then.RESET)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response, direct=direct)
                    assert await anext(stream) == 0
                    assert bool(direct_reading(response)) is direct
                    task = asyncio.ensure_future(anext(stream, None))
                    await asyncio.sleep(0.01)
                    if closes == "client":
                        await response.extensions["network_stream"].aclose()
                    exact.go_on()
                    with pytest.raises(APIConnectionError) as caught:
                        await task
                    assert type(caught.value.__cause__) is httpx.ReadError

        run(main())


class TestOtherThreads:
    def test_a_reader_that_another_thread_drops_is_closed_in_the_thread_of_the_event_loop(
        self, exact: ExactServer, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        threads: list[int] = []
        close = Arrivals.close

        def noted(self: Arrivals) -> None:
            threads.append(threading.get_ident())
            close(self)

        monkeypatch.setattr(Arrivals, "close", noted)

        async def main() -> None:
            asyncio.get_running_loop().set_debug(True)  # it refuses other threads
            async with httpx.AsyncClient() as client:
                async with client.stream("GET", exact.answer(CHUNKED, chunk(EVENT), Then.HANG)) as response:
                    chunks = AsyncDirectChunks.of(response)
                    assert chunks is not None
                    assert await anext(chunks) == EVENT
                    arrivals = chunks.arrived
                    last = [chunks]
                    del chunks
                    gc.collect()
                    assert not arrivals.is_released
                    thread = threading.Thread(target=last.clear)
                    thread.start()
                    thread.join()
                    assert not arrivals.is_released
                    while not arrivals.is_released:
                        await asyncio.sleep(0.001)
                    assert threads == [threading.get_ident()]

        run(main())

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_a_reader_that_is_dropped_after_the_event_loop_was_closed_says_nothing(
        self, exact: ExactServer
    ) -> None:
        kept: list[Any] = []

        async def main() -> None:
            client = httpx.AsyncClient()
            url = exact.answer(CHUNKED, chunk(EVENT), Then.HANG)
            response = await client.send(client.build_request("GET", url), stream=True)
            chunks = AsyncDirectChunks.of(response)
            assert chunks is not None
            assert await anext(chunks) == EVENT
            kept.append(chunks)

        asyncio.run(main())
        kept.clear()
        gc.collect()  # an error would be a warning, which fails the test


def test_a_reader_whose_making_failed_is_dropped_without_an_error() -> None:
    AsyncDirectChunks.__new__(AsyncDirectChunks)
    gc.collect()  # an error would be a warning, which fails the test


class TestTimeouts:
    """The limit of a wait may be the client's or the reader's."""

    def test_the_shorter_limit_gives_the_error(self, exact: ExactServer, run: Run) -> None:
        async def main(timeout: float, idle: float) -> APITimeoutError:
            async with httpx.AsyncClient(timeout=timeout) as client:
                async with client.stream("GET", exact.answer(CHUNKED, chunk(EVENT), Then.HANG)) as response:
                    stream = AsyncStream(response, idle_timeout=idle)
                    assert await anext(stream) == 0
                    assert direct_reading(response)
                    with pytest.raises(APITimeoutError) as caught:
                        await anext(stream)
                    return caught.value

        error = run(main(0.5, A_LONG_TIME))
        assert isinstance(error.__cause__, httpx.ReadTimeout)
        error = run(main(A_LONG_TIME, 0.5))
        assert not isinstance(error.__cause__, httpx.ReadTimeout)

    def test_a_body_that_is_over_has_no_late_error(self, exact: ExactServer, run: Run) -> None:
        """The wait was too long, and before its task runs, the rest of the body arrives."""

        async def main() -> None:
            async with httpx.AsyncClient() as client:
                async with client.stream("GET", exact.answer(CHUNKED, chunk(EVENT), Then.HANG)) as response:
                    chunks = AsyncDirectChunks.of(response, Deadlines(idle=A_LONG_TIME))
                    assert chunks is not None
                    assert await anext(chunks) == EVENT
                    read = asyncio.ensure_future(anext(chunks))
                    while chunks.arrived.due == float("inf"):
                        await asyncio.sleep(0)
                    chunks.arrived.wake(in_time=False)
                    chunks.arrived.receive(chunk(EVENT) + END)
                    assert await read == EVENT
                    with pytest.raises(StopAsyncIteration):
                        await anext(chunks)

        run(main())


class TestClosing:
    def test_the_next_read_waits_for_a_response_that_a_cancelled_one_closes(
        self, exact: ExactServer, run: Run
    ) -> None:
        async def main() -> None:
            async with httpx.AsyncClient() as client:
                url = exact.answer(CHUNKED, chunk(EVENT), END)
                response = await client.send(client.build_request("GET", url), stream=True)
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                body_stream: Any = response.stream
                close = body_stream.aclose
                begun, may_end = asyncio.Event(), asyncio.Event()

                async def close_slowly() -> None:
                    begun.set()
                    await may_end.wait()
                    await close()

                body_stream.aclose = close_slowly
                first = asyncio.ensure_future(anext(stream, "the end"))
                await begun.wait()
                first.cancel()
                await asyncio.wait([first])
                assert first.cancelled()
                second = asyncio.ensure_future(anext(stream, "the end"))
                for _ in range(10):
                    await asyncio.sleep(0)
                assert not second.done()
                may_end.set()
                assert await second == "the end"
                assert [each.is_idle() for each in client._transport._pool.connections] == [True]

        run(main())

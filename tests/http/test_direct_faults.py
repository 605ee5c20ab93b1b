"""Direct reading where something comes at the wrong time: bytes, ends, errors, and calls of other tasks."""

# ruff: noqa: ASYNC110, SIM117 (nothing tells of the changes that are awaited; one statement would not fit into a line)

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpcore
import httpx
import pytest
from test_direct_connections import UnixServer, run_on_uvloop

from exact_server import CHUNKED, ExactServer, Then, of_length
from raw_server import A_LONG_TIME, chunk
from ssejet import APIConnectionError, APITimeoutError, AsyncStream, Stream, direct_reading
from ssejet._http.deadlines import Deadlines
from ssejet._http.direct import ResponseBytes
from ssejet._http.direct._arrivals import Arrivals
from ssejet._http.direct._sync import DirectChunks
from ssejet._http.exclusive import ConcurrentReadError
from ssejet._http.sockets import shut_down
from tls import unverified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from pathlib import Path

    from exact_server import Step

pytestmark = pytest.mark.slow

EVENTS = [b"data: %d\n\n" % number for number in range(3)]
CHUNKS = [chunk(event) for event in EVENTS]
END = b"0\r\n\r\n"
FORGED = b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n"
BOTH_WAYS = pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])

Run = "Callable[[Coroutine[Any, Any, Any]], Any]"


def living_arrivals() -> set[Arrivals]:
    """What is left of streams that were read directly, also of other tests in this process."""
    gc.collect()
    return {each for each in gc.get_objects() if isinstance(each, Arrivals)}


@pytest.fixture(scope="module", params=["plain", "tls"])
def exact(request: pytest.FixtureRequest) -> Iterator[ExactServer]:
    with ExactServer(request.getfixturevalue("tls") if request.param == "tls" else None) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server


@pytest.fixture
def unix(tmp_path: Path) -> Iterator[UnixServer]:
    with UnixServer(tmp_path / "socket") as server:
        yield server


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on an event loop, which must not have to report an error."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        reports: list[dict[str, Any]] = []

        async def watched() -> Any:
            asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
            result = await asyncio.wait_for(main, A_LONG_TIME)
            await asyncio.sleep(0)
            return result

        result = (asyncio.run if request.param == "asyncio" else run_on_uvloop)(watched())
        assert reports == []
        return result

    return run


def unix_client(server: UnixServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(server.path)))


def rest_when_closed(stream: Stream[Any]) -> list[Any]:
    """What a thread that waits for the next item gets if another one closes the stream."""
    rest: list[Any] = []
    thread = threading.Thread(target=lambda: rest.extend([*stream, "the end"]), daemon=True)
    thread.start()
    thread.join(0.05)
    stream.close()
    thread.join(A_LONG_TIME / 4)
    return rest


class TestBytesBetweenRequests:
    """What comes when the body is over belongs to no response."""

    @BOTH_WAYS
    def test_bytes_between_requests_are_not_taken_for_the_next_response(
        self, exact: ExactServer, run: Run, direct: bool
    ) -> None:
        limits = httpx.Limits(keepalive_expiry=A_LONG_TIME)

        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified(), limits=limits) as client:
                url = exact.answer(CHUNKED, *CHUNKS, END, Then.WAIT, FORGED, Then.WAIT, Then.HANG)
                waits = exact.waits
                async with client.stream("GET", url) as response:
                    assert [item async for item in AsyncStream(response, direct=direct)] == [0, 1, 2]
                    assert bool(direct_reading(response)) is direct
                assert [each.is_idle() for each in client._transport._pool.connections] == [True]
                exact.go_on()
                exact.wait_until(lambda: exact.waits == waits + 2)
                for _ in range(5):
                    await asyncio.sleep(0.001)
                exact.go_on()
                assert (await client.get(exact.answer(of_length(0)))).status_code == 200

        run(main())

    @pytest.mark.parametrize("reads_stream", [True, False], ids=["the response's stream", "chunks"])
    @BOTH_WAYS
    def test_bytes_after_the_end_stay_in_the_socket(
        self, exact: ExactServer, run: Run, direct: bool, reads_stream: bool
    ) -> None:
        """httpcore finds them there, and does not use the connection again."""

        async def main() -> None:
            accepted, waits = exact.accepted, exact.waits
            async with httpx.AsyncClient(verify=unverified()) as client:
                begin = (CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], END)
                url = exact.answer(*begin, Then.WAIT, FORGED, Then.WAIT, Then.HANG)
                async with client.stream("GET", url) as response:
                    chunks = aiter(ResponseBytes(response, direct=direct))
                    assert await anext(chunks) == EVENTS[0]
                    assert bool(direct_reading(response)) is direct
                    exact.go_on()
                    rest = [piece async for piece in (response.stream if reads_stream else chunks)]
                    assert b"".join(rest) == EVENTS[1]
                    exact.go_on()
                    exact.wait_until(lambda: exact.waits == waits + 3)
                    for _ in range(5):
                        await asyncio.sleep(0.001)
                exact.go_on()
                assert (await client.get(exact.answer(of_length(0)))).status_code == 200
            assert exact.accepted - accepted == 2

        run(main())


class TestBytesThatHaveArrived:
    """anyio reads more than httpcore takes: what it keeps is part of the body."""

    def test_before_the_reading_begins(self, exact: ExactServer, run: Run) -> None:
        text = b"7" * 100
        events = chunk(b"data: %s\n\n" % text) * 2000

        async def main() -> None:
            options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 << 20)]
            transport = httpx.AsyncHTTPTransport(verify=unverified(), socket_options=options)
            async with httpx.AsyncClient(transport=transport) as client:
                await client.get(exact.answer(of_length(0)))
                task = asyncio.ensure_future(
                    client.send(
                        client.build_request("GET", exact.answer(Then.WAIT, CHUNKED + events + END)),
                        stream=True,
                    )
                )
                await asyncio.sleep(0.05)
                exact.go_on()
                time.sleep(0.05)  # noqa: ASYNC251 (so that the event loop reads all at once)
                response = await task
                stream = AsyncStream(response, cast_to=lambda event: len(event.data))
                assert [item async for item in stream] == [100] * 2000
                assert direct_reading(response)
                (connection,) = client._transport._pool.connections
                assert connection.is_idle()
                # The next response on this connection does not begin with what was taken from anyio.
                async with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                    assert [item async for item in AsyncStream(response, direct=False)] == [0, 1, 2]
                assert client._transport._pool.connections == [connection]

        run(main())


class TestFloods:
    def test_wait_in_the_network_while_nobody_reads(self, exact: ExactServer, run: Run) -> None:
        piece = chunk(b"data: " + b"7" * 4000 + b"\n\n")

        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                async with client.stream("GET", exact.answer(CHUNKED + piece * 400 + END)) as response:
                    stream = AsyncStream(response, cast_to=lambda event: len(event.data))
                    assert await anext(stream) == 4000
                    arrivals = stream._reader._chunks.arrived
                    while not arrivals.is_paused:
                        await asyncio.sleep(0.001)
                    for _ in range(20):
                        await asyncio.sleep(0.001)
                    assert arrivals.size < 3 * 64 * 1024
                    assert [item async for item in stream] == [4000] * 399

        run(main())


class TestErrorsInCallbacks:
    """An event loop only logs the error of a callback. The task that waits for bytes must get it."""

    @pytest.mark.parametrize("over", ["tcp", "unix"])
    def test_end_the_read_that_waits(self, plain: ExactServer, unix: UnixServer, run: Run, over: str) -> None:
        server = unix if over == "unix" else plain

        async def main() -> None:
            async with unix_client(unix) if over == "unix" else httpx.AsyncClient() as client:
                url = server.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.HANG)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response)
                    assert await anext(stream) == 0
                    arrivals = stream._reader._chunks.arrived
                    fault = MemoryError("none is left")

                    def feed(_: object) -> bytes:
                        raise fault

                    arrivals.decrypt = feed
                    asyncio.get_running_loop().call_soon(server.go_on)
                    with pytest.raises(MemoryError) as caught:
                        await anext(stream)
                    assert caught.value is fault
                assert client._transport._pool.connections == []

        run(main())

    def test_errors_of_anyios_protocol_end_the_wait_as_well(
        self, plain: ExactServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            async with httpx.AsyncClient() as client:
                url = plain.answer(CHUNKED, CHUNKS[0], Then.WAIT, Then.RESET)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response)
                    assert await anext(stream) == 0

                    def fail(*_: object) -> None:
                        raise ValueError

                    for name in ("eof_received", "connection_lost"):
                        monkeypatch.setattr(stream._reader._chunks.arrived._protocol, name, fail)
                    asyncio.get_running_loop().call_soon(plain.go_on)
                    with pytest.raises(APIConnectionError):
                        await anext(stream)

        asyncio.run(asyncio.wait_for(main(), A_LONG_TIME))


class TestWhatTheSocketSays:
    """It is the last cause of the error, which names the request, too."""

    def check(self, error: APIConnectionError, response: httpx.Response, said: type[OSError]) -> None:
        outer = error.__cause__
        assert type(outer) is httpx.ReadError
        assert outer.request is response.request
        assert type(outer.__cause__) is httpcore.ReadError
        assert type(outer.__cause__.__cause__) is said

    def test_a_reset_is_named(self, exact: ExactServer) -> None:
        if exact.base.startswith("https"):
            pytest.skip("OpenSSL takes the reset for the end of the connection")
        with httpx.Client() as client:
            with client.stream("GET", exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, Then.RESET)) as response:
                stream = Stream(response)
                assert next(stream) == 0
                exact.go_on()
                with pytest.raises(APIConnectionError) as caught:
                    next(stream)
                self.check(caught.value, response, ConnectionResetError)

    def test_a_reset_is_named_on_asyncio(self, exact: ExactServer, run: Run) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, Then.RESET)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response)
                    assert await anext(stream) == 0
                    exact.go_on()
                    with pytest.raises(APIConnectionError) as caught:
                        await anext(stream)
                    self.check(caught.value, response, ConnectionResetError)

        run(main())

    @pytest.mark.parametrize("waits", [True, False], ids=["waits", "does not wait"])
    def test_an_error_of_a_unix_socket_is_named(self, unix: UnixServer, run: Run, waits: bool) -> None:
        async def main() -> None:
            error = ConnectionAbortedError("says the kernel")
            async with failing(unix, error, Then.WAIT, CHUNKS[1], Then.HANG) as (stream, _):
                unix.go_on()
                if not waits:
                    while not stream._reader._chunks.arrived.body.is_over:
                        await asyncio.sleep(0.001)
                with pytest.raises(APIConnectionError) as caught:
                    await anext(stream)
                self.check(caught.value, stream.response, ConnectionAbortedError)

        run(main())

    def test_a_socket_that_has_nothing_yet_is_no_error(self, unix: UnixServer, run: Run) -> None:
        """An event loop may take a socket for readable that is not."""

        async def main() -> None:
            steps = (Then.WAIT, *CHUNKS[1:], END)
            async with failing(unix, BlockingIOError(), *steps) as (stream, connection):
                unix.go_on()
                assert [item async for item in stream] == [1, 2]
                assert connection.reads > 1

        run(main())

    def test_a_unix_socket_that_was_handed_back_is_not_read(self, unix: UnixServer, run: Run) -> None:
        async def main() -> None:
            async with failing(unix, OSError(), Then.HANG) as (stream, connection):
                stream._reader._chunks.arrived.close()
                for _ in range(3):
                    await asyncio.sleep(0)
                assert connection.reads == 0
                await stream.aclose()

        run(main())


class UnixStream:
    """anyio's stream on a unix socket, whose first read from now on fails."""

    def __init__(self, stream: Any, error: OSError) -> None:
        self.reads = 0
        self._stream = stream
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def _raw_socket(self) -> Any:
        return self

    def fileno(self) -> int:
        return self._stream._raw_socket.fileno()  # type: ignore[no-any-return]

    def recv_into(self, buffer: Any) -> int:
        self.reads += 1
        if self.reads == 1:
            raise self._error
        return self._stream._raw_socket.recv_into(buffer)  # type: ignore[no-any-return]


@asynccontextmanager
async def failing(
    server: UnixServer, error: OSError, *steps: Step
) -> AsyncIterator[tuple[AsyncStream[Any], UnixStream]]:
    """A stream over a unix socket that has given one item, and its connection, whose next read fails."""
    url = server.answer(CHUNKED, CHUNKS[0], *steps)
    async with unix_client(server) as client, client.stream("GET", url, timeout=None) as response:
        stream = AsyncStream(response)
        assert await anext(stream) == 0
        await asyncio.sleep(0)  # the task may have been resumed out of a read
        arrivals: Any = stream._reader._chunks.arrived
        arrivals._stream = connection = UnixStream(arrivals._stream, error)
        yield stream, connection


class TestOtherTasks:
    @pytest.mark.parametrize("over", ["tcp", "unix"])
    @pytest.mark.parametrize("what", ["response", "client"])
    @pytest.mark.parametrize("when", ["waits", "does not wait"])
    def test_close_a_response_that_is_read_as_on_the_ordinary_way(
        self, exact: ExactServer, unix: UnixServer, run: Run, over: str, what: str, when: str
    ) -> None:
        found = []

        async def main(*, direct: bool) -> None:
            client = unix_client(unix) if over == "unix" else httpx.AsyncClient(verify=unverified())
            url = (unix if over == "unix" else exact).answer(CHUNKED, CHUNKS[0], Then.HANG)
            response = await client.send(client.build_request("GET", url), stream=True)
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            assert bool(direct_reading(response)) is direct
            if when == "waits":
                task = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0.01)
                await (response if what == "response" else client).aclose()
            else:
                await (response if what == "response" else client).aclose()
                task = asyncio.ensure_future(anext(stream))
            await asyncio.wait([task])
            error = task.exception()
            found.append((type(error), type(error.__cause__), str(error)))
            await stream.aclose()
            await client.aclose()
            del stream, response, task, error
            assert living_arrivals() <= before

        before = living_arrivals()
        run(main(direct=False))
        run(main(direct=True))
        assert found[0] == found[1]

    @BOTH_WAYS
    def test_readers_of_one_body_end_all_its_reads(self, exact: ExactServer, run: Run, direct: bool) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response, direct=direct)
                    assert await anext(stream) == 0
                    first = asyncio.ensure_future(anext(stream))
                    await asyncio.sleep(0.01)
                    with pytest.raises((ConcurrentReadError, anyio.BusyResourceError)):
                        await anext(aiter(response.stream))
                    with pytest.raises(APIConnectionError):
                        await first
                    await stream.aclose()

        run(main())


class TestCancellationAtTheEnd:
    """A read that is cancelled while it closes the response loses neither the error nor the connection."""

    @pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "cut"])
    def test_leaves_the_end_to_the_next_read(self, exact: ExactServer, run: Run, is_whole: bool) -> None:
        end = (END,) if is_whole else (Then.CLOSE,)

        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                for turns in range(12):
                    url = exact.answer(CHUNKED, CHUNKS[0], *end)
                    response = await client.send(client.build_request("GET", url), stream=True)
                    stream = AsyncStream(response)
                    assert await anext(stream) == 0
                    while not stream._reader._chunks._body.is_over:
                        await asyncio.sleep(0.001)
                    task = asyncio.ensure_future(anext(stream))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                    result = task
                    if task.cancelled():
                        result = asyncio.ensure_future(anext(stream))
                        await asyncio.wait([result])
                    assert type(result.exception()) is (
                        StopAsyncIteration if is_whole else APIConnectionError
                    )
                    idle = [each.is_idle() for each in client._transport._pool.connections]
                    assert idle == ([True] if is_whole else []), turns

        run(main())


class TestAfterTheEnd:
    def test_a_reset_changes_nothing(self, plain: ExactServer, run: Run) -> None:
        async def main() -> None:
            async with httpx.AsyncClient() as client:
                url = plain.answer(
                    CHUNKED, CHUNKS[0], Then.WAIT, b"".join(CHUNKS[1:]) + END, Then.WAIT, Then.RESET
                )
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response)
                    assert await anext(stream) == 0
                    body = stream._reader._chunks._body
                    plain.go_on()
                    while not body.is_over:
                        await asyncio.sleep(0.001)
                    plain.go_on()
                    plain.wait_until(lambda: plain.connections == 0)
                    for _ in range(5):
                        await asyncio.sleep(0.001)
                    assert [item async for item in stream] == [1, 2]

        run(main())

    def test_another_read_leaves_the_next_response_of_the_connection_alone(self, exact: ExactServer) -> None:
        with httpx.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                chunks = iter(ResponseBytes(response))
                assert b"".join(chunks) == b"".join(EVENTS)
            with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                assert [*chunks] == []
                assert direct_reading(response)
                assert [*Stream(response)] == [0, 1, 2]

    def test_another_read_on_asyncio_leaves_the_next_response_of_the_connection_alone(
        self, exact: ExactServer, run: Run
    ) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                async with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                    chunks = aiter(ResponseBytes(response))
                    assert b"".join([chunk async for chunk in chunks]) == b"".join(EVENTS)
                async with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                    assert [chunk async for chunk in chunks] == []
                    assert direct_reading(response)
                    assert [item async for item in AsyncStream(response)] == [0, 1, 2]

        run(main())

    def test_an_interrupt_leaves_the_next_response_of_the_connection_alone(self, exact: ExactServer) -> None:
        with httpx.Client(verify=unverified()) as client:
            steps = (CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], END)
            with client.stream("GET", exact.answer(*steps)) as response:
                chunks = DirectChunks.of(response)
                assert chunks is not None
                assert chunks.begin()
                assert next(chunks) == EVENTS[0]
                exact.go_on()
                assert b"".join(chunks) == EVENTS[1]
            with client.stream("GET", exact.answer(*steps)) as response:
                stream = Stream(response)
                assert next(stream) == 0
                assert chunks.interrupt()
                exact.go_on()
                assert list(stream) == [1]
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]


@BOTH_WAYS
class TestRestsOfBodies:
    """Other code may read them from the response's own stream."""

    STEPS = (CHUNKED, CHUNKS[0] + CHUNKS[1][:-6], Then.WAIT, CHUNKS[1][-6:], Then.WAIT)

    def test_begin_in_the_middle_of_a_chunk(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*self.STEPS, END)) as response:
                chunks = iter(ResponseBytes(response, direct=direct))
                begin = next(chunks)
                while len(begin) < len(EVENTS[0]) + len(EVENTS[1]) - 4:
                    begin += next(chunks)
                assert bool(direct_reading(response)) is direct
                exact.go_on()
                exact.go_on()
                assert begin + b"".join(response.stream) == EVENTS[0] + EVENTS[1]
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]

    def test_begin_in_the_middle_of_a_chunk_on_asyncio(
        self, exact: ExactServer, run: Run, direct: bool
    ) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                async with client.stream("GET", exact.answer(*self.STEPS, END)) as response:
                    chunks = aiter(ResponseBytes(response, direct=direct))
                    begin = await anext(chunks)
                    while len(begin) < len(EVENTS[0]) + len(EVENTS[1]) - 4:
                        begin += await anext(chunks)
                    assert bool(direct_reading(response)) is direct
                    exact.go_on()
                    exact.go_on()
                    rest = [piece async for piece in response.stream]
                    assert begin + b"".join(rest) == EVENTS[0] + EVENTS[1]
                assert [each.is_idle() for each in client._transport._pool.connections] == [True]

        run(main())

    def test_end_in_the_errors_of_httpx(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*self.STEPS, Then.CLOSE)) as response:
                chunks = iter(ResponseBytes(response, direct=direct))
                next(chunks)
                exact.go_on()
                exact.go_on()
                with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                    list(response.stream)
                del chunks  # not earlier: that can close the response
            assert client._transport._pool.connections == []

    def test_end_in_the_errors_of_httpx_on_asyncio(self, exact: ExactServer, run: Run, direct: bool) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                async with client.stream("GET", exact.answer(*self.STEPS, Then.CLOSE)) as response:
                    chunks = aiter(ResponseBytes(response, direct=direct))
                    await anext(chunks)
                    exact.go_on()
                    exact.go_on()
                    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                        _ = [piece async for piece in response.stream]
                    del chunks  # not earlier: that can close the response
                assert client._transport._pool.connections == []

        run(main())


class TestDroppedReaders:
    @pytest.mark.parametrize("reader", [AsyncStream, lambda response: aiter(ResponseBytes(response))])
    def test_let_no_other_code_wait_for_ever(self, exact: ExactServer, run: Run, reader: Any) -> None:
        """The event loop does not read the connection any more."""

        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified(), timeout=None) as client:
                url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
                async with client.stream("GET", url) as response:
                    items = reader(response)
                    await anext(items)
                    del items
                    gc.collect()
                    with pytest.raises(httpx.ReadError):
                        _ = [piece async for piece in response.stream]

        run(main())


class TestBytesWithoutAStream:
    """Relays read the bytes of a body without a stream around them."""

    @BOTH_WAYS
    def test_close_the_response_at_its_end(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client(verify=unverified()) as client:
            request = client.build_request("GET", exact.answer(CHUNKED, *CHUNKS, END))
            response = client.send(request, stream=True)
            assert b"".join(ResponseBytes(response, direct=direct)) == b"".join(EVENTS)
            assert response.is_closed
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]

    @BOTH_WAYS
    def test_close_the_response_at_its_end_on_asyncio(
        self, exact: ExactServer, run: Run, direct: bool
    ) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                request = client.build_request("GET", exact.answer(CHUNKED, *CHUNKS, END))
                response = await client.send(request, stream=True)
                pieces = [piece async for piece in ResponseBytes(response, direct=direct)]
                assert b"".join(pieces) == b"".join(EVENTS)
                assert response.is_closed
                assert [each.is_idle() for each in client._transport._pool.connections] == [True]

        run(main())

    @BOTH_WAYS
    def test_raise_an_error_once(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client(verify=unverified()) as client:
            url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.CLOSE)
            response = client.send(client.build_request("GET", url), stream=True)
            chunks = iter(ResponseBytes(response, direct=direct))
            assert next(chunks) == EVENTS[0]
            exact.go_on()
            assert next(chunks) == EVENTS[1]
            with pytest.raises(httpx.RemoteProtocolError):
                next(chunks)
            assert list(chunks) == []
            assert client._transport._pool.connections == []

    @BOTH_WAYS
    def test_raise_an_error_once_on_asyncio(self, exact: ExactServer, run: Run, direct: bool) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.CLOSE)
                response = await client.send(client.build_request("GET", url), stream=True)
                chunks = aiter(ResponseBytes(response, direct=direct))
                assert await anext(chunks) == EVENTS[0]
                exact.go_on()
                assert await anext(chunks) == EVENTS[1]
                with pytest.raises(httpx.RemoteProtocolError):
                    await anext(chunks)
                assert [chunk async for chunk in chunks] == []
                assert client._transport._pool.connections == []

        run(main())


class TestOtherCode:
    """It may use the response after the stream was made, and before the first item is read."""

    @BOTH_WAYS
    def test_reads_the_body_before_the_stream_does(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                stream = Stream(response, direct=direct)
                response.read()
                assert list(stream) == [0, 1, 2]
                assert not direct_reading(response)
            with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                stream = Stream(response, direct=direct)
                next(response.iter_raw())
                with pytest.raises(httpx.StreamConsumed):
                    next(stream)
            assert client._transport._pool.connections == []

    @BOTH_WAYS
    def test_reads_the_body_before_the_async_stream_does(
        self, exact: ExactServer, run: Run, direct: bool
    ) -> None:
        async def main() -> None:
            async with httpx.AsyncClient(verify=unverified()) as client:
                async with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                    stream = AsyncStream(response, direct=direct)
                    await response.aread()
                    assert [item async for item in stream] == [0, 1, 2]
                    assert not direct_reading(response)
                async with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                    stream = AsyncStream(response, direct=direct)
                    await anext(response.aiter_raw())
                    with pytest.raises(httpx.StreamConsumed):
                        await anext(stream)
                assert client._transport._pool.connections == []

        run(main())

    def test_prevents_direct_reading_but_no_timeout(
        self, exact: ExactServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with httpx.Client(verify=unverified(), timeout=A_LONG_TIME / 4) as client:
            with client.stream("GET", exact.answer(CHUNKED, CHUNKS[0], Then.HANG)) as response:
                stream = Stream(response, idle_timeout=0.3)
                caplog.set_level(logging.DEBUG, "httpcore")
                with pytest.raises(APITimeoutError) as caught:
                    list(stream)
                assert caught.value.kind == "idle"
                assert not direct_reading(response)

    def test_prevents_direct_reading_but_no_interrupt(
        self, exact: ExactServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with httpx.Client(verify=unverified(), timeout=None) as client:
            with client.stream("GET", exact.answer(CHUNKED, CHUNKS[0], Then.HANG)) as response:
                stream = Stream(response)
                caplog.set_level(logging.DEBUG, "httpcore")
                assert next(stream) == 0
                assert not direct_reading(response)
                assert rest_when_closed(stream) == ["the end"]


class TestInterrupts:
    @BOTH_WAYS
    def test_wake_a_thread_that_waits(self, exact: ExactServer, direct: bool) -> None:
        with httpx.Client(verify=unverified(), timeout=None) as client:
            with client.stream("GET", exact.answer(CHUNKED, CHUNKS[0], Then.HANG)) as response:
                stream = Stream(response, direct=direct)
                assert next(stream) == 0
                assert bool(direct_reading(response)) is direct
                assert rest_when_closed(stream) == ["the end"]

    @BOTH_WAYS
    def test_let_the_thread_go_on_when_the_socket_is_shut_down(
        self, exact: ExactServer, monkeypatch: pytest.MonkeyPatch, direct: bool
    ) -> None:
        """It closes the socket, whose number another one may then get, which must not be shut down."""
        was_closed: list[bool] = []

        def shut_down_slowly(network_stream: Any) -> bool:
            result = shut_down(network_stream)
            time.sleep(0.1)
            was_closed.append(response.is_closed)
            return result

        module = "direct._sync" if direct else "sockets"
        monkeypatch.setattr(f"ssejet._http.{module}.shut_down", shut_down_slowly)
        with httpx.Client(verify=unverified(), timeout=None) as client:
            with client.stream("GET", exact.answer(CHUNKED, CHUNKS[0], Then.HANG)) as response:
                stream = Stream(response, direct=direct)
                assert next(stream) == 0
                reads: Any = stream._reader._network_reads
                thread = threading.Thread(target=list, args=[stream], daemon=True)
                thread.start()
                while not (reads._source.is_waiting if direct else reads.waiting):
                    time.sleep(0.001)
                stream.close()
                thread.join(A_LONG_TIME / 4)
                assert response.is_closed
        assert was_closed == [False]

    @pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system interrupts no thread")
    @BOTH_WAYS
    def test_by_a_signal_end_the_body(self, exact: ExactServer, direct: bool) -> None:
        """The handler's error reaches the user, and the connection is not used again."""

        class Interrupt(BaseException):
            pass

        def interrupt(*_: object) -> None:
            raise Interrupt

        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            with httpx.Client(verify=unverified(), timeout=A_LONG_TIME / 4) as client:
                url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
                with client.stream("GET", url) as response:
                    stream = Stream(response, direct=direct)
                    assert next(stream) == 0
                    main = threading.get_ident()
                    threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGUSR1)).start()
                    with pytest.raises(Interrupt):
                        next(stream)
                    assert list(stream) == []
                    assert client._transport._pool.connections == []
                with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, END)) as response:
                    assert list(Stream(response, direct=direct)) == [0, 1, 2]
        finally:
            signal.signal(signal.SIGUSR1, before)

    def test_end_a_read_that_has_not_begun_to_wait(self, exact: ExactServer) -> None:
        with httpx.Client(verify=unverified(), timeout=A_LONG_TIME / 4) as client:
            url = exact.answer(CHUNKED, Then.WAIT, CHUNKS[0], Then.HANG)
            with client.stream("GET", url) as response:
                chunks = DirectChunks.of(response, Deadlines())
                assert chunks is not None
                assert chunks.begin()
                assert chunks.interrupt()
                with pytest.raises(httpx.ReadError):
                    next(chunks)
        exact.go_on()

"""Direct reading on asyncio and uvloop: tasks, errors that end the event loop, and TLS."""

# ruff: noqa: SIM117 (one statement for both would not fit into a line)

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
import warnings
from math import inf
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from exact_server import CHUNKED, ExactServer, Then
from raw_server import A_LONG_TIME, chunk
from ssejet import APIConnectionError, APITimeoutError, AsyncStream, Stream, direct_reading
from tls import unverified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

EVENTS = [b"data: %d\n\n" % number for number in range(3)]


@pytest.fixture(scope="module")
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop() if name == "asyncio" else pytest.importorskip("uvloop").new_event_loop()


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_error_that_ends_the_program_ends_the_event_loop(
    exact: ExactServer, name: str, error: type[BaseException]
) -> None:
    opened: list[Any] = []
    was_stopped = threading.Event()

    async def main() -> None:
        client = httpx.AsyncClient()
        opened.append(client)
        url = exact.answer(CHUNKED, Then.WAIT, chunk(EVENTS[0]), Then.HANG)
        response = await client.send(client.build_request("GET", url), stream=True)
        stream = AsyncStream(response)
        opened.append(stream)
        asyncio.get_running_loop().call_later(0.02, exact.go_on)
        async for _ in stream:
            assert direct_reading(response)
            raise error(3)

    async def close() -> None:
        await opened[1].aclose()
        await opened[0].aclose()

    loop = new_loop(name)

    def stop_loop() -> None:
        was_stopped.set()
        loop.call_soon_threadsafe(loop.stop)

    stop = threading.Timer(A_LONG_TIME / 4, stop_loop)
    stop.start()
    try:
        with pytest.raises(error):
            loop.run_until_complete(main())
        loop.run_until_complete(close())
    finally:
        stop.cancel()
        loop.close()
    assert not was_stopped.is_set()


BROKEN = r"(?i)decryption failed|bad record mac|record layer failure"


@pytest.mark.slow
async def test_each_wait_has_the_whole_read_timeout(exact: ExactServer) -> None:
    steps = [step for event in EVENTS for step in (Then.WAIT, chunk(event))]
    async with httpx.AsyncClient(timeout=4) as client:
        async with client.stream("GET", exact.answer(CHUNKED, *steps, b"0\r\n\r\n")) as response:
            stream = AsyncStream(response)
            for number in range(len(EVENTS)):
                asyncio.get_running_loop().call_later(1, exact.go_on)
                assert await anext(stream) == number
            assert direct_reading(response)


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
@pytest.mark.parametrize("seconds", [0.0002, 0.01])
def test_a_timeout_may_be_shorter_than_a_millisecond(exact: ExactServer, name: str, seconds: float) -> None:
    """uvloop counts in milliseconds, and its handle of a shorter wait is none of a timer."""
    url = exact.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)

    async def main() -> None:
        async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
            stream = AsyncStream(response, idle_timeout=seconds)
            assert direct_reading(response)
            with pytest.raises(APITimeoutError):
                _ = [event async for event in stream]

    loop = new_loop(name)
    try:
        loop.run_until_complete(asyncio.wait_for(main(), A_LONG_TIME))
    finally:
        loop.close()


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_no_timer_runs_when_no_wait_is_left(exact: ExactServer, name: str) -> None:
    reports: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        url = exact.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)
        async with httpx.AsyncClient(timeout=None) as client, client.stream("GET", url) as response:
            stream = AsyncStream(response)
            assert await anext(stream) == 0
            arrivals = stream._reader._chunks.arrived
            arrivals.wait(0.01).cancel()
            assert arrivals.timer_due != inf
            while arrivals.timer_due != inf:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert arrivals._timer is None

    loop = new_loop(name)
    try:
        loop.run_until_complete(asyncio.wait_for(main(), A_LONG_TIME))
    finally:
        loop.close()
    assert reports == []


async def test_bytes_that_a_task_hands_to_the_protocol_resume_the_reader_later(exact: ExactServer) -> None:
    """A transport of other code may do that; no task can be resumed while another one runs."""
    url = exact.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        stream = AsyncStream(response)
        assert await anext(stream) == 0
        reader = asyncio.ensure_future(anext(stream))
        arrivals = stream._reader._chunks.arrived
        while arrivals.due == inf:  # noqa: ASYNC110
            await asyncio.sleep(0)
        arrivals.receive(chunk(EVENTS[1]))
        assert not reader.done()
        assert await reader == 1


async def test_a_short_wait_is_over_before_a_longer_one_that_was_cancelled(exact: ExactServer) -> None:
    url = exact.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)
    async with httpx.AsyncClient(timeout=A_LONG_TIME) as client, client.stream("GET", url) as response:
        stream = AsyncStream(response)
        assert await anext(stream) == 0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
        short = stream._reader._chunks.arrived.wait(0.01)
        await asyncio.wait_for(short, A_LONG_TIME / 4)
        assert not short.in_time
        await stream.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_wait_is_not_ended_by_the_timer_of_an_earlier_one(
    exact: ExactServer, is_replaced: bool
) -> None:
    url = exact.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)
    async with httpx.AsyncClient(timeout=A_LONG_TIME) as client, client.stream("GET", url) as response:
        stream = AsyncStream(response)
        assert await anext(stream) == 0
        arrivals = stream._reader._chunks.arrived
        arrivals.wait(0.3).cancel()
        if is_replaced:
            await arrivals.wait(0.01)  # its timer replaces the other
        last = asyncio.ensure_future(arrivals.wait())
        await asyncio.sleep(0.4)
        assert not last.done()
        arrivals.wake()
        await last
        await stream.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
@pytest.mark.parametrize("state", ["new", "silent", "cancelled", "over"])
def test_a_dropped_stream_looks_the_same_on_both_ways(exact: ExactServer, name: str, state: str) -> None:
    """It is closed, with the same warnings, and the event loop has nothing to say."""
    assert drop(exact, name, state, direct=True) == drop(exact, name, state, direct=False)


def drop(server: ExactServer, name: str, state: str, *, direct: bool) -> tuple[list[str], list[str], str]:
    messages: list[str] = []
    end = b"0\r\n\r\n" if state == "over" else b""
    url = server.answer(CHUNKED, *map(chunk, EVENTS), *([end] if end else []), Then.HANG)

    async def main() -> str:
        client = httpx.AsyncClient()
        response = await client.send(client.build_request("GET", url), stream=True)
        stream = AsyncStream(response, direct=direct)
        if state != "new":
            assert [await anext(stream) for _ in EVENTS] == [0, 1, 2]
        if state == "cancelled":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(stream), 0.01)
        if state == "over":
            assert [item async for item in stream] == []
        del stream, response
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0.01)
        pool = repr(client._transport._pool)
        await client.aclose()
        return pool

    loop = new_loop(name)
    loop.set_exception_handler(lambda _, context: messages.append(context["message"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pool = loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        gc.collect()
    server.wait_until(lambda: server.connections == 0)
    return [str(each.message) for each in caught], messages, pool


class HalfEncrypted:
    """A server whose TLS breaks: after one event in good order it sends bytes that are no TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        with connection:
            for step in (tls.do_handshake, tls.read):
                while True:
                    try:
                        step()
                        break
                    except ssl.SSLWantReadError:
                        connection.sendall(outgoing.read())
                        incoming.write(connection.recv(65536))
            tls.write(CHUNKED)
            connection.sendall(outgoing.read())
            tls.write(chunk(EVENTS[0]))
            # In one piece, so that the client reads both at once.
            connection.sendall(outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
            while connection.recv(65536):
                pass


def chain(error: BaseException | None) -> list[str]:
    found = []
    while error is not None:
        found.append(type(error).__name__)
        error = error.__cause__
    return found


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])
class TestBrokenEncryption:
    """What was encrypted in good order comes before the error."""

    async def test_what_came_before_broken_encryption_is_read_on_asyncio(
        self, tls: ssl.SSLContext, direct: bool
    ) -> None:
        with HalfEncrypted(tls) as server:
            async with (
                httpx.AsyncClient(verify=unverified()) as client,
                client.stream("GET", server.url) as response,
            ):
                stream = AsyncStream(response, direct=direct)
                assert await anext(stream) == 0
                with pytest.raises(APIConnectionError, match=BROKEN) as caught:
                    await anext(stream)
        assert chain(caught.value) == ["APIConnectionError", "SSLError"]

    def test_what_came_before_broken_encryption_is_read_synchronously(
        self, tls: ssl.SSLContext, direct: bool
    ) -> None:
        with (
            HalfEncrypted(tls) as server,
            httpx.Client(verify=unverified()) as client,
            client.stream("GET", server.url) as response,
        ):
            stream = Stream(response, direct=direct)
            assert next(stream) == 0
            with pytest.raises(APIConnectionError, match=BROKEN) as caught:
                next(stream)
        assert chain(caught.value)[:3] == ["APIConnectionError", "ReadError", "ReadError"]

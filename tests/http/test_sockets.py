"""Hooks into the connection under a response: deadlines, interrupts and resumed reads."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from ssejet import AsyncStream, Stream
from ssejet._http.deadlines import Deadlines
from ssejet._http.sockets import NetworkReads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NO_LIMIT = Deadlines()


class Connection:
    """A network stream whose reads return their timeout."""

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return timeout


class SocketConnection:
    """A network stream around a socket, as httpx has them."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(timeout)
        return self._socket.recv(max_bytes)

    def get_extra_info(self, name: str) -> Any:
        return self._socket if name == "socket" else None


class Response:
    """The parts of a response that find its connection."""

    def __init__(self, connection: Any, http_version: str = "HTTP/1.1") -> None:
        self.extensions = {"network_stream": connection}
        self.http_version = http_version
        self.is_closed = False


def watch_reads(response: Response, deadlines: Deadlines = NO_LIMIT) -> NetworkReads:
    reads = NetworkReads.of(response, deadlines)
    assert reads is not None
    return reads


class TestReads:
    def test_reads_last_as_long_as_the_nearest_limit_allows(self) -> None:
        connection = Connection()
        response = Response(connection)
        reads = watch_reads(response, Deadlines(idle=5, total=1000))
        assert connection.read(1) == 5
        assert connection.read(1, timeout=60) == 5
        assert connection.read(1, timeout=3) == 3
        reads.release()
        assert connection.read(1, timeout=60) == 60

    def test_reads_never_become_reads_that_do_not_wait(self) -> None:
        deadlines = Deadlines(total=1000)
        deadlines.replace_limits(-1)
        connection = Connection()
        watch_reads(Response(connection), deadlines)
        assert connection.read(1) > 0

    def test_reads_are_not_those_of_the_request_after_this_one(self) -> None:
        connection = Connection()
        response = Response(connection)
        reads = watch_reads(response, Deadlines(idle=5))
        response.is_closed = True
        assert connection.read(1, timeout=60) == 60
        assert connection.read(1) is None
        reads.interrupt()
        assert connection.read(1, timeout=60) == 60

    def test_reads_are_looked_after_for_all_who_ask(self) -> None:
        connection = Connection()
        early, late = Response(connection), Response(connection)
        first = watch_reads(early, Deadlines(idle=5))
        second = watch_reads(late, Deadlines(idle=3))
        early.is_closed = True
        first.interrupt()
        assert connection.read(1) == 3
        first.release()
        first.release()
        assert connection.read(1) == 3
        second.release()
        assert vars(connection) == {}

    def test_reads_are_looked_after_for_two_users_of_one_response(self) -> None:
        connection = Connection()
        response = Response(connection)
        reader, relay = watch_reads(response, Deadlines(idle=5)), watch_reads(response)
        reader.release()
        relay.interrupt()
        assert connection.read(1) == b""
        relay.release()
        assert vars(connection) == {}

    def test_reads_are_not_those_of_http_2_where_requests_share_them(self) -> None:
        connection = Connection()
        assert NetworkReads.of(Response(connection, "HTTP/2"), Deadlines(idle=5)) is None
        assert vars(connection) == {}

    def test_reads_are_not_those_of_a_response_that_never_was_on_a_network(self) -> None:
        assert NetworkReads.of(object(), NO_LIMIT) is None


class Slotted:
    __slots__ = ()

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return timeout


class Frozen:
    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return timeout

    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError("frozen")


class Forgetful(Frozen):
    def __setattr__(self, name: str, value: Any) -> None:
        pass


class Hostile:
    def __getattribute__(self, name: str) -> Any:
        if name in {"__class__", "__repr__"}:
            return object.__getattribute__(self, name)
        raise RuntimeError(name)


class Proxy:
    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "_target", target)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_target"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_target"), name, value)


@pytest.mark.parametrize(
    "connection",
    [None, 5, object(), Slotted(), Frozen(), Forgetful(), Hostile()],
    ids=lambda each: type(each).__name__,
)
def test_a_network_stream_may_be_anything(connection: Any) -> None:
    for response in (Response(connection), Response(None)):
        assert NetworkReads.of(response, NO_LIMIT) is None
    response = Response(connection)
    response.extensions = connection
    assert NetworkReads.of(response, NO_LIMIT) is None


def test_a_network_stream_may_be_a_proxy() -> None:
    connection = Connection()
    reads = watch_reads(Response(Proxy(connection)), Deadlines(idle=5))
    assert connection.read(1) == 5
    reads.release()
    assert connection.read(1, timeout=60) == 60


@pytest.mark.parametrize(
    "connection",
    [None, 5, object(), Slotted(), Frozen(), Forgetful(), Hostile()],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/2", 7])
def test_a_stream_reads_whatever_its_network_stream_is(connection: Any, version: Any) -> None:
    def response() -> httpx.Response:
        extensions = {"network_stream": connection, "http_version": version}
        return httpx.Response(200, stream=Body(), extensions=extensions)

    async def main() -> list[Any]:
        return [item async for item in AsyncStream(response())]

    assert list(Stream(response(), timeout=60)) == anyio.run(main) == [1, 2]
    with Stream(response()) as stream:
        assert next(stream) == 1


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


class TestInterruption:
    @pytest.mark.parametrize("attempt", range(20))
    def test_interruption_ends_a_wait(self, attempt: int) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = SocketConnection(ours)
            response = Response(connection)
            reads = watch_reads(response)
            got: list[bytes] = []
            thread = threading.Thread(target=lambda: got.append(connection.read(10, 60)))
            thread.start()
            thread.join(attempt / 10_000)
            reads.interrupt()
            thread.join(60)
            assert got == [b""]

    def test_interruption_comes_before_what_has_arrived(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = SocketConnection(ours)
            response = Response(connection)
            reads = watch_reads(response)
            theirs.send(b"data")
            reads.interrupt()
            assert connection.read(10, 60) == b""
            # No read was waiting, so the connection is unchanged.
            reads.release()
            assert connection.read(10, 60) == b"data"

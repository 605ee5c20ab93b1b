"""What stands between a response and its connection."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from ssejet.deadlines import Deadlines
from ssejet.network import NetworkReads

NO_LIMIT = Deadlines()


class Connection:
    """A network stream that reads how long it was to wait."""

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
    """As much of a response as its connection is looked after by."""

    def __init__(self, connection: Any, http_version: str = "HTTP/1.1") -> None:
        self.extensions = {"network_stream": connection}
        self.http_version = http_version
        self.is_closed = False


def step_in(response: Response, deadlines: Deadlines = NO_LIMIT) -> NetworkReads:
    reads = NetworkReads.of(response, deadlines)
    assert reads is not None
    return reads


class TestReads:
    def test_last_as_long_as_the_nearest_limit_allows(self) -> None:
        connection = Connection()
        response = Response(connection)
        reads = step_in(response, Deadlines(idle=5, total=1000))
        assert connection.read(1) == 5
        assert connection.read(1, timeout=60) == 5
        assert connection.read(1, timeout=3) == 3
        reads.let_go(response)
        assert connection.read(1, timeout=60) == 60

    def test_never_become_reads_that_do_not_wait(self) -> None:
        deadlines = Deadlines(total=1000)
        deadlines.restrict(-1)
        connection = Connection()
        step_in(Response(connection), deadlines)
        assert connection.read(1) > 0

    def test_are_not_those_of_the_request_after_this_one(self) -> None:
        connection = Connection()
        response = Response(connection)
        reads = step_in(response, Deadlines(idle=5))
        response.is_closed = True
        assert connection.read(1, timeout=60) == 60
        assert connection.read(1) is None
        reads.interrupt(response)
        assert connection.read(1, timeout=60) == 60

    def test_are_let_go_by_the_response_that_has_them(self) -> None:
        connection = Connection()
        early, late = Response(connection), Response(connection)
        reads = step_in(early, Deadlines(idle=5))
        assert step_in(late, Deadlines(idle=3)) is reads
        reads.let_go(early)
        reads.interrupt(early)
        assert connection.read(1) == 3
        reads.let_go(late)
        assert vars(connection) == {}

    def test_are_not_those_of_http_2_where_requests_share_them(self) -> None:
        connection = Connection()
        assert NetworkReads.of(Response(connection, "HTTP/2"), Deadlines(idle=5)) is None
        assert vars(connection) == {}

    def test_are_not_those_of_a_response_that_never_was_on_a_network(self) -> None:
        assert NetworkReads.of(object(), NO_LIMIT) is None


class TestInterruption:
    @pytest.mark.parametrize("attempt", range(20))
    def test_ends_a_wait(self, attempt: int) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = SocketConnection(ours)
            response = Response(connection)
            reads = step_in(response)
            got: list[bytes] = []
            thread = threading.Thread(target=lambda: got.append(connection.read(10, 60)))
            thread.start()
            thread.join(attempt / 10_000)
            reads.interrupt(response)
            thread.join(60)
            assert got == [b""]

    def test_comes_before_what_has_arrived(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = SocketConnection(ours)
            response = Response(connection)
            reads = step_in(response)
            theirs.send(b"data")
            reads.interrupt(response)
            assert connection.read(10, 60) == b""
            # Nobody waited, so the connection was left as it was.
            reads.let_go(response)
            assert connection.read(10, 60) == b"data"

"""Which of a response's iterators is read, and for how long."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import httpx2
import pytest

from ssejet import Stream
from ssejet.transport import Deadlines, bound_reads, iter_chunks

BODY = b'data: "a"\n\n'


def response(http: Any, **options: Any) -> Any:
    def answer(_: Any) -> Any:
        return http.Response(200, **options)

    client = http.Client(transport=http.MockTransport(answer))
    return client.send(client.build_request("GET", "http://memory.invalid"), stream=True)


@pytest.mark.parametrize("http", [httpx, httpx2], ids=lambda http: http.__name__)
class TestResponses:
    def test_that_are_not_compressed_are_read_as_they_come(self, http: Any, monkeypatch: Any) -> None:
        plain = response(http, content=iter([BODY]))
        monkeypatch.setattr(http.Response, "iter_bytes", None)
        assert list(iter_chunks(plain)) == [BODY]

    def test_that_are_compressed_are_decompressed(self, http: Any) -> None:
        headers = {"content-encoding": "gzip"}
        compressed = response(http, content=iter([gzip.compress(BODY)]), headers=headers)
        assert b"".join(iter_chunks(compressed)) == BODY

    def test_that_have_been_read_are_read_again(self, http: Any) -> None:
        known = response(http, content=BODY)
        known.read()
        assert list(Stream(known)) == ["a"]


class Connection:
    """A network stream that says how long it was to wait."""

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return timeout


class Response:
    """As much of a response as its connection is bound by."""

    def __init__(self, connection: Connection, http_version: str = "HTTP/1.1") -> None:
        self.extensions = {"network_stream": connection}
        self.http_version = http_version
        self.is_closed = False


class TestBoundReads:
    def test_last_as_long_as_the_nearest_limit_allows(self) -> None:
        connection = Connection()
        undo = bound_reads(Response(connection), Deadlines(idle=5, total=1000))
        assert undo is not None
        assert connection.read(1) == 5
        assert connection.read(1, timeout=60) == 5
        assert connection.read(1, timeout=3) == 3
        undo()
        assert connection.read(1, timeout=60) == 60

    def test_never_become_reads_that_do_not_wait(self) -> None:
        deadlines = Deadlines(idle=None, total=1000)
        deadlines.restrict(-1)
        connection = Connection()
        bound_reads(Response(connection), deadlines)
        assert connection.read(1) > 0

    def test_are_not_those_of_the_request_after_this_one(self) -> None:
        connection = Connection()
        response = Response(connection)
        bound_reads(response, Deadlines(idle=5, total=None))
        response.is_closed = True
        assert connection.read(1, timeout=60) == 60
        assert connection.read(1) is None

    def test_are_undone_by_nobody_else(self) -> None:
        connection = Connection()
        early = bound_reads(Response(connection), Deadlines(idle=5, total=None))
        late = bound_reads(Response(connection), Deadlines(idle=3, total=None))
        assert early is not None
        assert late is not None
        early()
        assert connection.read(1) == 3
        late()
        assert vars(connection) == {}

    def test_are_not_those_of_http_2_where_requests_share_them(self) -> None:
        connection = Connection()
        assert bound_reads(Response(connection, "HTTP/2"), Deadlines(idle=5, total=None)) is None
        assert vars(connection) == {}

"""Direct reading leaves everything as httpcore would: the items, the errors, the response and the pool."""

# ruff: noqa: ASYNC110, SIM117 (nothing tells of an expiry; one statement for both would not fit into a line)

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import h11
import httpx
import httpx2
import pytest

from exact_server import CHUNKED, UNTIL_CLOSE, ExactServer, Step, Then, of_length
from raw_server import A_LONG_TIME, chunk
from ssejet import AsyncStream, Stream, direct_reading
from tls import unverified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EVENTS = [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]
CHUNKS = [chunk(event) for event in EVENTS]
BODY = b"".join(EVENTS)
HTTP_10 = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\nConnection: keep-alive\r\n"

# What the server sends, and whether the connection can be used again.
ENDINGS: dict[str, tuple[tuple[Step, ...], bool]] = {
    "chunked": ((CHUNKED, *CHUNKS, b"0\r\n\r\n"), True),
    "chunked in one piece": ((CHUNKED + b"".join(CHUNKS) + b"0\r\n\r\n",), True),
    "chunked byte by byte": ((CHUNKED, *(bytes([byte]) for byte in b"".join(CHUNKS) + b"0\r\n\r\n")), True),
    "chunked with extensions and trailers": (
        (CHUNKED, b"9;a=b\r\ndata: 1\n\n\r\n", CHUNKS[2], b"0;c\r\nA: b\r\nC: d\r\n\r\n"),
        True,
    ),
    "no body": ((of_length(0),), True),
    "of a length": ((of_length(len(BODY)), *EVENTS), True),
    "until the connection ends": ((UNTIL_CLOSE, *EVENTS, Then.CLOSE), False),
    "no sentinel, until the connection ends": ((UNTIL_CLOSE, *EVENTS[:2], Then.CLOSE), False),
    "HTTP/1.0 of a length": ((HTTP_10 + b"Content-Length: %d\r\n\r\n" % len(BODY), *EVENTS), False),
    "HTTP/1.0 until the connection ends": ((HTTP_10 + b"\r\n", *EVENTS, Then.CLOSE), False),
    "Connection: close": (
        (CHUNKED[:-2] + b"Connection: close\r\n\r\n", *CHUNKS, b"0\r\n\r\n", Then.CLOSE),
        False,
    ),
    "chunked and cut": ((CHUNKED, *CHUNKS[:2], Then.CLOSE), False),
    "cut in a chunk": ((CHUNKED, CHUNKS[0], CHUNKS[1][:7], Then.CLOSE), False),
    "of a length and cut": ((of_length(1000), *EVENTS[:2], Then.CLOSE), False),
    "reset": ((CHUNKED, *CHUNKS[:2], Then.WAIT, Then.RESET), False),
    "an illegal chunk size": ((CHUNKED, *CHUNKS[:2], b"zz\r\n", Then.HANG), False),
    "a chunk without its end": ((CHUNKED, CHUNKS[0], b"3\r\n: \nXX", Then.HANG), False),
    "silence": ((CHUNKED, *CHUNKS[:2], Then.HANG), False),
    "silence after the sentinel": ((CHUNKED, *CHUNKS, Then.HANG), False),
}

if h11.__version__ < "0.16":
    # An older h11 takes any two bytes for the end of a chunk.
    del ENDINGS["a chunk without its end"]

# h11 reports these two by the bytes that it has found, and httpcore's asyncio backend keeps no text.
OTHER_TEXTS = {"an illegal chunk size", "a chunk without its end"}


@dataclass
class Seen:
    """What a user can see of a stream and its connection."""

    items: list[Any] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    is_closed: bool = False
    is_consumed: bool = False
    downloaded: int = 0
    has_elapsed: bool = False
    pool: str = ""
    later_pool: str = ""
    connections: int = 0


def errors_of(error: BaseException | None, *, with_text: bool) -> list[tuple[str, str]]:
    found = []
    while error is not None and len(found) < 2:
        found.append((type(error).__name__, str(error) if with_text else ""))
        error = error.__cause__
    return found


def limit_of(name: str) -> float:
    return 1 if "silence" in name else A_LONG_TIME


def see(http: ModuleType, server: ExactServer, name: str, *, direct: bool) -> Seen:
    seen = Seen()
    before = server.accepted
    with http.Client(timeout=limit_of(name), verify=unverified()) as client:
        with client.stream("GET", server.answer(*ENDINGS[name][0])) as response:
            stream = Stream(response, direct=direct)
            try:
                for item in stream:
                    seen.items.append(item)
                    if name == "reset" and item == 2:
                        server.go_on()
            except Exception as error:
                seen.errors = errors_of(error, with_text=name not in OTHER_TEXTS)
            assert bool(direct_reading(response)) is direct
        record(seen, response, client)
        if "until" in name:
            leave_pool_alone(seen, client, direct=direct)
        else:
            client.get(server.answer(of_length(0)))
            seen.later_pool = repr(client._transport._pool)
    seen.connections = server.accepted - before
    return seen


async def asee(http: ModuleType, server: ExactServer, name: str, *, direct: bool) -> Seen:
    seen = Seen()
    before = server.accepted
    async with http.AsyncClient(
        timeout=1 if "silence" in name else A_LONG_TIME, verify=unverified()
    ) as client:
        async with client.stream("GET", server.answer(*ENDINGS[name][0])) as response:
            stream = AsyncStream(response, direct=direct)
            try:
                async for item in stream:
                    seen.items.append(item)
                    if name == "reset" and item == 2:
                        server.go_on()
            except Exception as error:
                seen.errors = errors_of(error, with_text=name not in OTHER_TEXTS)
            assert bool(direct_reading(response)) is direct
        record(seen, response, client)
        if "until" in name:
            leave_pool_alone(seen, client, direct=direct)
        else:
            await client.get(server.answer(of_length(0)))
            seen.later_pool = repr(client._transport._pool)
    seen.connections = server.accepted - before
    return seen


def record(seen: Seen, response: Any, client: Any) -> None:
    seen.is_closed = response.is_closed
    seen.is_consumed = response.is_stream_consumed
    seen.downloaded = response.num_bytes_downloaded
    seen.has_elapsed = response.elapsed.total_seconds() > 0
    seen.pool = repr(client._transport._pool)


def leave_pool_alone(seen: Seen, client: Any, *, direct: bool) -> None:
    """Do not use a pool again that keeps a connection that has ended, as httpcore's does."""
    if direct:
        assert client._transport._pool.connections == []
    seen.pool = ""


@pytest.fixture(scope="module", params=["plain", "tls"])
def exact(request: pytest.FixtureRequest) -> Iterator[ExactServer]:
    with ExactServer(request.getfixturevalue("tls") if request.param == "tls" else None) as server:
        yield server


@pytest.fixture(params=[httpx, httpx2], ids=lambda module: module.__name__)
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.mark.slow
@pytest.mark.usefixtures("long_drain")
class TestEndings:
    @pytest.mark.parametrize("name", ENDINGS)
    def test_endings_look_the_same_on_both_ways(
        self, http: ModuleType, exact: ExactServer, name: str
    ) -> None:
        seen = see(http, exact, name, direct=True)
        assert seen == see(http, exact, name, direct=False)
        assert seen.connections == (1 if ENDINGS[name][1] or "until" in name else 2)

    @pytest.mark.parametrize("name", ENDINGS)
    async def test_endings_look_the_same_on_asyncio(
        self, http: ModuleType, exact: ExactServer, name: str
    ) -> None:
        seen = await asee(http, exact, name, direct=True)
        assert seen == await asee(http, exact, name, direct=False)
        assert seen.connections == (1 if ENDINGS[name][1] or "until" in name else 2)


BOTH_WAYS = pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])


@BOTH_WAYS
class TestKeepAlive:
    """How long a connection is kept after a body is up to the limits of the client."""

    def test_a_kept_connection_expires(self, http: ModuleType, exact: ExactServer, direct: bool) -> None:
        before = exact.accepted
        limits = http.Limits(keepalive_expiry=0.05)
        with http.Client(verify=unverified(), limits=limits) as client:
            for count in (1, 2):
                with client.stream("GET", exact.answer(*ENDINGS["chunked"][0])) as response:
                    assert list(Stream(response, direct=direct)) == [1, 2]
                    assert bool(direct_reading(response)) is direct
                assert exact.accepted - before == count
                (connection,) = client._transport._pool.connections
                assert connection.is_idle()
                while not connection.has_expired():
                    time.sleep(0.001)

    async def test_a_kept_connection_expires_on_asyncio(
        self, http: ModuleType, exact: ExactServer, direct: bool
    ) -> None:
        before = exact.accepted
        limits = http.Limits(keepalive_expiry=0.05)
        async with http.AsyncClient(verify=unverified(), limits=limits) as client:
            for count in (1, 2):
                async with client.stream("GET", exact.answer(*ENDINGS["chunked"][0])) as response:
                    assert [item async for item in AsyncStream(response, direct=direct)] == [1, 2]
                    assert bool(direct_reading(response)) is direct
                assert exact.accepted - before == count
                (connection,) = client._transport._pool.connections
                assert connection.is_idle()
                while not connection.has_expired():
                    await asyncio.sleep(0.001)

    def test_no_connection_is_kept_beyond_the_limit(
        self, http: ModuleType, exact: ExactServer, direct: bool
    ) -> None:
        limits = http.Limits(max_keepalive_connections=1)
        with http.Client(verify=unverified(), limits=limits) as client:
            with client.stream("GET", exact.answer(*ENDINGS["chunked"][0])) as first:
                with client.stream("GET", exact.answer(*ENDINGS["chunked"][0])) as second:
                    assert list(Stream(first, direct=direct)) == list(Stream(second, direct=direct)) == [1, 2]
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]


@BOTH_WAYS
class TestQueues:
    """Requests that wait for a place in the pool get it when the body before them is over."""

    def test_a_place_in_the_pool_is_given_on_at_the_end_of_a_body(
        self, http: ModuleType, exact: ExactServer, direct: bool
    ) -> None:
        before = exact.accepted
        url = exact.answer(*ENDINGS["chunked"][0])
        limits = http.Limits(max_connections=1)
        # Two requests at a time: among more threads, httpcore's pool can close a connection that a
        # request has just been given, because it looks at the state and at the socket one after the other.
        with (
            http.Client(verify=unverified(), limits=limits, timeout=A_LONG_TIME) as client,
            ThreadPoolExecutor(1) as executor,
        ):
            for _ in range(4):
                with client.stream("GET", url) as response:
                    stream = Stream(response, direct=direct)
                    assert next(stream) == 1
                    waiting = executor.submit(client.get, url)
                    while len(client._transport._pool._requests) < 2:
                        time.sleep(0.001)
                    assert list(stream) == [2]
                    assert waiting.result(A_LONG_TIME).content == BODY
        assert exact.accepted - before == 1

    @pytest.mark.parametrize("uses_uvloop", [False, True], ids=["asyncio", "uvloop"])
    def test_a_place_in_the_pool_is_given_on_at_the_end_of_an_async_body(
        self, http: ModuleType, exact: ExactServer, direct: bool, uses_uvloop: bool
    ) -> None:
        if uses_uvloop:
            pytest.importorskip("uvloop")
        before = exact.accepted
        found: list[list[Any]] = []

        async def read(client: Any) -> None:
            async with client.stream("GET", exact.answer(*ENDINGS["chunked"][0])) as response:
                found.append([item async for item in AsyncStream(response, direct=direct)])

        async def main() -> None:
            limits = http.Limits(max_connections=1)
            async with (
                http.AsyncClient(verify=unverified(), limits=limits, timeout=A_LONG_TIME) as client,
                anyio.create_task_group() as tasks,
            ):
                for _ in range(8):
                    tasks.start_soon(read, client)

        anyio.run(main, backend_options={"use_uvloop": uses_uvloop})
        assert found == [[1, 2]] * 8
        assert exact.accepted - before == 1


class TestExcessBytes:
    """Bytes after a body belong to no response. The next request must not take them for its own."""

    @pytest.mark.parametrize("body", [(CHUNKED, *CHUNKS, b"0\r\n\r\nHTTP/1.1 500 Forged\r\n\r\n")], ids=["x"])
    def test_excess_bytes_end_the_connection(
        self, http: ModuleType, exact: ExactServer, body: tuple[Step, ...]
    ) -> None:
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(b"".join(body))) as response:
                assert list(Stream(response)) == [1, 2]
            assert client._transport._pool.connections == []
            assert client.get(exact.answer(of_length(0))).status_code == 200

    async def test_excess_bytes_end_the_connection_on_asyncio(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED + b"".join(CHUNKS) + b"0\r\n\r\nHTTP/1.1 500 Forged\r\n\r\n")
        async with http.AsyncClient(verify=unverified()) as client:
            async with client.stream("GET", url) as response:
                assert [item async for item in AsyncStream(response)] == [1, 2]
            assert client._transport._pool.connections == []
            assert (await client.get(exact.answer(of_length(0)))).status_code == 200


class TestLeavingEarly:
    @pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])
    def test_leaving_early_ends_the_connection(
        self, http: ModuleType, exact: ExactServer, direct: bool
    ) -> None:
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, Then.HANG)) as response:
                stream = Stream(response, direct=direct)
                assert next(stream) == 1
            assert client._transport._pool.connections == []
            stream.close()

    @pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])
    async def test_leaving_early_ends_the_connection_on_asyncio(
        self, http: ModuleType, exact: ExactServer, direct: bool
    ) -> None:
        async with http.AsyncClient(verify=unverified()) as client:
            async with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, Then.HANG)) as response:
                stream = AsyncStream(response, direct=direct)
                assert await anext(stream) == 1
            assert client._transport._pool.connections == []
            await stream.aclose()

    @pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])
    def test_leaving_early_lets_no_second_stream_read_the_response(
        self, http: ModuleType, exact: ExactServer, direct: bool
    ) -> None:
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(CHUNKED, *CHUNKS, Then.HANG)) as response:
                first = Stream(response, direct=direct)
                assert next(first) == 1
                with pytest.raises(http.StreamConsumed):
                    next(Stream(response, direct=direct))
                with pytest.raises(http.StreamConsumed):
                    next(response.iter_bytes())
                first.close()

    def test_leaving_early_lets_the_response_s_stream_go_on(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        with http.Client(verify=unverified()) as client:
            steps = (CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], b"0\r\n\r\n")
            with client.stream("GET", exact.answer(*steps)) as response:
                stream = Stream(response)
                assert next(stream) == 1
                exact.go_on()
                assert b"".join(response.stream).endswith(EVENTS[2])
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]
            stream.close()

    async def test_leaving_early_lets_the_response_s_stream_go_on_on_asyncio(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        async with http.AsyncClient(verify=unverified()) as client:
            steps = (CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], b"0\r\n\r\n")
            async with client.stream("GET", exact.answer(*steps)) as response:
                stream = AsyncStream(response)
                assert await anext(stream) == 1
                exact.go_on()
                assert b"".join([piece async for piece in response.stream]).endswith(EVENTS[2])
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]
            await stream.aclose()


class TestCancelledReads:
    async def test_cancelled_reads_lose_nothing(self, http: ModuleType, exact: ExactServer) -> None:
        events = [chunk(b"data: %d\n\n" % number) for number in range(20)]
        steps = [step for event in events for step in (event[:4], Then.WAIT, event[4:])]
        async with http.AsyncClient(verify=unverified()) as client:
            async with client.stream("GET", exact.answer(CHUNKED, *steps, b"0\r\n\r\n")) as response:
                items = []
                stream = AsyncStream(response)
                while len(items) < len(events):
                    try:
                        items.append(await asyncio.wait_for(anext(stream), 0.002))
                    except asyncio.TimeoutError:  # noqa: PERF203 (it is another class in Python 3.10)
                        exact.go_on()
                assert [item async for item in stream] == []
                assert direct_reading(response)
                assert items == list(range(len(events)))
            assert [each.is_idle() for each in client._transport._pool.connections] == [True]

"""The pool of a client whose passes look only at what has changed: it must do what httpcore's pool does."""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import resource
import ssl
import sys
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.to_thread
import httpcore
import httpx
import httpx2
import openai
import pytest

import ssejet
from drivers import NO_TLS
from raw_server import A_LONG_TIME, RawServer, ScriptServer, chunk, head, read_request
from ssejet import index_pools
from ssejet._http.clients import make_http_client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

WHOLE = head(200, {"Transfer-Encoding": "chunked"}) + chunk(b"data: 1\n\n") + chunk(b"")
BEGINNING = head(200, {"Transfer-Encoding": "chunked", "Content-Type": "text/event-stream"}) + chunk(
    b"data: 1\n\n"
)


class PoolServer(RawServer):
    """Answers ``/whole`` at once, ``/live`` when released, and ``/broken`` with half a body; also a proxy.

    Attributes:
        accepted: how many connections have been made.
        paths: the requests' paths, and the targets of tunnels.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.accepted = 0
        self.paths: list[str] = []
        self._released = asyncio.Event()

    def release(self) -> None:
        """End all live responses."""
        self._loop.call_soon_threadsafe(self._released.set)

    def hang_up(self) -> None:
        """Close all connections."""

        def close() -> None:
            for writer in self._writers:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(close)
        self.wait_until(lambda: not self.connections)

    def _count(self, change: int) -> None:
        super()._count(change)
        self.accepted += max(change, 0)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        self.tell(lambda: self.paths.append(request.path))
        if request.method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            host, _, port = request.path.rpartition(":")
            await _tunnel((reader, writer), await asyncio.open_connection(host, int(port)))
            return False
        if request.path.endswith("/whole"):
            writer.write(WHOLE)
        else:
            writer.write(BEGINNING)
            if request.path.endswith("/broken"):
                return False
            ends = [asyncio.create_task(self._released.wait()), asyncio.create_task(reader.read(1))]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
            await asyncio.wait(ends)
            if not self._released.is_set():
                return False
            writer.write(chunk(b""))
        return True


async def _tunnel(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))


class SyncUse:
    """A synchronous client."""

    kind = "Client"

    def __init__(self, client: Any) -> None:
        self.client = client

    def open(self, url: str, **options: Any) -> Any:
        return self.client.send(self.client.build_request("GET", url, **options), stream=True)

    def read(self, response: Any) -> bytes:
        return response.read()  # type: ignore[no-any-return]

    def close(self, response: Any) -> None:
        response.close()

    def close_client(self) -> None:
        self.client.close()

    def close_transport(self) -> None:
        self.client._transport.close()


class AsyncUse:
    """An asynchronous client, used from outside of its event loop."""

    kind = "AsyncClient"

    def __init__(self, client: Any, portal: anyio.from_thread.BlockingPortal) -> None:
        self.client = client
        self._portal = portal

    def open(self, url: str, **options: Any) -> Any:
        async def send() -> Any:
            return await self.client.send(self.client.build_request("GET", url, **options), stream=True)

        return self._portal.call(send)

    def read(self, response: Any) -> bytes:
        return self._portal.call(response.aread)  # type: ignore[no-any-return]

    def close(self, response: Any) -> None:
        self._portal.call(response.aclose)

    def close_client(self) -> None:
        self._portal.call(self.client.aclose)

    def close_transport(self) -> None:
        self._portal.call(self.client._transport.aclose)


Use = SyncUse | AsyncUse


@dataclass(frozen=True)
class Maker:
    """Makes clients with indexed pools."""

    library: Any
    backend: str | None

    @contextmanager
    def __call__(self, **options: Any) -> Iterator[Use]:
        limits = self.library.Limits(**options.pop("limits", {"max_connections": None}))
        options = {"limits": limits, "timeout": A_LONG_TIME, "verify": NO_TLS, "trust_env": False, **options}
        if self.backend is None:
            use: Use = SyncUse(self.library.Client(**options))
            index_pools(use.client)
            yield use
            use.close_client()
        else:
            with anyio.from_thread.start_blocking_portal(self.backend) as portal:
                use = AsyncUse(self.library.AsyncClient(**options), portal)
                index_pools(use.client)
                yield use
                use.close_client()


MAKERS = [Maker(library, backend) for library in (httpx, httpx2) for backend in (None, "asyncio", "trio")]


@pytest.fixture(params=MAKERS, ids=lambda maker: f"{maker.library.__name__}-{maker.backend or 'sync'}")
def make(request: pytest.FixtureRequest) -> Maker:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def server() -> Iterator[PoolServer]:
    with PoolServer() as server:
        yield server


def pool_of(use: Use) -> Any:
    return use.client._transport._pool


def is_indexed(pool: Any) -> bool:
    return "_assign_requests_to_connections" in vars(pool)


def waits(use: Use, count: int) -> None:
    """Wait until so many requests wait for a connection."""
    while f"{count} queued" not in repr(pool_of(use)):
        time.sleep(0.001)


def test_a_connection_is_used_again_after_a_whole_body(make: Maker, server: PoolServer) -> None:
    with make() as use:
        assert is_indexed(pool_of(use))
        for _ in range(3):
            assert use.read(use.open(f"{server.base}whole")) == b"data: 1\n\n"
        assert server.accepted == 1
        assert "Requests: 0 active, 0 queued | Connections: 0 active, 1 idle" in repr(pool_of(use))


def test_live_streams_have_connections_of_their_own_and_leave_them_to_the_next(
    make: Maker, server: PoolServer
) -> None:
    with make() as use:
        live = [use.open(f"{server.base}live") for _ in range(10)]
        assert "Requests: 10 active, 0 queued | Connections: 10 active, 0 idle" in repr(pool_of(use))
        server.release()
        for response in live:
            use.read(response)
        again = [use.open(f"{server.base}live") for _ in range(10)]
        assert server.accepted == 10
        for response in again:
            use.read(response)
        assert "Requests: 0 active, 0 queued | Connections: 0 active, 10 idle" in repr(pool_of(use))


def test_a_stream_that_is_closed_early_closes_its_connection(make: Maker, server: PoolServer) -> None:
    with make() as use:
        kept, closed = use.open(f"{server.base}live"), use.open(f"{server.base}live")
        use.close(closed)
        server.wait_until(lambda: server.connections == 1)
        assert len(pool_of(use).connections) == 1
        server.release()
        assert use.read(kept) == b"data: 1\n\n"


def test_a_connection_that_broke_is_not_used_again(make: Maker, server: PoolServer) -> None:
    with make() as use:
        with pytest.raises(make.library.RemoteProtocolError):
            use.read(use.open(f"{server.base}broken"))
        assert all(connection.is_closed() for connection in pool_of(use).connections)
        assert use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 2


@pytest.mark.parametrize("most", [20, None])
def test_a_connection_that_closed_under_a_response_makes_room(
    make: Maker, server: PoolServer, most: int | None
) -> None:
    with make(limits={"max_connections": most}) as use:
        responses = [use.open(f"{server.base}live") for _ in range(20)]
        closed = pool_of(use).connections[-1]
        if isinstance(use, AsyncUse):
            use._portal.call(closed.aclose)
        else:
            closed.close()
        for _ in range(8):
            assert use.read(use.open(f"{server.base}whole"))
        assert closed not in pool_of(use).connections
        for response in responses:
            use.close(response)
        assert "Requests: 0 active, 0 queued | Connections: 0 active, 1 idle" in repr(pool_of(use))


def test_a_server_that_refuses_connections_leaves_nothing_in_the_pool(
    make: Maker, server: PoolServer
) -> None:
    with PoolServer() as other:
        gone = other.base
    with make(limits={"max_connections": 1}) as use:
        for _ in range(2):
            with pytest.raises(make.library.ConnectError):
                use.open(f"{gone}whole")
        assert pool_of(use).connections == []
        assert use.read(use.open(f"{server.base}whole"))


def test_requests_above_the_limit_wait_and_are_served_in_order(make: Maker, server: PoolServer) -> None:
    with make(limits={"max_connections": 1}) as use, ThreadPoolExecutor() as executor:
        first = use.open(f"{server.base}live")
        waiting = []
        for number in range(3):
            waiting.append(executor.submit(lambda n=number: use.read(use.open(f"{server.base}{n}/whole"))))
            waits(use, number + 1)
        assert server.accepted == 1
        server.release()
        use.read(first)
        assert [future.result() for future in waiting] == [b"data: 1\n\n"] * 3
        assert server.paths == ["/live", "/0/whole", "/1/whole", "/2/whole"]
        assert server.accepted == 1


def test_a_request_that_waits_too_long_for_a_connection_fails_and_is_forgotten(
    make: Maker, server: PoolServer
) -> None:
    with make(limits={"max_connections": 1}) as use:
        first = use.open(f"{server.base}live")
        with pytest.raises(make.library.PoolTimeout):
            use.open(f"{server.base}whole", timeout=make.library.Timeout(A_LONG_TIME, pool=0.01))
        assert "Requests: 1 active, 0 queued" in repr(pool_of(use))
        server.release()
        use.read(first)
        assert use.read(use.open(f"{server.base}whole"))
        assert server.paths == ["/live", "/whole"]


def test_no_more_idle_connections_are_kept_than_allowed(make: Maker, server: PoolServer) -> None:
    with make(limits={"max_connections": None, "max_keepalive_connections": 2}) as use:
        live = [use.open(f"{server.base}live") for _ in range(5)]
        server.release()
        for response in live:
            use.read(response)
        server.wait_until(lambda: server.connections == 2)
        assert len(pool_of(use).connections) == 2


def test_the_connection_that_became_idle_last_is_used_again(make: Maker, server: PoolServer) -> None:
    with make() as use:
        live = [use.open(f"{server.base}live") for _ in range(2)]
        first, second = pool_of(use).connections
        server.release()
        for response in reversed(live):
            use.read(response)
        use.read(use.open(f"{server.base}whole"))
        assert "Request Count: 2" in repr(first)
        assert "Request Count: 1" in repr(second)


def test_busy_connections_do_not_count_as_idle_ones(make: Maker, server: PoolServer) -> None:
    with make(limits={"max_connections": None, "max_keepalive_connections": 1}) as use:
        live = [use.open(f"{server.base}live") for _ in range(3)]
        for _ in range(2):
            use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 4
        server.release()
        for response in live:
            use.read(response)


def test_all_idle_connections_that_have_expired_are_closed_at_the_next_request(
    make: Maker, server: PoolServer
) -> None:
    with make(limits={"max_connections": None, "keepalive_expiry": 0.01}) as use, PoolServer() as other:
        live = [use.open(f"{server.base}live") for _ in range(10)]
        server.release()
        for response in live:
            use.read(response)
        time.sleep(0.02)
        response = use.open(f"{other.base}live")
        server.wait_until(lambda: server.connections == 0)
        assert len(pool_of(use).connections) == 1
        use.close(response)


def test_connections_that_the_server_has_closed_are_not_used_and_soon_dropped(
    make: Maker, server: PoolServer
) -> None:
    with make(limits={"max_connections": None, "keepalive_expiry": None}) as use, PoolServer() as other:
        live = [use.open(f"{server.base}live") for _ in range(6)]
        server.release()
        for response in live:
            use.read(response)
        server.hang_up()
        assert use.read(use.open(f"{server.base}whole"))
        # Requests to others find them too.
        for _ in range(3):
            use.read(use.open(f"{other.base}whole"))
        assert len(pool_of(use).connections) == 2


def test_a_full_pool_closes_an_idle_connection_to_reach_another_server(
    make: Maker, server: PoolServer
) -> None:
    with make(limits={"max_connections": 1}) as use, PoolServer() as other:
        use.read(use.open(f"{server.base}whole"))
        use.read(use.open(f"{other.base}whole"))
        server.wait_until(lambda: server.connections == 0)
        assert len(pool_of(use).connections) == 1


def test_closing_the_client_closes_idle_and_live_connections(make: Maker, server: PoolServer) -> None:
    with make() as use:
        live = [use.open(f"{server.base}live") for _ in range(3)]
        use.read(use.open(f"{server.base}whole"))
        use.close_client()
        server.wait_until(lambda: server.connections == 0)
        for response in live:
            use.close(response)
        assert "Requests: 0 active, 0 queued | Connections: 0 active, 0 idle" in repr(pool_of(use))


def test_closed_connections_are_dropped_soon_although_older_ones_are_open(
    make: Maker, server: PoolServer
) -> None:
    with make(limits={"max_connections": None, "keepalive_expiry": None}) as use, PoolServer() as other:
        old = [use.open(f"{other.base}live") for _ in range(2)]
        other.release()
        live = [use.open(f"{server.base}live") for _ in range(6)]
        for response in old:
            use.read(response)
        server.release()
        for response in live:
            use.read(response)
        server.hang_up()
        # The newest connection is used, so the oldest one stays the oldest.
        for _ in range(6):
            use.read(use.open(f"{other.base}whole"))
        assert other.accepted == 2
        assert len(pool_of(use).connections) == 2


def test_a_closed_connection_is_not_used_although_older_ones_are_open(
    make: Maker, server: PoolServer
) -> None:
    with make(limits={"max_connections": None, "keepalive_expiry": None}) as use, PoolServer() as other:
        use.read(use.open(f"{other.base}whole"))
        live = [use.open(f"{server.base}live") for _ in range(10)]
        server.release()
        for response in live:
            use.read(response)
        server.hang_up()
        assert use.read(use.open(f"{server.base}whole"))
        assert (server.accepted, other.accepted) == (11, 1)


def test_a_transport_that_was_closed_connects_again(make: Maker, server: PoolServer) -> None:
    with make() as use:
        use.read(use.open(f"{server.base}whole"))
        use.close_transport()
        server.wait_until(lambda: server.connections == 0)
        for _ in range(2):
            use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 2
        assert len(pool_of(use).connections) == 1


def test_a_connection_that_closes_just_before_its_request_is_replaced(
    make: Maker, server: PoolServer
) -> None:
    with make() as use:
        use.read(use.open(f"{server.base}whole"))
        (connection,) = pool_of(use).connections
        if make.backend is None:
            handle = connection.handle_request

            def close_and_handle(request: Any) -> Any:
                connection.close()
                return handle(request)

            connection.handle_request = close_and_handle
        else:
            ahandle = connection.handle_async_request

            async def aclose_and_handle(request: Any) -> Any:
                await connection.aclose()
                return await ahandle(request)

            connection.handle_async_request = aclose_and_handle
        assert use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 2
        assert len(pool_of(use).connections) == 1


def test_a_tunnel_without_an_end_is_closed_and_forgotten(make: Maker) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # The tunnel leads to a server that never answers the client's handshake.
    with PoolServer() as proxy, ScriptServer() as silent, make(verify=context, proxy=proxy.base) as use:
        url = silent.base.replace("http:", "https:")
        with pytest.raises(make.library.TimeoutException):
            use.open(f"{url}whole", timeout=0.2)
        proxy.wait_until(lambda: proxy.connections == 0)
        (transport,) = use.client._mounts.values()
        assert transport._pool.connections == []


def test_opening_a_stream_costs_the_same_with_few_and_with_many_open(make: Maker, server: PoolServer) -> None:
    if make.backend not in (None, "asyncio"):
        pytest.skip("the pool is the same")

    def passes(use: Use) -> int:
        """Count the calls of functions of pools and connections in opening and closing a stream."""
        calls = 0

        def count(frame: Any, event: str, _: Any) -> None:
            nonlocal calls
            file = frame.f_code.co_filename
            calls += event == "call" and ("pool" in file or file.endswith("connection.py"))

        sys.setprofile(count)
        threading.setprofile(count)
        try:
            if isinstance(use, AsyncUse):

                async def go() -> None:
                    sys.setprofile(count)
                    response = await use.client.send(
                        use.client.build_request("GET", f"{server.base}live"), stream=True
                    )
                    await response.aclose()
                    sys.setprofile(None)

                use._portal.call(go)
            else:
                use.close(use.open(f"{server.base}live"))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        return calls

    with make() as use:
        passes(use)
        live = [use.open(f"{server.base}live") for _ in range(5)]
        few = passes(use)
        live += [use.open(f"{server.base}live") for _ in range(100)]
        assert passes(use) <= few + 10
        server.release()
        for response in live:
            use.read(response)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_request_ends_and_none_is_forgotten_among_many_cancellations(
    library: Any, backend: str, server: PoolServer
) -> None:
    draw = random.Random(7)

    async def main() -> None:
        limits = library.Limits(max_connections=8, max_keepalive_connections=4)
        async with library.AsyncClient(limits=limits, timeout=A_LONG_TIME, trust_env=False) as client:
            index_pools(client)
            pool = client._transport._pool
            answered = 0

            async def ask(seconds: float) -> None:
                nonlocal answered
                with anyio.move_on_after(seconds):
                    async with client.stream("GET", f"{server.base}whole") as response:
                        await response.aread()
                        answered += 1
                assert len(pool.connections) <= 8

            async with anyio.create_task_group() as group:
                for number in range(300):
                    group.start_soon(ask, A_LONG_TIME if number % 3 else draw.random() * 0.05)
            assert answered >= 200
            assert "Requests: 0 active, 0 queued | Connections: 0 active" in repr(pool)
            assert len(pool.connections) <= 4
            # What is left works.
            assert (await client.get(f"{server.base}whole")).content == b"data: 1\n\n"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
def test_threads_share_a_pool(library: Any, server: PoolServer) -> None:
    limits = library.Limits(max_connections=4)
    with library.Client(limits=limits, timeout=A_LONG_TIME, trust_env=False) as client:
        index_pools(client)

        def ask(_: int) -> bytes:
            return client.get(f"{server.base}whole").content  # type: ignore[no-any-return]

        with ThreadPoolExecutor(16) as executor:
            assert set(executor.map(ask, range(300))) == {b"data: 1\n\n"}
        assert server.accepted <= 4
        assert "Requests: 0 active, 0 queued | Connections: 0 active" in repr(client._transport._pool)


def test_tls_connections_are_used_again(make: Maker, tls: ssl.SSLContext) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with PoolServer(tls) as server, make(verify=context) as use:
        for _ in range(2):
            assert use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 1
        # httpcore 1.0.3 does not translate the error.
        with make() as strict, pytest.raises((make.library.ConnectError, ssl.SSLError)):
            strict.open(f"{server.base}whole")


def test_connections_through_a_proxy_are_used_again(make: Maker, server: PoolServer) -> None:
    with PoolServer() as proxy, make(proxy=proxy.base) as use:
        (transport,) = use.client._mounts.values()
        assert is_indexed(transport._pool)
        for host in ("one", "one", "two"):
            assert use.read(use.open(f"http://{host}.example/whole"))
        assert proxy.paths == [f"http://{host}.example/whole" for host in ("one", "one", "two")]
        # httpcore has a connection for each server, also through a proxy.
        assert proxy.accepted == 2
        assert server.accepted == 0


def test_tunnels_through_a_proxy_are_used_again(make: Maker, tls: ssl.SSLContext) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with PoolServer() as proxy, PoolServer(tls) as server, make(verify=context, proxy=proxy.base) as use:
        for _ in range(2):
            assert use.read(use.open(f"{server.base}whole"))
        assert proxy.paths == [server.base.removeprefix("https://").rstrip("/")]
        assert (proxy.accepted, server.accepted) == (1, 1)
        assert server.paths == ["/whole", "/whole"]


def test_a_proxy_of_the_environment_is_used(
    make: Maker, server: PoolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PoolServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with make(trust_env=True) as use:
            use.read(use.open("http://one.example/whole"))
            use.read(use.open(f"{server.base}whole"))
        assert (proxy.paths, server.paths) == (["http://one.example/whole"], ["/whole"])


def test_mounted_transports_are_indexed_and_others_are_left_alone(make: Maker, server: PoolServer) -> None:
    library = make.library
    kind = "HTTPTransport" if make.backend is None else "AsyncHTTPTransport"
    mounts = {"http://127.0.0.1": getattr(library, kind)(), "http://mocked": None}
    mounts["http://mocked"] = library.MockTransport(lambda _: library.Response(200, content=b"mocked"))
    with make(mounts=mounts) as use:
        assert is_indexed(mounts["http://127.0.0.1"]._pool)
        for _ in range(2):
            assert use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 1
        assert use.read(use.open("http://mocked/")) == b"mocked"


def test_a_pool_that_may_share_connections_is_left_alone(make: Maker) -> None:
    with make(http2=True) as use:
        assert not is_indexed(pool_of(use))


def test_a_pool_that_has_been_used_is_left_alone_with_a_warning(make: Maker, server: PoolServer) -> None:
    with make(http2=True) as use:
        pool = pool_of(use)
        use.read(use.open(f"{server.base}whole"))
        pool._http2 = False
        with pytest.warns(RuntimeWarning, match="it has been used"):
            index_pools(use.client)
        assert not is_indexed(pool)
        assert use.read(use.open(f"{server.base}whole"))


def test_indexing_a_pool_twice_changes_nothing(make: Maker, server: PoolServer) -> None:
    with make() as use:
        use.read(use.open(f"{server.base}whole"))
        requests = pool_of(use)._requests
        assert index_pools(use.client) is use.client
        assert pool_of(use)._requests is requests
        use.read(use.open(f"{server.base}whole"))
        assert server.accepted == 1


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("missing", ["_max_connections", "_connections", "_requests", "_http2"])
def test_a_pool_of_an_unknown_version_is_left_alone_with_a_warning(library: Any, missing: str) -> None:
    with library.Client(verify=NO_TLS, trust_env=False) as client:
        pool = client._transport._pool
        value = pool.__dict__.pop(missing)
        with pytest.warns(RuntimeWarning, match="ssejet does not know httpcore"):
            index_pools(client)
        assert not is_indexed(pool)
        setattr(pool, missing, value)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
def test_a_pool_of_another_class_is_left_alone_with_a_warning(library: Any) -> None:
    with library.Client(verify=NO_TLS, trust_env=False) as client:
        pool = client._transport._pool
        pool.__class__ = type("Pool", (type(pool),), {"__module__": "elsewhere"})
        with pytest.warns(RuntimeWarning, match=r"ssejet does not know elsewhere\.Pool"):
            index_pools(client)
        assert not is_indexed(pool)


@pytest.mark.parametrize("wrong", [object(), "http://127.0.0.1"])
def test_what_is_no_client_has_no_pools(wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes a client of httpx or httpx2, got"):
        index_pools(wrong)


def test_an_accelerated_sdk_shares_the_pool(server: PoolServer) -> None:
    http = index_pools(httpx.Client(trust_env=False))
    with ssejet.accelerate(
        openai.OpenAI(api_key="key", base_url=f"{server.base}live", http_client=http)
    ) as client:
        assert is_indexed(client._client._transport._pool)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
def test_a_client_is_freed_without_the_garbage_collector(library: Any, server: PoolServer) -> None:
    client = library.Client(verify=NO_TLS)
    index_pools(client)
    client.get(f"{server.base}whole")
    client.close()
    pool = weakref.ref(client._transport._pool)
    gc.collect()  # responses hold it in cycles of their own
    gc.disable()
    try:
        del client
        assert pool() is None
    finally:
        gc.enable()


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
def test_a_client_that_is_collected_with_live_responses_raises_nothing(
    library: Any, server: PoolServer
) -> None:
    client = index_pools(library.Client(verify=NO_TLS, trust_env=False))
    responses = []
    for _ in range(3):
        response = client.send(client.build_request("GET", f"{server.base}live"), stream=True)
        reader = response.iter_bytes()
        assert next(reader) == b"data: 1\n\n"
        responses += [response, reader]
    cycle: list[Any] = [client, *responses]
    cycle.append(cycle)
    del client, responses, response, reader, cycle
    gc.collect()
    server.wait_until(lambda: server.connections == 0)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_the_clients_that_ssejet_makes_have_indexed_pools(
    kind: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda module: find_spec(module) if module == name else None
    )
    client = make_http_client(kind, max_connections=None)
    assert type(client).__module__.partition(".")[0] == name
    assert is_indexed(client._transport._pool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del client


@pytest.mark.parametrize("backend", [None, "asyncio", "trio"], ids=str)
def test_a_process_without_free_files_says_so_and_how_to_have_more(
    backend: str | None, server: PoolServer
) -> None:
    url = server.base
    ask: dict[str, Any] = {"model": "m", "messages": [], "stream": True}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def check(error: pytest.ExceptionInfo[ssejet.APIConnectionError]) -> None:
        assert "too many open files; raise its limit: ulimit -n" in str(error.value)

    def refuse() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))

    async def main() -> None:
        async with (
            ssejet.AsyncClient(api_key="", base_url="http://127.0.0.1:1", max_retries=0) as nobody,
            ssejet.AsyncClient(api_key="", base_url=url, max_retries=0) as client,
        ):
            # What is imported at the first error cannot be imported without files.
            with pytest.raises(ssejet.APIConnectionError, match="cannot connect"):
                await nobody.chat.completions.create(**ask)
            refuse()
            with pytest.raises(ssejet.APIConnectionError) as error:
                await client.chat.completions.create(**ask)
            check(error)

    try:
        if backend is not None:
            anyio.run(main, backend=backend)
            return
        with (
            ssejet.Client(api_key="", base_url="http://127.0.0.1:1", max_retries=0) as nobody,
            ssejet.Client(api_key="", base_url=url, max_retries=0) as client,
        ):
            with pytest.raises(ssejet.APIConnectionError, match="cannot connect"):
                nobody.chat.completions.create(**ask)
            refuse()
            with pytest.raises(ssejet.APIConnectionError) as error:
                client.chat.completions.create(**ask)
            check(error)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_our_clients_have_indexed_pools() -> None:
    with ssejet.Client(api_key="", base_url="http://127.0.0.1:9/v1") as client:
        assert is_indexed(client._http._transport._pool)


# What happens until a response has its head: at each, other code may cancel the request.
MOMENTS = [
    f"{step}.{moment}"
    for step in (
        "connection.connect_tcp",
        "http11.send_request_headers",
        "http11.send_request_body",
        "http11.receive_response_headers",
    )
    for moment in ("started", "complete")
]


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_request_that_is_cancelled_at_any_moment_leaves_no_connection_open_without_use(
    library: Any, backend: str, moment: str, server: PoolServer
) -> None:
    async def main() -> None:
        limits = library.Limits(max_connections=1)
        async with library.AsyncClient(limits=limits, timeout=A_LONG_TIME, trust_env=False) as client:
            index_pools(client)
            pool = client._transport._pool
            reached = False
            with anyio.CancelScope() as scope:

                async def trace(event: str, _: Any) -> None:
                    nonlocal reached
                    if event == moment:
                        reached = True
                        scope.cancel()

                await client.get(f"{server.base}whole", extensions={"trace": trace})
            assert reached
            assert "Requests: 0 active, 0 queued | Connections: 0 active" in repr(pool)
            left = len(pool.connections)
            await anyio.to_thread.run_sync(server.wait_until, lambda: server.connections == left)
            # The only place of the pool is free.
            assert (await client.get(f"{server.base}whole")).content == b"data: 1\n\n"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_connection_that_is_made_while_the_transport_closes_is_closed_after_its_request(
    library: Any, backend: str, server: PoolServer
) -> None:
    async def main() -> None:
        client = index_pools(library.AsyncClient(timeout=A_LONG_TIME, trust_env=False))

        async def trace(event: str, _: Any) -> None:
            if event == "connection.connect_tcp.complete":
                await client._transport.aclose()

        response = await client.get(f"{server.base}whole", extensions={"trace": trace})
        assert response.content == b"data: 1\n\n"
        await anyio.to_thread.run_sync(lambda: server.wait_until(lambda: server.connections == 0))

    anyio.run(main, backend=backend)


def test_a_request_that_lost_its_connection_comes_before_those_that_wait(server: PoolServer) -> None:
    with Maker(httpx, None)(limits={"max_connections": 1}) as use, ThreadPoolExecutor() as executor:
        use.read(use.open(f"{server.base}0/whole"))
        (connection,) = pool_of(use).connections
        later = []

        def close_and_refuse(_: Any) -> Any:
            for number in (2, 3):
                later.append(executor.submit(lambda n=number: use.read(use.open(f"{server.base}{n}/whole"))))
                waits(use, number - 1)
            connection.close()
            raise httpcore.ConnectionNotAvailable

        connection.handle_request = close_and_refuse
        use.read(use.open(f"{server.base}1/whole"))
        for future in later:
            future.result()
        assert server.paths == [f"/{number}/whole" for number in range(4)]


def test_a_full_pool_forgets_the_requests_that_have_given_up(make: Maker, server: PoolServer) -> None:
    with make(limits={"max_connections": 1}) as use:
        first = use.open(f"{server.base}live")
        for _ in range(3):
            with pytest.raises(make.library.PoolTimeout):
                use.open(f"{server.base}whole", timeout=make.library.Timeout(A_LONG_TIME, pool=0.01))
        assert not pool_of(use)._requests._index().waiting
        use.close(first)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("on", ["class", "pool"])
def test_a_pool_with_another_pass_is_left_alone_with_a_warning(
    library: Any, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with library.Client(verify=NO_TLS, trust_env=False) as client:
        pool = client._transport._pool
        own = pool._assign_requests_to_connections
        target, change = (pool, lambda: own()) if on == "pool" else (type(pool), lambda _: own())
        functools.update_wrapper(change, own)
        monkeypatch.setattr(target, "_assign_requests_to_connections", change)
        with pytest.warns(RuntimeWarning, match="ssejet does not know httpcore"):
            index_pools(client)
        assert type(pool._requests) is list


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("used", ["_requests", "_connections", "_assign_requests_to_connections"])
def test_a_pool_with_an_unknown_method_that_uses_its_state_is_left_alone_with_a_warning(
    library: Any, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with library.Client(verify=NO_TLS, trust_env=False) as client:
        pool = client._transport._pool
        source = f"def look(self):\n    return [one for one in [self] if one.{used}]"
        names: dict[str, Any] = {}
        exec(source, names)
        monkeypatch.setattr(type(pool), "look", names["look"], raising=False)
        with pytest.warns(RuntimeWarning, match="ssejet does not know httpcore"):
            index_pools(client)
        assert not is_indexed(pool)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("change", ["pass", "request"])
def test_a_pool_of_a_version_that_works_otherwise_is_left_alone_with_a_warning(
    library: Any, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with library.Client(verify=NO_TLS, trust_env=False) as client:
        pool = client._transport._pool
        module = type(pool)._assign_requests_to_connections.__globals__
        if change == "pass":
            names: dict[str, Any] = {}
            exec("def make():\n    def f(self):\n        return []\n    return f", module, names)
            monkeypatch.setattr(type(pool), "_assign_requests_to_connections", names["make"]())
        else:
            monkeypatch.delattr(module["PoolRequest"], "clear_connection")
        with pytest.warns(RuntimeWarning, match="ssejet does not know httpcore"):
            index_pools(client)
        assert not is_indexed(pool)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
def test_a_pool_whose_requests_are_measured_by_other_code_is_indexed(
    library: Any, server: PoolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with library.Client(verify=NO_TLS, trust_env=False) as client:
        kind = type(client._transport._pool)
        handle, seen = kind.handle_request, []

        def measured(self: Any, request: Any) -> Any:
            seen.append(request)
            return handle(self, request)

        monkeypatch.setattr(kind, "handle_request", measured)
        index_pools(client)
        assert is_indexed(client._transport._pool)
        assert client.get(f"{server.base}whole").content
        assert len(seen) == 1


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
def test_a_transport_of_a_subclass_is_indexed(library: Any, server: PoolServer) -> None:
    class Transport(library.HTTPTransport):  # type: ignore[misc]
        pass

    with library.Client(transport=Transport(), trust_env=False) as client:
        index_pools(client)
        assert is_indexed(client._transport._pool)
        assert client.get(f"{server.base}whole").content

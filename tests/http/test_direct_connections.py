"""Direct reading on all kinds of connections, and the reasons why others are read the ordinary way."""

# ruff: noqa: F811, SIM117 (fixtures; one statement for both would not fit into a line)

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import subprocess
import sys
import textwrap
import warnings
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from proxies import Proxy

from exact_server import CHUNKED, UNTIL_CLOSE, ExactServer, Step, Then, of_length
from h2_server import h2_server  # noqa: F401  # a fixture
from raw_server import chunk
from ssejet import APITimeoutError, AsyncStream, Stream, direct_reading
from ssejet._http.direct import ResponseBytes
from tls import unverified

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path
    from types import ModuleType

    from h2_server import H2Server

EVENTS = [b"data: %d\n\n" % number for number in range(5)]
STEPS = (CHUNKED, *map(chunk, EVENTS), chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
ITEMS = list(range(5))


@pytest.fixture(params=[httpx, httpx2], ids=lambda module: module.__name__)
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture(scope="module", params=["plain", "tls"])
def exact(request: pytest.FixtureRequest) -> Iterator[ExactServer]:
    context = request.getfixturevalue("tls") if request.param == "tls" else None
    with ExactServer(context) as server:
        yield server


@pytest.fixture(scope="module", params=["http", "https", "socks5"])
def proxy(request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    context = request.getfixturevalue("tls") if request.param == "https" else None
    with Proxy(context) as server:
        yield server, server.base.replace(server.base.split(":")[0], request.param)


def read(client: Any, url: str, *, repeat: int = 2) -> list[list[Any]]:
    found = []
    for _ in range(repeat):
        with client.stream("GET", url) as response:
            assert str(direct_reading(response)) == "read directly from the socket"
            found.append(list(Stream(response)))
            assert direct_reading(response)
    (connection,) = client._transport._pool.connections
    assert connection.is_idle()
    return found


async def aread(client: Any, url: str, *, repeat: int = 2) -> list[list[Any]]:
    found = []
    for _ in range(repeat):
        async with client.stream("GET", url) as response:
            assert str(direct_reading(response)) == "read directly from the socket"
            found.append([item async for item in AsyncStream(response)])
            assert direct_reading(response)
    (connection,) = client._transport._pool.connections
    assert connection.is_idle()
    return found


def run_on_uvloop(main: Coroutine[Any, Any, Any]) -> Any:
    with closing(main):  # also if the test is skipped: a coroutine that nobody awaits warns in a later test
        loop = pytest.importorskip("uvloop").new_event_loop()
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


class TestConnections:
    def test_connections_over_tcp_are_read_directly(self, http: ModuleType, exact: ExactServer) -> None:
        with http.Client(verify=unverified()) as client:
            assert read(client, exact.answer(*STEPS)) == [ITEMS] * 2

    async def test_connections_over_tcp_are_read_directly_on_asyncio(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        async with http.AsyncClient(verify=unverified()) as client:
            assert await aread(client, exact.answer(*STEPS)) == [ITEMS] * 2

    def test_connections_over_tcp_are_read_directly_on_uvloop(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        async def main() -> Any:
            async with http.AsyncClient(verify=unverified()) as client:
                return await aread(client, exact.answer(*STEPS))

        assert run_on_uvloop(main()) == [ITEMS] * 2

    def test_connections_through_a_proxy_are_read_directly(
        self, http: ModuleType, exact: ExactServer, proxy: tuple[Any, str]
    ) -> None:
        own = http.Proxy(proxy[1], ssl_context=unverified()) if proxy[1].startswith("https") else proxy[1]
        with http.Client(verify=unverified(), proxy=own) as client:
            assert read_through(client, exact.answer(*STEPS)) == [ITEMS] * 2

    async def test_connections_through_a_proxy_are_read_directly_on_asyncio(
        self, http: ModuleType, exact: ExactServer, proxy: tuple[Any, str]
    ) -> None:
        own = http.Proxy(proxy[1], ssl_context=unverified()) if proxy[1].startswith("https") else proxy[1]
        async with http.AsyncClient(verify=unverified(), proxy=own) as client:
            with skip_if_the_proxy_is_verified(http):
                assert await aread_through(client, exact.answer(*STEPS)) == [ITEMS] * 2

    def test_connections_through_a_proxy_are_read_directly_on_uvloop(
        self, http: ModuleType, exact: ExactServer, proxy: tuple[Any, str]
    ) -> None:
        own = http.Proxy(proxy[1], ssl_context=unverified()) if proxy[1].startswith("https") else proxy[1]

        async def main() -> Any:
            async with http.AsyncClient(verify=unverified(), proxy=own) as client:
                with skip_if_the_proxy_is_verified(http):
                    return await aread_through(client, exact.answer(*STEPS))

        assert run_on_uvloop(main()) == [ITEMS] * 2


@contextmanager
def skip_if_the_proxy_is_verified(http: ModuleType) -> Iterator[None]:
    """Skip the test for versions of httpx that forget a proxy's own TLS settings, as 0.27.0 on asyncio."""
    try:
        yield
    except (http.ConnectError, ssl.SSLError) as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error) or http.__version__ != "0.27.0":
            raise
        pytest.skip("this version of httpx verifies the proxy")


def read_through(client: Any, url: str) -> list[list[Any]]:
    found = []
    for _ in range(2):
        with client.stream("GET", url) as response:
            assert str(direct_reading(response)) == "read directly from the socket"
            found.append(list(Stream(response)))
    return found


async def aread_through(client: Any, url: str) -> list[list[Any]]:
    found = []
    for _ in range(2):
        async with client.stream("GET", url) as response:
            assert str(direct_reading(response)) == "read directly from the socket"
            found.append([item async for item in AsyncStream(response)])
    return found


class UnixServer(ExactServer):
    """Serves on a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def start(self) -> None:
        self._thread.start()
        self._server = self._run(asyncio.start_unix_server(self._serve, self.path))
        self.base = "http://localhost/"


@pytest.fixture
def unix(tmp_path: Path) -> Iterator[UnixServer]:
    with UnixServer(tmp_path / "socket") as server:
        yield server


class TestUnixSockets:
    def test_unix_sockets_are_read_directly(self, http: ModuleType, unix: UnixServer) -> None:
        with http.Client(transport=http.HTTPTransport(uds=str(unix.path))) as client:
            assert read(client, unix.answer(*STEPS)) == [ITEMS] * 2

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_unix_sockets_are_read_directly_on_asyncio(
        self, http: ModuleType, unix: UnixServer, loop: str
    ) -> None:
        async def main() -> Any:
            transport = http.AsyncHTTPTransport(uds=str(unix.path))
            async with http.AsyncClient(transport=transport) as client:
                return await aread(client, unix.answer(*STEPS))

        assert (asyncio.run if loop == "asyncio" else run_on_uvloop)(main()) == [ITEMS] * 2

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_unix_sockets_go_on_after_a_read_that_fills_the_buffer(
        self, http: ModuleType, unix: UnixServer, loop: str
    ) -> None:
        """Such a read pauses the reading, and the task that takes it resumes the reading."""
        block = b"data: 1\n\n".ljust(64 * 1024 - 1, b":") + b"\n"
        watches: list[asyncio.Future[None]] = []
        overlaps: list[int] = []

        async def main() -> list[int]:
            transport = http.AsyncHTTPTransport(uds=str(unix.path))
            async with http.AsyncClient(transport=transport) as client:
                url = unix.answer(UNTIL_CLOSE, b"data: 0\n\n", Then.WAIT, block * 50, Then.CLOSE)
                async with client.stream("GET", url) as response:
                    stream = AsyncStream(response)
                    items = [await anext(stream)]
                    socket_stream = stream._reader._chunks.arrived._stream
                    watch = socket_stream._wait_until_readable

                    def watch_once(loop: Any) -> Any:
                        overlaps.append(sum(not each.done() for each in watches))
                        watches.append(watch(loop))
                        return watches[-1]

                    socket_stream._wait_until_readable = watch_once
                    asyncio.get_running_loop().call_later(0.1, unix.go_on)
                    return items + [item async for item in stream]

        assert (asyncio.run if loop == "asyncio" else run_on_uvloop)(main()) == [0] + [1] * 50
        assert len(overlaps) >= 50
        assert not any(overlaps)

    async def test_unix_sockets_lose_nothing_when_a_read_is_cancelled(
        self, http: ModuleType, unix: UnixServer
    ) -> None:
        steps: list[Step] = [CHUNKED]
        for event in EVENTS:
            steps += [chunk(event)[:4], Then.WAIT, chunk(event)[4:]]
        transport = http.AsyncHTTPTransport(uds=str(unix.path))
        async with http.AsyncClient(transport=transport) as client:
            async with client.stream("GET", unix.answer(*steps, b"0\r\n\r\n")) as response:
                items = []
                stream = AsyncStream(response)
                while len(items) < len(EVENTS):
                    try:
                        items.append(await asyncio.wait_for(anext(stream), 0.002))
                    except asyncio.TimeoutError:  # noqa: PERF203 (it is another class in Python 3.10)
                        unix.go_on()
                assert items == ITEMS
                await stream.aclose()

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_unix_sockets_are_not_kept_open_by_a_cancelled_read(
        self, http: ModuleType, unix: UnixServer, loop: str
    ) -> None:
        async def use() -> None:
            client = http.AsyncClient(transport=http.AsyncHTTPTransport(uds=str(unix.path)))
            url = unix.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)
            response = await client.send(client.build_request("GET", url), stream=True)
            chunks = aiter(ResponseBytes(response))
            assert await anext(chunks) == EVENTS[0]
            with anyio.move_on_after(0.01):
                await anext(chunks)

        async def main() -> None:
            await use()  # and drop all
            while unix.connections:
                gc.collect()
                await asyncio.sleep(0.001)

        (asyncio.run if loop == "asyncio" else run_on_uvloop)(main())

    async def test_unix_sockets_end_a_task_that_reads_when_they_are_closed(
        self, http: ModuleType, unix: UnixServer
    ) -> None:
        transport = http.AsyncHTTPTransport(uds=str(unix.path))
        async with http.AsyncClient(transport=transport) as client:
            async with client.stream("GET", unix.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)) as response:
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                task = asyncio.ensure_future(anext(stream, None))
                await asyncio.sleep(0.01)
                await stream.aclose()
                assert await task is None


class TestFloods:
    """The event loop reads no more than a bounded number of bytes ahead of the consumer."""

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_floods_are_read_piece_by_piece(self, http: ModuleType, exact: ExactServer, loop: str) -> None:
        piece = chunk(b"data: " + b"7" * 4000 + b"\n\n")

        async def main() -> None:
            async with (
                http.AsyncClient(verify=unverified()) as client,
                client.stream("GET", exact.answer(CHUNKED, *[piece] * 2000, b"0\r\n\r\n")) as response,
            ):
                stream = AsyncStream(response, cast_to=lambda event: len(event.data))
                assert await anext(stream) == 4000
                most = 0
                count = 1
                async for item in stream:
                    count += 1
                    most = max(most, stream._reader._chunks.arrived.size)
                    assert item == 4000
                    if count % 100 == 0:
                        await asyncio.sleep(0.001)
                assert count == 2000
                assert most <= 64 * 1024 + 256 * 1024

        (asyncio.run if loop == "asyncio" else run_on_uvloop)(main())


@pytest.mark.slow
class TestReadTimeouts:
    async def test_read_timeouts_are_counted_from_the_last_bytes(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        async with http.AsyncClient(verify=unverified(), timeout=2) as client:
            url = exact.answer(CHUNKED, chunk(EVENTS[0])[:3], Then.WAIT, chunk(EVENTS[0])[3:], Then.HANG)
            async with client.stream("GET", url) as response:
                stream = AsyncStream(response)
                asyncio.get_running_loop().call_later(1, exact.go_on)
                assert await anext(stream) == 0
                with pytest.raises(APITimeoutError, match="no bytes arrived") as caught:
                    await anext(stream)
                assert isinstance(caught.value.__cause__, http.ReadTimeout)
                assert caught.value.__cause__.request is response.request


class TestReasons:
    def reason(self, response: Any) -> str:
        report = direct_reading(response)
        assert not report
        assert str(report) == f"read the ordinary way: {report.reason}"
        return report.reason

    def test_the_environment_can_turn_direct_reading_off(
        self, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSEJET_DIRECT", "0")
        with httpx.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                assert "SSEJET_DIRECT" in self.reason(response)
                assert list(Stream(response)) == ITEMS

    def test_a_compressed_body_is_read_the_ordinary_way(self, http: ModuleType, exact: ExactServer) -> None:
        head = CHUNKED[:-2] + b"Content-Encoding: identity\r\n\r\n"
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(head, *STEPS[1:])) as response:
                assert self.reason(response) == "the body is compressed (content-encoding: identity)"
                assert list(Stream(response)) == ITEMS

    def test_a_request_with_a_trace_hook_is_read_the_ordinary_way(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        names = []
        extensions = {"trace": lambda name, _: names.append(name)}
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*STEPS), extensions=extensions) as response:
                assert self.reason(response) == "the request has a trace hook"
                assert list(Stream(response)) == ITEMS
        assert "http11.receive_response_body.complete" in names

    def test_a_response_is_read_the_ordinary_way_if_httpcore_logs(
        self, http: ModuleType, exact: ExactServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        core = {"httpx": "httpcore", "httpx2": "httpcore2"}[http.__name__]
        with caplog.at_level(logging.DEBUG, core), http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                assert "DEBUG" in self.reason(response)
                assert list(Stream(response)) == ITEMS

    def test_a_body_that_was_read_is_not_read_directly(self, http: ModuleType, exact: ExactServer) -> None:
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                next(response.iter_bytes())
                assert self.reason(response) == "the response is closed, or reading its body has begun"
            response = client.get(exact.answer(*STEPS))
            assert self.reason(response) == "the response is closed, or reading its body has begun"

    def test_a_response_of_a_mock_is_read_the_ordinary_way(self, http: ModuleType) -> None:
        transport = http.MockTransport(lambda _: http.Response(200, content=iter([b"data: 1\n\n"])))
        with http.Client(transport=transport) as client, client.stream("GET", "http://x/") as response:
            assert "a transport of another kind" in self.reason(response)
            assert list(Stream(response)) == [1]

    def test_a_response_is_read_the_ordinary_way_if_other_code_replaced_its_method(
        self, http: ModuleType, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        original = http.Response.iter_raw

        def iter_raw(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
            for piece in original(self, chunk_size):
                seen.append(piece)
                yield piece

        monkeypatch.setattr(http.Response, "iter_raw", iter_raw)
        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                assert "other code has changed" in self.reason(response)
                assert list(Stream(response)) == ITEMS
        assert seen

    def test_a_wrapped_stream_is_read_the_ordinary_way(self, http: ModuleType, exact: ExactServer) -> None:
        class Wrapper(http.SyncByteStream):
            def __init__(self, stream: Any) -> None:
                self.stream = stream

            def __iter__(self) -> Iterator[bytes]:
                yield from self.stream

            def close(self) -> None:
                self.stream.close()

        with http.Client(verify=unverified()) as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                response.stream = Wrapper(response.stream)
                assert "Wrapper" in self.reason(response)
                assert list(Stream(response)) == ITEMS

    def test_a_response_on_trio_is_read_the_ordinary_way(self, http: ModuleType, exact: ExactServer) -> None:
        async def main() -> None:
            async with http.AsyncClient(verify=unverified()) as client:
                async with client.stream("GET", exact.answer(*STEPS)) as response:
                    assert "TrioStream" in self.reason(response)
                    assert [item async for item in AsyncStream(response)] == ITEMS

        anyio.run(main, backend="trio")

    def test_a_response_of_another_library_is_not_read_directly(self) -> None:
        assert self.reason(object()) == "it is no response of httpx or httpx2, but a builtins.object"

    def test_event_hooks_do_not_prevent_direct_reading(self, http: ModuleType, exact: ExactServer) -> None:
        hooks = {"response": [lambda response: response.headers], "request": [lambda request: None]}
        with http.Client(verify=unverified(), event_hooks=hooks) as client:
            assert read(client, exact.answer(*STEPS), repeat=1) == [ITEMS]

    async def test_async_event_hooks_do_not_prevent_direct_reading(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        seen = []

        async def note(thing: Any) -> None:
            seen.append(type(thing))

        hooks = {"response": [note], "request": [note]}
        async with http.AsyncClient(verify=unverified(), event_hooks=hooks) as client:
            assert await aread(client, exact.answer(*STEPS), repeat=1) == [ITEMS]
        assert seen == [http.Request, http.Response]

    def test_a_response_that_an_event_hook_has_read_is_read_from_memory(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        hooks = {"response": [lambda response: response.read()]}
        with http.Client(verify=unverified(), event_hooks=hooks) as client:
            with client.stream("GET", exact.answer(*STEPS)) as response:
                assert self.reason(response) == "the response is closed, or reading its body has begun"
                assert list(Stream(response)) == ITEMS

    def test_responses_over_http_2_are_read_the_ordinary_way(
        self, http: ModuleType, h2_server: H2Server
    ) -> None:
        url = h2_server.answer(*EVENTS).url
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with http.Client(verify=unverified(), http2=True) as client:
                for _ in range(2):
                    with client.stream("GET", url) as response:
                        assert self.reason(response) == "the response came over HTTP/2"
                        assert list(Stream(response)) == ITEMS
                assert len(client._transport._pool.connections) == 1

    async def test_responses_over_http_2_are_read_the_ordinary_way_on_asyncio(
        self, http: ModuleType, h2_server: H2Server
    ) -> None:
        url = h2_server.answer(*EVENTS).url
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async with http.AsyncClient(verify=unverified(), http2=True) as client:
                for _ in range(2):
                    async with client.stream("GET", url) as response:
                        assert self.reason(response) == "the response came over HTTP/2"
                        assert [item async for item in AsyncStream(response)] == ITEMS
                assert len(client._transport._pool.connections) == 1


@pytest.mark.slow
def test_optional_packages_are_not_needed(http: ModuleType) -> None:
    """A new process has loaded nothing but what its library loads by itself."""
    code = """
        import asyncio, importlib, sys

        name, url = sys.argv[1:]
        others = ["httpx", "httpx2", "httpcore", "httpcore2"]
        for other in others:
            if other.endswith("2") != name.endswith("2"):
                sys.modules[other] = None
        for other in ["socksio", "h2", "trio", "uvloop", "brotli", "zstandard", "click", "rich", "orjson"]:
            sys.modules[other] = None
        http = importlib.import_module(name)
        from ssejet import AsyncStream, Stream, direct_reading

        with http.Client() as client, client.stream("GET", url) as response:
            print(direct_reading(response), list(Stream(response)))

        async def main():
            async with http.AsyncClient() as client, client.stream("GET", url) as response:
                print(direct_reading(response), [item async for item in AsyncStream(response)])

        asyncio.run(main())
    """
    with ExactServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), http.__name__, server.answer(*STEPS)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stdout.splitlines() == [f"read directly from the socket {ITEMS}"] * 2, done.stderr


@pytest.mark.slow
class TestGevent:
    def test_gevent_reads_with_its_sockets(self, exact: ExactServer) -> None:
        pytest.importorskip("gevent")
        code = """
            from gevent import monkey
            monkey.patch_all()
            import sys, ssl, gevent, httpx
            from ssejet import Stream, direct_reading

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            ticks = []

            def tick():
                while True:
                    ticks.append(1)
                    gevent.sleep(0.01)

            gevent.spawn(tick)
            with httpx.Client(verify=context) as client:
                with client.stream("GET", sys.argv[1]) as response:
                    assert direct_reading(response), direct_reading(response)
                    stream = Stream(response)
                    assert next(stream) == 0
                    gevent.spawn_later(0.2, stream.close)
                    before = len(ticks)
                    assert list(stream) == []
                    assert len(ticks) > before
            print("fine")
        """
        url = exact.answer(CHUNKED, chunk(EVENTS[0]), Then.HANG)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), url], capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize("length", [0, 5])
def test_bodies_without_events_are_read_to_their_end(
    http: ModuleType, exact: ExactServer, length: int
) -> None:
    with http.Client(verify=unverified()) as client:
        with client.stream("GET", exact.answer(of_length(length) + b":hey\n"[:length])) as response:
            assert list(Stream(response)) == []
        assert [each.is_idle() for each in client._transport._pool.connections] == [True]
    assert UNTIL_CLOSE

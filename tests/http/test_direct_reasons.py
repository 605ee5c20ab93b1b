"""Each reason to read a response the ordinary way, alone: nothing else about the connection is unusual."""

# ruff: noqa: F811, SIM117 (fixtures; one statement for both would not fit into a line)

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

import anyio
import httpcore
import httpx
import httpx2
import pytest
from test_direct_connections import unix  # noqa: F401  # a fixture

from exact_server import CHUNKED, ExactServer, Then, of_length
from raw_server import chunk
from ssejet import AsyncStream, Stream, direct_reading
from ssejet._http.direct import _httpcore
from tls import unverified

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from test_direct_connections import UnixServer

EVENTS = [b"data: %d\n\n" % number for number in range(3)]
CHUNKS = [chunk(event) for event in EVENTS]
END = b"0\r\n\r\n"
STEPS = (CHUNKED, *CHUNKS, END)
ITEMS = [0, 1, 2]

BEGUN = "the response is closed, or reading its body has begun"
ENDING = "the connection is ending"
OTHER_HTTP = "this version of the HTTP library has other insides than those that ssejet knows"
OTHER_ANYIO = "this version of anyio has other insides than those that ssejet knows"
CHANGED_HTTP = "other code has changed the methods of the HTTP library that read a body"
CHANGED_ANYIO = "other code has changed the methods of anyio that read"
NOT_ASYNCIO = "the connection is not asyncio's"


@pytest.fixture(params=[httpx, httpx2], ids=lambda module: module.__name__)
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture(scope="module")
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server


@pytest.fixture(scope="module")
def encrypted(tls: ssl.SSLContext) -> Iterator[ExactServer]:
    with ExactServer(tls) as server:
        yield server


@pytest.fixture
def forgets() -> Iterator[Callable[[], None]]:
    """Lets ssejet look at the libraries again, and once more after the test."""
    _httpcore._parts_of.cache_clear()
    yield _httpcore._parts_of.cache_clear
    _httpcore._parts_of.cache_clear()


def reason(response: Any) -> str:
    report = direct_reading(response)
    assert not report
    return report.reason


def parts_of(response: Any) -> dict[str, Any]:
    bound_stream = response.stream
    pool_stream = bound_stream._stream._httpcore_stream
    body_stream = pool_stream._stream
    connection = body_stream._connection
    return {
        "response": response,
        "bound stream": bound_stream,
        "response stream": bound_stream._stream,
        "pool stream": pool_stream,
        "pool": pool_stream._pool,
        "body stream": body_stream,
        "connection": connection,
        "h11": connection._h11_state,
        "network stream": connection._network_stream,
    }


def look(
    http: ModuleType, exact: ExactServer, way: str, check: Callable[[Any, dict[str, Any]], None]
) -> None:
    """Check something of a response that could be read directly."""
    if way == "sync":
        with http.Client() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            assert direct_reading(response)
            check(response, parts_of(response))
        return

    async def main() -> None:
        async with http.AsyncClient() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            assert direct_reading(response)
            check(response, parts_of(response))

    asyncio.run(main())


def subclass_of(thing: Any) -> type:
    return type("Subclass", (type(thing),), {})


class Proxy:
    """Wraps a function as ``wrapt`` does: it has all attributes of the function."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


def methods(way: str) -> list[tuple[str, str]]:
    """The methods that read a body, or end it."""
    each, close = ("__iter__", "close") if way == "sync" else ("__aiter__", "aclose")
    prefix = "" if way == "sync" else "a"
    return [
        ("response", f"{prefix}iter_raw"),
        ("response", f"{prefix}iter_bytes"),
        ("response", close),
        *(
            (part, name)
            for part in ("bound stream", "response stream", "pool stream", "body stream")
            for name in (each, close)
        ),
        ("connection", "_receive_response_body"),
        ("connection", "_receive_event"),
        ("connection", "_response_closed"),
        ("connection", close),
        ("h11", "next_event"),
        ("h11", "receive_data"),
        ("h11", "_process_event"),
    ]


WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
class TestOtherCode:
    def test_each_method_that_was_replaced_after_the_first_response_is_noticed(
        self, http: ModuleType, exact: ExactServer, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        def check(response: Any, parts: dict[str, Any]) -> None:
            for part, name in methods(way):
                with monkeypatch.context() as patch:
                    patch.setattr(type(parts[part]), name, lambda *_: None)
                    assert reason(response) == CHANGED_HTTP, (part, name)
                assert direct_reading(response)

        look(http, exact, way, check)

    @pytest.mark.parametrize("kind", ["function", "proxy"])
    def test_each_method_that_was_replaced_before_the_first_response_is_noticed(
        self,
        http: ModuleType,
        exact: ExactServer,
        monkeypatch: pytest.MonkeyPatch,
        forgets: Callable[[], None],
        way: str,
        kind: str,
    ) -> None:
        def check(response: Any, parts: dict[str, Any]) -> None:
            for part, name in methods(way):
                cls = type(parts[part])
                with monkeypatch.context() as patch:
                    patch.setattr(
                        cls, name, Proxy(getattr(cls, name)) if kind == "proxy" else lambda *_: None
                    )
                    forgets()
                    assert reason(response) == CHANGED_HTTP, (part, name)
                forgets()
                assert direct_reading(response)

        look(http, exact, way, check)

    def test_each_method_that_one_object_overrides_is_noticed(
        self, http: ModuleType, exact: ExactServer, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        names = {
            "response": ("iter_raw", "iter_bytes", "aiter_raw", "aiter_bytes"),
            "connection": ("_receive_event", "_receive_response_body", "_response_closed"),
            "h11": ("next_event", "receive_data"),
            "network stream": ("read",),
        }

        def check(response: Any, parts: dict[str, Any]) -> None:
            for part, each in names.items():
                for name in each:
                    with monkeypatch.context() as patch:
                        patch.setitem(vars(parts[part]), name, lambda *_: None)
                        assert reason(response) == CHANGED_HTTP, (part, name)
                    assert direct_reading(response)

        look(http, exact, way, check)

    def test_each_subclass_is_noticed(
        self, http: ModuleType, exact: ExactServer, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        """It may see the body pass."""
        reasons = {
            "response": "it is no response of httpx",
            "bound stream": "a transport of another kind",
            "response stream": "a transport of another kind",
            "pool stream": "httpcore's own pool does not hold the connection",
            "pool": "httpcore's own pool does not hold the connection",
            "body stream": "the response came over HTTP/1.1",
            "connection": "the connection is not httpcore's own",
            "h11": "the connection is not httpcore's own",
        }

        def check(response: Any, parts: dict[str, Any]) -> None:
            for part, expected in reasons.items():
                with monkeypatch.context() as patch:
                    patch.setattr(parts[part], "__class__", subclass_of(parts[part]))
                    assert reason(response).startswith(expected), part
                assert direct_reading(response)

        look(http, exact, way, check)


@WAYS
class TestOtherVersions:
    def test_a_library_without_a_module_or_a_class_is_another_version(
        self,
        http: ModuleType,
        exact: ExactServer,
        monkeypatch: pytest.MonkeyPatch,
        forgets: Callable[[], None],
        way: str,
    ) -> None:
        def check(response: Any, parts: dict[str, Any]) -> None:
            module = sys.modules[type(parts["body stream"]).__module__]
            with monkeypatch.context() as patch:
                patch.setitem(sys.modules, module.__name__, None)
                forgets()
                assert reason(response) == OTHER_HTTP
            with monkeypatch.context() as patch:
                patch.delattr(module, "HTTP11ConnectionByteStream")
                forgets()
                assert reason(response) == OTHER_HTTP

        look(http, exact, way, check)

    def test_a_connection_without_an_attribute_is_of_another_version(
        self, http: ModuleType, exact: ExactServer, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        def check(response: Any, parts: dict[str, Any]) -> None:
            with monkeypatch.context() as patch:
                patch.delattr(parts["connection"], "_h11_state")
                assert reason(response) == OTHER_HTTP
            with monkeypatch.context() as patch:
                patch.setattr(parts["connection"], "_network_stream", object())
                assert reason(response) == OTHER_HTTP
            with monkeypatch.context() as patch:
                patch.setattr(parts["h11"], "_reader", None)
                assert reason(response) == OTHER_HTTP

        look(http, exact, way, check)


class TestOtherReaders:
    def test_a_closed_response_is_not_read(self, http: ModuleType, exact: ExactServer) -> None:
        with http.Client() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            response.close()
            assert reason(response) == BEGUN

    def test_the_connection_of_a_closed_client_is_not_read(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        with http.Client() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            client.close()
            assert reason(response).startswith(ENDING)

    def test_a_body_that_was_read_from_the_stream_of_the_response_is_not_read_again(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        with http.Client() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            assert b"".join(response.stream) == b"".join(EVENTS)
            assert reason(response).startswith(ENDING)

    def test_a_connection_that_receives_the_next_response_is_not_read(
        self, http: ModuleType, exact: ExactServer
    ) -> None:
        with http.Client() as client:
            with client.stream("GET", exact.answer(*STEPS)) as first:
                assert b"".join(first.stream) == b"".join(EVENTS)
                first.stream.close()
                with client.stream("GET", exact.answer(*STEPS)) as second:
                    assert parts_of(first)["connection"] is parts_of(second)["connection"]
                    assert reason(first).startswith(ENDING)
                    assert list(Stream(second)) == ITEMS

    @pytest.mark.parametrize(
        ("begin", "rest"),
        [
            (CHUNKS[0][:-5], CHUNKS[0][-5:] + END),
            (CHUNKS[0][:-2], CHUNKS[0][-2:] + END),
            (CHUNKS[0] + END[:-2], END[-2:]),
        ],
        ids=["in a chunk", "at the end of a chunk", "in the trailers"],
    )
    def test_a_chunked_body_is_not_read_from_its_middle(
        self, http: ModuleType, exact: ExactServer, begin: bytes, rest: bytes
    ) -> None:
        waits = exact.waits

        async def main() -> None:
            async with http.AsyncClient() as client:
                async with client.stream("GET", exact.answer(CHUNKED + begin, Then.WAIT, rest)) as response:

                    async def read() -> bytes:
                        return b"".join([piece async for piece in response.stream])

                    task = asyncio.ensure_future(read())
                    exact.wait_until(lambda: exact.waits == waits + 1)
                    await asyncio.sleep(0.01)
                    report = direct_reading(response)
                    exact.go_on()
                    assert await task == EVENTS[0]
                    assert report.reason == OTHER_HTTP

        asyncio.run(main())

    def test_bytes_that_came_with_the_head_are_taken_once(self, http: ModuleType, exact: ExactServer) -> None:
        accepted = exact.accepted
        with http.Client() as client:
            for _ in range(2):
                with client.stream("GET", exact.answer(b"".join(STEPS))) as response:
                    assert parts_of(response)["h11"].trailing_data[0]
                    assert direct_reading(response)
                    assert list(Stream(response)) == ITEMS
        assert exact.accepted == accepted + 1

    def test_a_read_of_other_code_that_fails_changes_nothing(self, exact: ExactServer) -> None:
        """It tells h11 that the connection has ended; by then the body was read to its end."""

        async def main() -> None:
            async with httpx.AsyncClient() as client:
                url = exact.answer(CHUNKED, Then.WAIT, CHUNKS[0] + END, Then.CLOSE)
                async with client.stream("GET", url) as response:
                    other = asyncio.ensure_future(anext(aiter(response.stream)))
                    await asyncio.sleep(0.01)
                    stream = AsyncStream(response)
                    first = asyncio.ensure_future(anext(stream))
                    await asyncio.sleep(0.01)
                    assert direct_reading(response)
                    exact.go_on()
                    assert await first == 0
                    with pytest.raises(httpx.RemoteProtocolError):
                        await other
                    assert [item async for item in stream] == []

        asyncio.run(main())


def streams_of(response: Any) -> tuple[Any, Any]:
    """Anyio's stream on the socket, and the protocol that it has there."""
    stream = parts_of(response)["network stream"]._stream
    return stream, getattr(stream, "_protocol", None)


def end_after_bytes(stream: Any, protocol: Any) -> None:
    protocol.data_received(b"x")
    protocol.eof_received()


def fail_after_bytes(stream: Any, protocol: Any) -> None:
    protocol.data_received(b"x")
    protocol.connection_lost(OSError())


ENDINGS: dict[str, Callable[[Any, Any], Any]] = {
    "the transport closes": lambda stream, _: stream._transport.abort(),
    "another protocol": lambda stream, _: stream._transport.set_protocol(asyncio.Protocol()),
    "an end after bytes": end_after_bytes,
    "an error after bytes": fail_after_bytes,
    "an end": lambda _, protocol: protocol.read_event.set(),
}


class TestAnyio:
    @pytest.mark.parametrize("name", ENDINGS)
    async def test_a_connection_that_ends_is_not_taken_over(
        self, http: ModuleType, exact: ExactServer, name: str
    ) -> None:
        async with http.AsyncClient() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            assert direct_reading(response)
            ENDINGS[name](*streams_of(response))
            assert reason(response) == ENDING

    async def test_bytes_that_anyio_keeps_do_not_prevent_direct_reading(self, exact: ExactServer) -> None:
        async with httpx.AsyncClient() as client:
            async with client.stream("GET", exact.answer(CHUNKED, Then.WAIT, END)) as response:
                _, protocol = streams_of(response)
                protocol.data_received(CHUNKS[0])
                assert direct_reading(response)
                stream = AsyncStream(response)
                assert await anext(stream) == 0
                assert direct_reading(response)
                exact.go_on()
                assert [item async for item in stream] == []

    @pytest.mark.parametrize("over", ["tcp", "tls", "unix"])
    async def test_each_method_of_anyio_that_was_replaced_is_noticed(
        self,
        exact: ExactServer,
        encrypted: ExactServer,
        unix: UnixServer,
        monkeypatch: pytest.MonkeyPatch,
        over: str,
    ) -> None:
        server = {"tcp": exact, "tls": encrypted, "unix": unix}[over]
        names = {
            "tcp": ("receive", "aclose"),
            "tls": ("receive", "_call_sslobject_method"),
            "unix": ("receive", "aclose", "_wait_until_readable"),
        }[over]
        attributes = {"tcp": ("_closed",), "tls": ("_read_bio", "_write_bio"), "unix": ()}[over]
        transport = httpx.AsyncHTTPTransport(
            verify=unverified(), uds=str(unix.path) if over == "unix" else None
        )
        async with httpx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", server.answer(*STEPS)) as response:
                assert direct_reading(response)
                stream, _ = streams_of(response)
                cls = type(stream)
                for name in names:
                    for other in (lambda *_: None, Proxy(getattr(cls, name))):
                        with monkeypatch.context() as patch:
                            patch.setattr(cls, name, other)
                            assert reason(response) == CHANGED_ANYIO, name
                    with monkeypatch.context() as patch:
                        patch.setitem(vars(stream), name, lambda *_: None)
                        assert reason(response) == CHANGED_ANYIO, name
                for name in attributes:
                    with monkeypatch.context() as patch:
                        patch.delattr(stream, name)
                        if hasattr(cls, name):
                            patch.delattr(cls, name)
                        assert reason(response) == OTHER_ANYIO, name
                if over == "unix":
                    with monkeypatch.context() as patch:
                        patch.delattr(stream, "_RawSocketMixin__raw_socket")
                        assert reason(response) == OTHER_ANYIO
                assert direct_reading(response)

    @pytest.mark.parametrize("over", ["tcp", "tls", "unix"])
    async def test_a_subclass_of_what_anyio_reads_with_is_noticed(
        self,
        exact: ExactServer,
        encrypted: ExactServer,
        unix: UnixServer,
        monkeypatch: pytest.MonkeyPatch,
        over: str,
    ) -> None:
        server = {"tcp": exact, "tls": encrypted, "unix": unix}[over]
        transport = httpx.AsyncHTTPTransport(
            verify=unverified(), uds=str(unix.path) if over == "unix" else None
        )
        async with httpx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", server.answer(*STEPS)) as response:
                stream, protocol = streams_of(response)
                things = [stream, *{"tcp": [protocol], "unix": []}.get(over, [])]
                if over == "tls":
                    things += [stream._ssl_object, stream.transport_stream, stream.transport_stream._protocol]
                for thing in things:
                    with monkeypatch.context() as patch:
                        patch.setattr(thing, "__class__", subclass_of(thing))
                        assert "own stream does not carry the connection, but" in reason(response)
                        assert reason(response).endswith("Subclass")
                assert direct_reading(response)

    async def test_broken_encryption_is_not_taken_over(self, encrypted: ExactServer) -> None:
        async with httpx.AsyncClient(verify=unverified()) as client:
            async with client.stream("GET", encrypted.answer(*STEPS)) as response:
                stream, _ = streams_of(response)
                assert direct_reading(response)
                stream._broken = True
                assert "own stream does not carry the connection" in reason(response)

    @pytest.mark.parametrize("module", ["anyio._backends._asyncio", "anyio.streams.tls"])
    async def test_anyios_modules_are_not_imported_for_it(
        self, exact: ExactServer, monkeypatch: pytest.MonkeyPatch, module: str
    ) -> None:
        """If anyio has not imported them, it does not use them."""
        async with httpx.AsyncClient() as client, client.stream("GET", exact.answer(*STEPS)) as response:
            with monkeypatch.context() as patch:
                patch.delitem(sys.modules, module)
                assert reason(response) == NOT_ASYNCIO


class OwnStream(httpcore.AsyncNetworkStream):
    """A network stream that counts what it reads."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.count = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = await self._stream.receive(max_bytes)
        self.count += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.send(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None


# It has the name of httpcore's class, but is another one.
SameName = type("AnyIOStream", (OwnStream,), {"__module__": __name__})


class Counted:
    """A stream of anyio's kind that counts what it receives from one of anyio's own."""

    def __init__(self, stream: Any) -> None:
        self._inner = stream
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def receive(self, max_bytes: int) -> bytes:
        data: bytes = await self._inner.receive(max_bytes)
        self.count += len(data)
        return data


class Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, wrap: Callable[[Any], Any]) -> None:
        self._wrap = wrap
        self.counters: list[Any] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> Any:
        stream = self._wrap(await anyio.connect_tcp(host, port))
        self.counters.append(stream)
        if isinstance(stream, Counted):
            return httpcore._backends.anyio.AnyIOStream(stream)
        return stream

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class TestNetworkBackends:
    @pytest.mark.parametrize(
        ("wrap", "expected"),
        [
            (OwnStream, f"{NOT_ASYNCIO}: {__name__}.OwnStream"),
            (SameName, f"{NOT_ASYNCIO}: {__name__}.AnyIOStream"),
            (Counted, f"anyio's own stream does not carry the connection, but {__name__}.Counted"),
        ],
        ids=["its own stream", "a stream with the name of httpcore's", "another stream in httpcore's"],
    )
    async def test_a_network_backend_of_the_user_reads_all_bytes(
        self, exact: ExactServer, wrap: Callable[[Any], Any], expected: str
    ) -> None:
        backend = Backend(wrap)
        transport = httpx.AsyncHTTPTransport()
        transport._pool = httpcore.AsyncConnectionPool(network_backend=backend)
        async with httpx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", exact.answer(*STEPS)) as response:
                assert reason(response) == expected
                assert [item async for item in AsyncStream(response)] == ITEMS
        assert sum(each.count for each in backend.counters) == len(b"".join(STEPS))

    def test_the_anyio_backend_on_trio_is_not_asyncios(self, exact: ExactServer) -> None:
        async def main() -> None:
            transport = httpx.AsyncHTTPTransport()
            transport._pool = httpcore.AsyncConnectionPool(network_backend=httpcore.AnyIOBackend())
            async with httpx.AsyncClient(transport=transport) as client:
                async with client.stream("GET", exact.answer(*STEPS)) as response:
                    assert reason(response).startswith("anyio's own stream does not carry the connection")
                    assert [item async for item in AsyncStream(response)] == ITEMS

        anyio.run(main, backend="trio")


@pytest.mark.parametrize("length", [0, 2**64 - 1])
def test_bodies_of_no_and_of_the_most_bytes_are_read_directly(
    http: ModuleType, exact: ExactServer, length: int
) -> None:
    url = exact.answer(of_length(length), *([Then.HANG] if length else []))
    with http.Client() as client, client.stream("GET", url) as response:
        assert direct_reading(response)
        if not length:
            assert list(Stream(response)) == []


def test_the_log_of_httpcore_at_the_level_info_does_not_prevent_direct_reading(
    exact: ExactServer, caplog: pytest.LogCaptureFixture
) -> None:
    """httpcore tells of the bodies at the level DEBUG."""
    with caplog.at_level(logging.INFO, "httpcore"), httpx.Client() as client:
        with client.stream("GET", exact.answer(*STEPS)) as response:
            assert direct_reading(response)
            assert list(Stream(response)) == ITEMS

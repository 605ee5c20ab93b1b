"""A request that ends while it connects, directly or through a proxy, leaves nothing open."""

from __future__ import annotations

import gc
import threading
import warnings
from contextlib import ExitStack
from types import coroutine
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from proxies import Proxy

import ssejet
from exact_server import CHUNKED, ExactServer, Then
from raw_server import A_LONG_TIME, chunk
from tls import unverified

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Coroutine, Generator, Iterator
    from types import ModuleType

pytestmark = pytest.mark.slow

STEPS = (CHUNKED, chunk(b'data: {"choices": []}\n\n'), chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
WAYS = ("plain", "tls", "http", "http to tls", "https to tls", "socks5", "socks5 to tls")


class SilentProxy(Proxy):
    """A proxy that says nothing."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.read()
        return False


@pytest.fixture(params=[httpx, httpx2], ids=lambda module: module.__name__)
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def options(http: ModuleType, proxy: Proxy | None, scheme: str) -> dict[str, Any]:
    """The options of a client that connects through a proxy, or without one."""
    found: dict[str, Any] = {"verify": unverified(), "trust_env": False, "timeout": A_LONG_TIME}
    if proxy is not None:
        url = scheme + proxy.base[proxy.base.index("://") :]
        found["proxy"] = http.Proxy(url, ssl_context=unverified()) if scheme == "https" else url
    return found


def start_proxy(stack: ExitStack, way: str, tls: ssl.SSLContext, kind: type[Proxy] = Proxy) -> Proxy | None:
    if way in {"plain", "tls"}:
        return None
    return stack.enter_context(kind(tls if way.startswith("https") else None))


@coroutine
def cancelled_at(
    step: int, running: Coroutine[Any, Any, Any], scope: anyio.CancelScope
) -> Generator[Any, Any, Any]:
    """Run a coroutine, and cancel it where it waits for the n-th time."""
    count = 0
    resume: Any = running.send
    value: Any = None
    while True:
        try:
            waits_for = resume(value)
        except StopIteration as end:
            return end.value
        count += 1
        if count == step:
            scope.cancel()
        try:
            value = yield waits_for
            resume = running.send
        except BaseException as error:
            value = error
            resume = running.throw


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_is_cancelled_at_any_step_leaves_no_connection(
    http: ModuleType, tls: ssl.SSLContext, stack: ExitStack, way: str, backend: str
) -> None:
    exact = stack.enter_context(ExactServer(tls if way.endswith("tls") else None))
    proxy = start_proxy(stack, way, tls)
    exact.answer(*STEPS)
    exact._answers["/completions"] = STEPS
    ends: list[str] = []

    async def send(client: Any) -> None:
        own = ssejet.AsyncClient(base_url=exact.base, api_key="x", http_client=client, max_retries=0)
        stream = await own.chat.completions.create(model="m", messages=[], stream=True)
        async with stream:
            assert len([chunk async for chunk in stream]) == 1

    async def main() -> None:
        for step in range(1, 1000):
            async with http.AsyncClient(**options(http, proxy, way.split()[0])) as client:
                ssejet.index_pools(client)
                with anyio.CancelScope() as scope:
                    await cancelled_at(step, send(client), scope)
                transport = next(iter(client._mounts.values()), client._transport)
                assert "Requests: 0 active, 0 queued | Connections: 0 active" in repr(transport._pool), step
                ends.append("cancelled" if scope.cancelled_caught else "whole")
                gc.collect()
            if ends[-1] == "whole":
                return

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # httpx leaves the iterator over what it sends open, which holds nothing.
        warnings.filterwarnings("ignore", "Async generator 'httpx", ResourceWarning)
        anyio.run(main, backend=backend)
    assert ends[-1] == "whole"
    assert len(ends) > 5
    exact.wait_until(lambda: exact.connections == 0)
    if proxy is not None:
        proxy.wait_until(lambda: proxy.connections == 0)


# What the thread that connects waits for.
STAGES = [
    (way, stage)
    for way in WAYS
    for stage in ("proxy", "handshake", "response")
    if (stage != "proxy" or way not in {"plain", "tls"}) and (stage != "handshake" or way.endswith("tls"))
]


@pytest.mark.parametrize(("way", "stage"), STAGES)
def test_another_thread_can_end_the_wait_for_a_connection(
    http: ModuleType, tls: ssl.SSLContext, stack: ExitStack, way: str, stage: str
) -> None:
    is_secure = way.endswith("tls")
    # A server without TLS takes the beginning of a handshake for a request that never ends.
    exact = stack.enter_context(ExactServer(tls if is_secure and stage != "handshake" else None))
    proxy = start_proxy(stack, way, tls, SilentProxy if stage == "proxy" else Proxy)
    url = exact.answer(Then.WAIT, Then.HANG)
    if is_secure:
        url = url.replace("http:", "https:")
    ends: list[Any] = []
    with http.Client(**options(http, proxy, way.split()[0])) as client:
        subscription = ssejet.subscribe(url, client=client, connect_timeout=None)

        def run() -> None:
            try:
                ends.append(list(subscription))
            except Exception as error:
                ends.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        reached = exact if proxy is None or stage != "proxy" else proxy
        reached.wait_until(lambda: reached.connections)
        if stage == "response":
            exact.wait_until(lambda: exact.waits)
        else:
            thread.join(0.1)
        subscription.close()
        thread.join(A_LONG_TIME / 4)
        assert ends == [[]]
        exact.go_on()
    gc.collect()


def test_a_socks_proxy_that_hangs_up_is_a_connection_error(http: ModuleType, stack: ExitStack) -> None:
    class Hanging(Proxy):
        async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            await reader.readexactly(3)
            return False

    proxy = stack.enter_context(Hanging())
    with (
        http.Client(**options(http, proxy, "socks5")) as client,
        ssejet.subscribe("http://one.example/", client=client, max_attempts=1) as events,
        pytest.raises(ssejet.APIConnectionError, match=r"cannot connect to http://one\.example"),
    ):
        next(events)
    gc.collect()  # which would tell of a socket that was left open


class RefusingProxy(Proxy):
    """A proxy that reads something, answers it, and waits for the client to go.

    Args:
        tls: see ``RawServer``.
        steps: what it reads, as an end or a size, and what it answers.
    """

    def __init__(self, tls: ssl.SSLContext | None, *steps: tuple[bytes | int, bytes]) -> None:
        super().__init__(tls)
        self._steps = steps

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for awaited, answer in self._steps:
            if isinstance(awaited, bytes):
                await reader.readuntil(awaited)
            else:
                await reader.readexactly(awaited)
            if not answer:
                return False
            writer.write(answer)
        await reader.read()
        return False


# How connecting fails: the scheme of the proxy, that of the server, and what the proxy, or the server without
# one, does.
FAILURES: dict[str, tuple[str, str, tuple[tuple[bytes | int, bytes], ...]]] = {
    "a SOCKS proxy hangs up": ("socks5", "http", ((3, b""),)),
    "a SOCKS proxy wants to know who asks": ("socks5", "http", ((3, b"\x05\xff"),)),
    "a SOCKS proxy says nothing that is SOCKS": ("socks5", "http", ((3, b"HTTP/1.1 400 Bad\r\n\r\n"),)),
    "a SOCKS proxy refuses the server": (
        "socks5",
        "http",
        ((3, b"\x05\x00"), (10, b"\x05\x01\x00\x01\0\0\0\0\0\0")),
    ),
    "TLS fails behind a SOCKS proxy": (
        "socks5",
        "https",
        ((3, b"\x05\x00"), (10, b"\x05\x00\x00\x01\0\0\0\0\0\0"), (5, b"no handshake\r\n\r\n")),
    ),
    "a proxy refuses the tunnel": (
        "http",
        "https",
        ((b"\r\n\r\n", b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),),
    ),
    "a proxy hangs up": ("http", "https", ((b"\r\n\r\n", b""),)),
    "a proxy says nothing that is HTTP": ("http", "https", ((b"\r\n\r\n", b"\0\0\0\r\n\r\n"),)),
    "TLS fails behind a proxy": (
        "http",
        "https",
        ((b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"), (5, b"no handshake\r\n\r\n")),
    ),
    "a server hangs up in the handshake": ("", "https", ((5, b""),)),
    "a server does not speak TLS": ("", "https", ((5, b"no handshake\r\n\r\n"),)),
    "a server says nothing that is HTTP": ("", "http", ((b"\r\n\r\n", b"\0\0\0\r\n\r\n"),)),
}


@pytest.mark.parametrize("user", ["client", "subscription"])
@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_connection_that_fails_is_closed_although_its_error_is_kept(
    http: ModuleType, stack: ExitStack, failure: str, kind: str, user: str
) -> None:
    scheme, server_scheme, steps = FAILURES[failure]
    proxy = stack.enter_context(RefusingProxy(None, *steps))
    host = "127.0.0.1:1" if scheme else proxy.base.split("/")[2]
    url = f"{server_scheme}://{host}/"
    client_options = options(http, proxy if scheme else None, scheme)
    error: Any = None
    if kind == "sync":
        client = stack.enter_context(http.Client(**client_options))
        try:
            if user == "client":
                own = ssejet.Client(base_url=url, api_key="x", http_client=client, max_retries=0)
                own.chat.completions.create(model="m", messages=[], stream=True)
            else:
                with ssejet.subscribe(url, client=client, max_attempts=1) as events:
                    next(events)
        except ssejet.APIConnectionError as caught:
            error = caught
        proxy.wait_until(lambda: proxy.connections == 0)
    else:

        async def main() -> None:
            nonlocal error
            async with http.AsyncClient(**client_options) as client:
                try:
                    if user == "client":
                        own = ssejet.AsyncClient(base_url=url, api_key="x", http_client=client, max_retries=0)
                        await own.chat.completions.create(model="m", messages=[], stream=True)
                    else:
                        async with ssejet.asubscribe(url, client=client, max_attempts=1) as events:
                            await anext(events)
                except ssejet.APIConnectionError as caught:
                    error = caught
                await anyio.to_thread.run_sync(proxy.wait_until, lambda: proxy.connections == 0)

        anyio.run(main, backend=kind)
    assert type(error) is ssejet.APIConnectionError

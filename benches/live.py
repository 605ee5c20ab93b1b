"""The cost of live streams: one chunk per write, over a real socket, from a server in another process.

Each variant runs in a process of its own, in turn, round by round. Its figure is the CPU time of the client
per chunk. The clock starts when all streams run, and stops when one of them has its last chunk, so that
connecting and closing are no part of it. The floor does the least that gives the same chunks: it feeds what
the socket gives to the decoder.

    python -m benches.live [SETTING …] [--only floor,httpx] [--rounds 7] [--quick] [--output FILE]
"""

# ruff: noqa: SIM117 (one statement for both would not fit into a line)

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import itertools
import json
import mmap
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benches import live_libraries, machine, report
from benches.harness import Cell, Samples
from benches.results import LIVE_DIRECTORY, Entrant, Results
from benches.workloads import Description

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

CHUNK = {
    "id": "chatcmpl-9Xq3f5xkT2mP8vL1nR7sW4yZ0aBcD",
    "object": "chat.completion.chunk",
    "created": 1764300000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_6b68a8204b",
    "choices": [{"index": 0, "delta": {"content": " token"}, "logprobs": None, "finish_reason": None}],
}
EVENT = b"data: " + json.dumps(CHUNK, separators=(",", ":")).encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"


def named_event(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":"))
    return f"event: {content['type']}\ndata: {text}\n\n".encode()


USAGE = {"input_tokens": 9, "output_tokens": 1}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
TEXT_BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
TEXT_DELTA = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": " token"},
}


class Script(NamedTuple):
    """What a stream consists of: the events before the chunks, each chunk, and the events after them."""

    before: list[bytes]
    chunk: bytes
    after: list[bytes]


SCRIPTS = {
    b"openai": Script([], EVENT, [DONE]),
    b"anthropic": Script(
        [named_event({"type": "message_start", "message": MESSAGE}), named_event(TEXT_BLOCK)],
        named_event(TEXT_DELTA),
        [named_event({"type": "content_block_stop", "index": 0}), named_event({"type": "message_stop"})],
    ),
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

# How many chunks of each stream are received before the clock starts.
WARM_UP = 20

# How many streams are opened at a time. A thousand at once would time out.
MAX_OPENING = 20

# More chunks than this in one read make a figure too good.
MAX_CHUNKS_PER_READ = 1.05

QUIET = 1.5
"""A load average above this makes figures unreliable."""


class Setting(NamedTuple):
    """How many streams run, over what, and how often a chunk arrives in each."""

    title: str
    kind: str
    streams: int
    chunks: int
    interval: float
    tls: bool = False


SETTINGS = {
    "async-20": Setting("async, 20 streams", "async", 20, 200, 0.01),
    "sync-1": Setting("sync, 1 stream", "sync", 1, 2000, 0.0005),
    "async-20-tls": Setting("async, 20 streams, TLS", "async", 20, 200, 0.01, tls=True),
    "sync-1-tls": Setting("sync, 1 stream, TLS", "sync", 1, 2000, 0.0005, tls=True),
    "async-1": Setting("async, 1 stream", "async", 1, 2000, 0.0005),
    "sync-20": Setting("sync, 20 streams in threads", "sync", 20, 200, 0.01),
    "async-1000": Setting("async, 1,000 streams", "async", 1000, 40, 0.1),
    "async-1000-tls": Setting("async, 1,000 streams, TLS", "async", 1000, 40, 0.1, tls=True),
    "sync-1000": Setting("sync, 1,000 streams in threads", "sync", 1000, 40, 0.1),
}


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# ---------------------------------------------------------------------------------------------- the server


class Pacer:
    """Writes the events of all streams in turn, one write each, at even intervals.

    It waits for a client that is late, because two events in one read would cost less than two reads. The
    client counts what it has received in memory that both share.
    """

    def __init__(self, streams: int, chunks: int, interval: float, received: memoryview) -> None:
        self.streams = streams
        self.chunks = chunks
        self.interval = interval
        self.received = received
        self.connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.ended: list[asyncio.Future[None]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    await reader.readexactly(int(line.split(b":")[1]))
            script = SCRIPTS[b"anthropic" if b"/messages" in head.partition(b"\r\n")[0] else b"openai"]
            # Some clients wait for the first event before they open more streams.
            writer.write(HEAD + b"".join(map(framed, [*script.before, script.chunk])))
            self.connections.append((reader, writer))
            self.ended.append(ended := asyncio.get_running_loop().create_future())
            if len(self.connections) == self.streams:
                connections, self.connections = self.connections, []
                ends, self.ended = self.ended, []
                await self.write_all(connections, script)
                for each in ends:
                    each.set_result(None)
            else:
                await ended
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def write_all(
        self, connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], script: Script
    ) -> None:
        piece = framed(script.chunk)
        loop = asyncio.get_running_loop()
        most = max(1, len(connections) // 2)
        sent = len(connections) * (len(script.before) + 1)
        due = loop.time() + 0.2
        for _ in range(self.chunks - 1):
            for reader, writer in connections:
                due = max(due + self.interval / len(connections), loop.time())
                await asyncio.sleep(due - loop.time())
                while sent - self.received[0] >= most:
                    if writer.is_closing() or reader.at_eof():  # the client has gone
                        return
                    await asyncio.sleep(0.0001)
                writer.write(piece)
                sent += 1
        for _, writer in connections:
            writer.write(b"".join(map(framed, script.after)) + framed(b""))


async def serve(streams: int, chunks: int, interval: float, shared: str, certificate: str) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    pacer = Pacer(streams, chunks, interval, shared_counter(shared))
    allow_many_files()
    server = await asyncio.start_server(pacer.handle, "127.0.0.1", 0, ssl=context, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def allow_many_files() -> None:
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def shared_counter(path: str) -> memoryview:
    with Path(path).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")


def make_certificate(folder: Path) -> Path:
    openssl = shutil.which("openssl")
    assert openssl, "there is no openssl to make a certificate with"
    file = folder / "server.pem"
    request = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1"
    subprocess.run(
        [*request.split(), "-keyout", str(file), "-out", str(file) + ".crt"], check=True, capture_output=True
    )
    file.write_bytes(file.read_bytes() + Path(str(file) + ".crt").read_bytes())
    return file


# ----------------------------------------------------------------------------------------------- the clock


class Clock:
    """Measures from when all streams run until the first of them has its last chunk.

    Args:
        streams: how many there are.
        chunks: how many chunks each of them has.
        received: where to count the chunks, for the server.
        report: gets the figures when the clock stops.
    """

    def __init__(
        self,
        streams: int,
        chunks: int,
        received: memoryview,
        report: Callable[[Clock], object] = lambda clock: None,
    ) -> None:
        self.streams = streams
        self.warm_up = min(WARM_UP, chunks // 4)
        self.last = chunks
        self.received = received
        received[0] = 0
        # Threads can share it.
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.opening = threading.Semaphore(MAX_OPENING)
        self.running = 0
        self.reads = 0
        self.start: tuple[float, int, int] | None = None
        self.stop: tuple[float, int, int] | None = None
        self.report = report

    def now(self) -> tuple[float, int, int]:
        return time.process_time(), self.received[0], self.reads

    def warmed_up(self) -> None:
        with self.lock:
            self.running += 1
            if self.running == self.streams:
                self.start = self.now()

    def ended(self) -> None:
        """A stream has its last chunk. If some of its chunks came in one read, it has ended instead."""
        with self.lock:
            if self.stop is None:
                self.stop = self.now()
                self.report(self)

    @property
    def figures(self) -> tuple[float, float]:
        """The nanoseconds per chunk, and the chunks per read if reads were counted."""
        assert self.start is not None
        assert self.stop is not None
        seconds, chunks, reads = (after - before for before, after in zip(self.start, self.stop, strict=True))
        return seconds / chunks * 1e9, chunks / reads if reads else 0.0

    def count_reads(self) -> None:
        """Count what sockets give from now on. That takes time, so no time is measured in such a run."""

        def counted(method: Any) -> Any:
            def read(*arguments: Any) -> Any:
                result = method(*arguments)
                if result:
                    self.reads += 1
                return result

            return read

        for cls, names in ((socket.socket, ("recv", "recv_into")), (ssl.SSLSocket, ("recv", "recv_into"))):
            for name in names:
                setattr(cls, name, counted(getattr(cls, name)))


def tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_chunk(item: Any) -> None:
    assert item.choices[0].delta.content == " token", item


def is_delta(item: Any) -> None:
    assert item.delta.text == " token", item


def is_bytes(item: Any) -> None:
    assert b" token" in item, item


# ---------------------------------------------------------------------------------------- async, the variants


async def run_streams(
    clock: Clock, open_stream: Callable[[], Any], check: Callable[[Any], None] = is_chunk
) -> None:
    opening = asyncio.Semaphore(MAX_OPENING)

    async def consume() -> None:
        count = 0
        received, numbers, warm_up, last = clock.received, clock.numbers, clock.warm_up, clock.last
        async with contextlib.AsyncExitStack() as stack:
            async with opening:
                stream = await stack.enter_async_context(open_stream())
            async for item in stream:
                count += 1
                received[0] = next(numbers)
                if count == warm_up:
                    check(item)
                    clock.warmed_up()
                elif count == last:
                    clock.ended()
            clock.ended()

    await asyncio.gather(*[consume() for _ in range(clock.streams)])


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def floor_async(base: str, clock: Clock, *, buffered: bool = False) -> None:
    from ssejet import StreamMachine
    from ssejet._core import BodyReader
    from ssejet.chat import ChatCompletionChunk

    class Reader(asyncio.Protocol):
        def __init__(self, ended: asyncio.Future[None]) -> None:
            self.head = b""
            self.body = BodyReader("chunked").feed
            self.machine = StreamMachine(cast_to=ChatCompletionChunk)
            self.feed = self.machine.feed
            self.ended = ended
            self.count = 0

        def connection_made(self, transport: Any) -> None:
            transport.write(REQUEST)

        def data_received(self, data: bytes) -> None:
            if self.head is not None:
                self.head += data
                if b"\r\n\r\n" not in self.head:
                    return
                data = self.head.partition(b"\r\n\r\n")[2]
                self.head = None  # type: ignore[assignment]
            for item in self.feed(self.body(data)):
                self.count += 1
                clock.received[0] = next(clock.numbers)
                if self.count == clock.warm_up:
                    is_chunk(item)
                    clock.warmed_up()
                elif self.count == clock.last:
                    clock.ended()
            if self.machine.done and not self.ended.done():
                self.ended.set_result(None)

    class BufferedReader(Reader, asyncio.BufferedProtocol):  # type: ignore[misc]
        """Reads into one buffer, while the event loop allocates one for each read of the other reader."""

        buffer = memoryview(bytearray(65536))

        def get_buffer(self, sizehint: int) -> memoryview:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.data_received(bytes(self.buffer[:nbytes]))

    loop = asyncio.get_running_loop()
    port = int(base.rsplit(":", 1)[1])
    context = tls_context() if base.startswith("https") else None
    reader = BufferedReader if buffered else Reader
    ends = [loop.create_future() for _ in range(clock.streams)]
    for end in ends:
        await loop.create_connection(partial(reader, end), "127.0.0.1", port, ssl=context)
    await asyncio.gather(*ends)


async def floor_buffered_async(base: str, clock: Clock) -> None:
    await floor_async(base, clock, buffered=True)


async def over_http(http: Any, base: str, clock: Clock, *, direct: bool = True, decodes: bool = True) -> None:
    from ssejet import AsyncStream
    from ssejet.chat import ChatCompletionChunk

    limits = http.Limits(max_connections=None)
    async with http.AsyncClient(verify=tls_context(), timeout=60, limits=limits) as client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with client.stream("POST", base, json={"stream": True}) as response:
                if decodes:
                    yield AsyncStream(response, cast_to=ChatCompletionChunk, direct=direct)
                else:
                    yield response.aiter_bytes()

        await run_streams(clock, open_stream, is_chunk if decodes else is_bytes)


async def httpx_async(base: str, clock: Clock) -> None:
    import httpx

    await over_http(httpx, base, clock)


async def httpx2_async(base: str, clock: Clock) -> None:
    import httpx2

    await over_http(httpx2, base, clock)


async def httpx_ordinary_async(base: str, clock: Clock) -> None:
    import httpx

    await over_http(httpx, base, clock, direct=False)


async def httpx_bytes_async(base: str, clock: Clock) -> None:
    import httpx

    await over_http(httpx, base, clock, decodes=False)


async def httpx2_bytes_async(base: str, clock: Clock) -> None:
    import httpx2

    await over_http(httpx2, base, clock, decodes=False)


async def aiohttp_bytes_async(base: str, clock: Clock) -> None:
    import aiohttp

    connector = aiohttp.TCPConnector(ssl=tls_context(), limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with client.post(base, json={"stream": True}) as response:
                yield response.content.iter_any()

        await run_streams(clock, open_stream, is_bytes)


async def client_async(base: str, clock: Clock) -> None:
    import httpx

    from ssejet import AsyncClient

    http = httpx.AsyncClient(verify=tls_context(), limits=httpx.Limits(max_connections=None))
    async with http, AsyncClient(base_url=base, http_client=http) as client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with await client.chat.completions.create(model="m", messages=[], stream=True) as stream:
                yield stream

        await run_streams(clock, open_stream)


async def openai_async(base: str, clock: Clock, *, fast: bool = False) -> None:
    import openai
    from openai import DefaultAsyncHttpxClient

    import ssejet

    http = DefaultAsyncHttpxClient(verify=tls_context())
    client = openai.AsyncOpenAI(api_key="k", base_url=base, http_client=http)
    if fast:
        client = ssejet.accelerate(client)
    async with client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with await client.chat.completions.create(model="m", messages=[], stream=True) as stream:
                yield stream

        await run_streams(clock, open_stream)


async def openai_fast_async(base: str, clock: Clock) -> None:
    await openai_async(base, clock, fast=True)


async def anthropic_async(base: str, clock: Clock, *, fast: bool = False) -> None:
    import anthropic
    from anthropic import DefaultAsyncHttpxClient

    import ssejet

    http = DefaultAsyncHttpxClient(verify=tls_context())
    client = anthropic.AsyncAnthropic(api_key="k", base_url=base, http_client=http)
    if fast:
        client = ssejet.accelerate(client)
    async with client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with await client.messages.create(
                model="m", max_tokens=9, messages=[], stream=True
            ) as stream:
                yield stream

        await run_streams(clock, open_stream, is_delta)


async def anthropic_fast_async(base: str, clock: Clock) -> None:
    await anthropic_async(base, clock, fast=True)


ASYNC: dict[str, Callable[[str, Clock], Awaitable[None]]] = {
    "floor": floor_async,
    "floor-buffered": floor_buffered_async,
    "httpx": httpx_async,
    "httpx2": httpx2_async,
    "client": client_async,
    "openai-fast": openai_fast_async,
    "openai": openai_async,
    "anthropic-fast": anthropic_fast_async,
    "anthropic": anthropic_async,
    "httpx-ordinary": httpx_ordinary_async,
    "httpx-bytes": httpx_bytes_async,
    "httpx2-bytes": httpx2_bytes_async,
    "aiohttp-bytes": aiohttp_bytes_async,
    **live_libraries.ASYNC,
}


# ----------------------------------------------------------------------------------------- sync, the variants


def run_stream(clock: Clock, stream: Iterator[Any], check: Callable[[Any], None] = is_chunk) -> None:
    clock.opening.release()
    received, numbers, warm_up, last = clock.received, clock.numbers, clock.warm_up, clock.last
    for count, item in enumerate(stream, 1):
        received[0] = next(numbers)
        if count == warm_up:
            check(item)
            clock.warmed_up()
        elif count == last:
            clock.ended()
    clock.ended()


def floor_sync(base: str, clock: Clock) -> None:
    from ssejet import StreamMachine
    from ssejet._core import BodyReader
    from ssejet.chat import ChatCompletionChunk

    sock: Any = socket.create_connection(("127.0.0.1", int(base.rsplit(":", 1)[1])))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if base.startswith("https"):
        sock = tls_context().wrap_socket(sock)
    sock.settimeout(60)
    sock.sendall(REQUEST)
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(65536)
    feed = BodyReader("chunked").feed
    machine = StreamMachine(cast_to=ChatCompletionChunk)

    def items() -> Iterator[Any]:
        data = head.partition(b"\r\n\r\n")[2]
        while True:
            yield from machine.feed(feed(data))
            if machine.done:
                return
            data = sock.recv(65536)

    run_stream(clock, items())
    sock.close()


def over_http_sync(http: Any, base: str, clock: Clock, *, direct: bool = True, decodes: bool = True) -> None:
    from ssejet import Stream
    from ssejet.chat import ChatCompletionChunk

    with http.Client(verify=tls_context(), timeout=60) as client:
        with client.stream("POST", base, json={"stream": True}) as response:
            if decodes:
                run_stream(clock, Stream(response, cast_to=ChatCompletionChunk, direct=direct))
            else:
                run_stream(clock, response.iter_bytes(), is_bytes)


def httpx_sync(base: str, clock: Clock) -> None:
    import httpx

    over_http_sync(httpx, base, clock)


def httpx2_sync(base: str, clock: Clock) -> None:
    import httpx2

    over_http_sync(httpx2, base, clock)


def httpx_ordinary_sync(base: str, clock: Clock) -> None:
    import httpx

    over_http_sync(httpx, base, clock, direct=False)


def httpx_bytes_sync(base: str, clock: Clock) -> None:
    import httpx

    over_http_sync(httpx, base, clock, decodes=False)


def httpx2_bytes_sync(base: str, clock: Clock) -> None:
    import httpx2

    over_http_sync(httpx2, base, clock, decodes=False)


def client_sync(base: str, clock: Clock) -> None:
    import httpx

    from ssejet import Client

    with httpx.Client(verify=tls_context()) as http, Client(base_url=base, http_client=http) as client:
        with client.chat.completions.create(model="m", messages=[], stream=True) as stream:
            run_stream(clock, stream)


def openai_sync(base: str, clock: Clock, *, fast: bool = False) -> None:
    import openai
    from openai import DefaultHttpxClient

    import ssejet

    client = openai.OpenAI(api_key="k", base_url=base, http_client=DefaultHttpxClient(verify=tls_context()))
    if fast:
        client = ssejet.accelerate(client)
    with client, client.chat.completions.create(model="m", messages=[], stream=True) as stream:
        run_stream(clock, stream)


def openai_fast_sync(base: str, clock: Clock) -> None:
    openai_sync(base, clock, fast=True)


def anthropic_sync(base: str, clock: Clock, *, fast: bool = False) -> None:
    import anthropic
    from anthropic import DefaultHttpxClient

    import ssejet

    client = anthropic.Anthropic(
        api_key="k", base_url=base, http_client=DefaultHttpxClient(verify=tls_context())
    )
    if fast:
        client = ssejet.accelerate(client)
    with client, client.messages.create(model="m", max_tokens=9, messages=[], stream=True) as stream:
        run_stream(clock, stream, is_delta)


def anthropic_fast_sync(base: str, clock: Clock) -> None:
    anthropic_sync(base, clock, fast=True)


SYNC: dict[str, Callable[[str, Clock], None]] = {
    "floor": floor_sync,
    "httpx": httpx_sync,
    "httpx2": httpx2_sync,
    "client": client_sync,
    "openai-fast": openai_fast_sync,
    "openai": openai_sync,
    "anthropic-fast": anthropic_fast_sync,
    "anthropic": anthropic_sync,
    "httpx-ordinary": httpx_ordinary_sync,
    "httpx-bytes": httpx_bytes_sync,
    "httpx2-bytes": httpx2_bytes_sync,
    **live_libraries.SYNC,
}


def run_threads(variant: Callable[[str, Clock], None], base: str, clock: Clock) -> None:
    threads = [threading.Thread(target=variant, args=(base, clock)) for _ in range(clock.streams)]
    for thread in threads:
        clock.opening.acquire()  # `run_stream` releases it
        thread.start()
    for thread in threads:
        thread.join()


# ------------------------------------------------------------------------------------------------- the parent


def measure(
    kind: str, variant: str, base: str, streams: int, chunks: int, shared: str, *, counts_reads: bool = False
) -> None:
    """Run a variant in this process, print its figures, and exit without closing the streams."""

    def report(clock: Clock) -> None:
        print(*clock.figures, flush=True)
        os._exit(0)

    allow_many_files()
    clock = Clock(streams, chunks, shared_counter(shared), report)
    if counts_reads:
        clock.count_reads()
    if kind == "async":
        asyncio.run(ASYNC[variant](base, clock))  # type: ignore[arg-type]
        return
    run_threads(SYNC[variant], base, clock)


def run_child(*arguments: str) -> tuple[float, float]:
    quiet = "ignore:Unverified HTTPS request"  # the server's certificate is its own
    command = [sys.executable, "-W", quiet, "-m", "benches.live", "--child", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    nanoseconds, chunks_per_read = map(float, done.stdout.split())
    return nanoseconds, chunks_per_read


def measure_setting(
    name: str, setting: Setting, only: list[str], rounds: int, samples: Samples, folder: Path
) -> None:
    """Measure variants in a setting, round by round."""
    known: dict[str, Any] = ASYNC if setting.kind == "async" else SYNC
    variants = [variant for variant in known if not only or variant in only]
    certificate = str(make_certificate(folder)) if setting.tls else ""
    shared = folder / "received"
    shared.write_bytes(bytes(8))
    numbers = [str(value) for value in (setting.streams, setting.chunks, setting.interval)]
    command = [sys.executable, "-m", "benches.live", "--serve", *numbers, str(shared), certificate]
    samples.workloads[name] = Description(setting.title, setting.streams * setting.chunks, 0, 0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            base = f"{'https' if setting.tls else 'http'}://127.0.0.1:{int(server.stdout.readline())}"
            for number in range(rounds + 1):
                for variant in variants:
                    cell = Cell(name, variant)
                    counts = ["--count-reads"] if number == 0 else []
                    nanoseconds, chunks_per_read = run_child(
                        setting.kind, variant, base, *numbers[:2], str(shared), *counts
                    )
                    if number:
                        samples.figures.setdefault(cell, []).append(nanoseconds)
                    elif chunks_per_read > MAX_CHUNKS_PER_READ:
                        samples.wrong[cell] = f"{chunks_per_read:.2f} chunks per read"
        finally:
            server.terminate()


VERSIONS = ("httpx", "httpx2", "aiohttp", "openai", "anthropic", "requests", "urllib3", "niquests")


def warn_of_load() -> float:
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"the load average is {load:.1f}: figures are not reliable above {QUIET}", file=sys.stderr)
    return round(load, 1)


def contestant(variant: str) -> Entrant:
    library = variant.partition("-")[0]
    return Entrant(importlib.metadata.version(library if library in VERSIONS else "ssejet"), "Python")


def main() -> None:
    """Measure all variants in all settings."""
    parser = argparse.ArgumentParser(prog="python -m benches.live", description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=", ".join(SETTINGS))
    parser.add_argument("--rounds", type=int, help="default: 7")
    parser.add_argument("--only", default="", help="some variants, separated by commas")
    parser.add_argument("--quick", action="store_true", help="few chunks, one round, nothing written")
    parser.add_argument("--output", type=Path, help="default: in benches/results/live/")
    options = parser.parse_args()
    if unknown := {*options.settings} - {*SETTINGS}:
        parser.error(f"unknown settings: {', '.join(sorted(unknown))}")
    rounds = options.rounds or (1 if options.quick else 7)
    only = [name for name in options.only.split(",") if name]
    samples = Samples()
    load = [warn_of_load()]
    for name in options.settings or SETTINGS:
        setting = SETTINGS[name]
        if options.quick:
            setting = setting._replace(streams=min(setting.streams, 20), chunks=40, interval=0.01)
        with tempfile.TemporaryDirectory() as folder:
            measure_setting(name, setting, only, rounds, samples, Path(folder))
        load.append(warn_of_load())
        print(report.live_text(samples, name), flush=True)
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": rounds, "load": load},
        contestants={variant: contestant(variant) for variant in {**ASYNC, **SYNC}},
        samples=samples,
    )
    if options.output is not None or not options.quick:
        path = options.output or LIVE_DIRECTORY / f"{results.date}-{machine.slug()}.json"
        results.write(path)
        print(f"written to {path}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        streams_text, chunks_text, interval_text, *files = sys.argv[2:]
        asyncio.run(serve(int(streams_text), int(chunks_text), float(interval_text), *files))
    elif sys.argv[1:2] == ["--child"]:
        kind, variant, base, streams_text, chunks_text, shared, *counts = sys.argv[2:]
        measure(kind, variant, base, int(streams_text), int(chunks_text), shared, counts_reads=bool(counts))
    else:
        main()

"""The cost of live streams: one chunk per write, over a real socket, from a server in another process.

Each variant runs in a process of its own, in turn, round by round. Its figure is the CPU time of the client
per typed chunk. The clock starts when all streams run, so that connecting is not part of it. The floor does
the least that gives the same chunks: it feeds what the socket gives to the decoder.

    python -m benches.live [--kind async|sync] [--tls] [--rounds 5] [--only floor,httpx] [--json FILE]
"""

# ruff: noqa: SIM117 (one statement for both would not fit into a line)

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import mmap
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches import live_libraries

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
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

# How many chunks of each stream are received before the clock starts, at least.
WARM_UP = 20


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
        self.writers: list[asyncio.StreamWriter] = []
        self.ended: list[asyncio.Future[None]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    await reader.readexactly(int(line.split(b":")[1]))
            writer.write(HEAD)
            self.writers.append(writer)
            self.ended.append(ended := asyncio.get_running_loop().create_future())
            if len(self.writers) == self.streams:
                writers, self.writers = self.writers, []
                ends, self.ended = self.ended, []
                await self.write_all(writers)
                for each in ends:
                    each.set_result(None)
            else:
                await ended
            await writer.drain()
        writer.close()

    async def write_all(self, writers: list[asyncio.StreamWriter]) -> None:
        piece = framed(EVENT)
        loop = asyncio.get_running_loop()
        most = max(1, len(writers) // 2)
        sent = 0
        due = loop.time() + 0.2
        for _ in range(self.chunks):
            for writer in writers:
                due = max(due + self.interval / len(writers), loop.time())
                await asyncio.sleep(due - loop.time())
                while sent - self.received[0] >= most:  # noqa: ASYNC110 (another process counts)
                    await asyncio.sleep(0.0001)
                writer.write(piece)
                sent += 1
        for writer in writers:
            writer.write(framed(DONE) + framed(b""))


async def serve(streams: int, chunks: int, interval: float, shared: str, certificate: str) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    pacer = Pacer(streams, chunks, interval, shared_counter(shared))
    server = await asyncio.start_server(pacer.handle, "127.0.0.1", 0, ssl=context, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


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
    """Measures from when all streams run until the first of them ends."""

    def __init__(self, streams: int, received: memoryview) -> None:
        self.streams = streams
        self.received = received
        received[0] = 0
        self.running = 0
        self.start: tuple[float, int] | None = None
        self.stop: tuple[float, int] | None = None

    def warmed_up(self) -> None:
        self.running += 1
        if self.running == self.streams:
            self.start = (time.process_time(), self.received[0])

    def ended(self) -> None:
        if self.stop is None:
            self.stop = (time.process_time(), self.received[0])

    def microseconds(self) -> float:
        assert self.start is not None
        assert self.stop is not None
        return (self.stop[0] - self.start[0]) / (self.stop[1] - self.start[1]) * 1e6


def tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_chunk(item: Any) -> None:
    assert item.choices[0].delta.content == " token", item


# ---------------------------------------------------------------------------------------- async, the variants


async def run_streams(clock: Clock, open_stream: Callable[[], Any]) -> None:
    async def consume() -> None:
        count = 0
        received = clock.received
        async with open_stream() as stream:
            async for item in stream:
                count += 1
                received[0] += 1
                if count == WARM_UP:
                    is_chunk(item)
                    clock.warmed_up()
            clock.ended()

    await asyncio.gather(*[consume() for _ in range(clock.streams)])


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def floor_async(base: str, clock: Clock) -> None:
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
                clock.received[0] += 1
                if self.count == WARM_UP:
                    is_chunk(item)
                    clock.warmed_up()
            if self.machine.done and not self.ended.done():
                clock.ended()
                self.ended.set_result(None)

    loop = asyncio.get_running_loop()
    port = int(base.rsplit(":", 1)[1])
    context = tls_context() if base.startswith("https") else None
    ends = [loop.create_future() for _ in range(clock.streams)]
    for end in ends:
        await loop.create_connection(partial(Reader, end), "127.0.0.1", port, ssl=context)
    await asyncio.gather(*ends)


async def over_http(http: Any, base: str, clock: Clock, *, direct: bool = True) -> None:
    from ssejet import AsyncStream
    from ssejet.chat import ChatCompletionChunk

    limits = http.Limits(max_connections=None)
    async with http.AsyncClient(verify=tls_context(), timeout=60, limits=limits) as client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with client.stream("POST", base, json={"stream": True}) as response:
                yield AsyncStream(response, cast_to=ChatCompletionChunk, direct=direct)

        await run_streams(clock, open_stream)


async def httpx_async(base: str, clock: Clock) -> None:
    import httpx

    await over_http(httpx, base, clock)


async def httpx2_async(base: str, clock: Clock) -> None:
    import httpx2

    await over_http(httpx2, base, clock)


async def httpx_ordinary_async(base: str, clock: Clock) -> None:
    import httpx

    await over_http(httpx, base, clock, direct=False)


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


ASYNC: dict[str, Callable[[str, Clock], Awaitable[None]]] = {
    "floor": floor_async,
    "httpx": httpx_async,
    "httpx2": httpx2_async,
    "client": client_async,
    "openai-fast": openai_fast_async,
    "openai": openai_async,
    "httpx-ordinary": httpx_ordinary_async,
    **live_libraries.ASYNC,
}


# ----------------------------------------------------------------------------------------- sync, the variants


def run_stream(clock: Clock, stream: Iterator[Any]) -> None:
    received = clock.received
    for count, item in enumerate(stream, 1):
        received[0] += 1
        if count == WARM_UP:
            is_chunk(item)
            clock.warmed_up()
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


def over_http_sync(http: Any, base: str, clock: Clock, *, direct: bool = True) -> None:
    from ssejet import Stream
    from ssejet.chat import ChatCompletionChunk

    with http.Client(verify=tls_context(), timeout=60) as client:
        with client.stream("POST", base, json={"stream": True}) as response:
            run_stream(clock, Stream(response, cast_to=ChatCompletionChunk, direct=direct))


def httpx_sync(base: str, clock: Clock) -> None:
    import httpx

    over_http_sync(httpx, base, clock)


def httpx2_sync(base: str, clock: Clock) -> None:
    import httpx2

    over_http_sync(httpx2, base, clock)


def httpx_ordinary_sync(base: str, clock: Clock) -> None:
    import httpx

    over_http_sync(httpx, base, clock, direct=False)


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


SYNC: dict[str, Callable[[str, Clock], None]] = {
    "floor": floor_sync,
    "httpx": httpx_sync,
    "httpx2": httpx2_sync,
    "client": client_sync,
    "openai-fast": openai_fast_sync,
    "openai": openai_sync,
    "httpx-ordinary": httpx_ordinary_sync,
    **live_libraries.SYNC,
}


# ------------------------------------------------------------------------------------------------- the parent


def measure(kind: str, variant: str, base: str, streams: int, shared: str) -> float:
    """Run a variant in this process, and return its microseconds per chunk."""
    clock = Clock(streams, shared_counter(shared))
    if kind == "async":
        asyncio.run(ASYNC[variant](base, clock))  # type: ignore[arg-type]
    else:
        SYNC[variant](base, clock)
    return clock.microseconds()


def run_child(*arguments: str) -> float:
    command = [sys.executable, "-m", "benches.live", "--child", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return float(done.stdout)


def main() -> None:
    """Measure all variants of a kind, and print their ratios to the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("async", "sync"), default="async")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, help="20 for async, always 1 for sync")
    parser.add_argument("--chunks", type=int, help="per stream")
    parser.add_argument("--interval", type=float, help="seconds between the chunks of a stream")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    is_async = options.kind == "async"
    streams = (options.streams or 20) if is_async else 1
    chunks = options.chunks or (200 if is_async else 3000)
    interval = options.interval or (0.01 if is_async else 0.0005)
    variants = [
        name for name in (ASYNC if is_async else SYNC) if not options.only or name in options.only.split(",")
    ]
    figures: dict[str, list[float]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as folder:
        certificate = str(make_certificate(Path(folder))) if options.tls else ""
        shared = Path(folder) / "received"
        shared.write_bytes(bytes(8))
        setting = [str(value) for value in (streams, chunks, interval, shared, certificate)]
        command = [sys.executable, "-m", "benches.live", "--serve", *setting]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            base = f"{'https' if options.tls else 'http'}://127.0.0.1:{port}"
            for _ in range(options.rounds):
                for name in variants:
                    figures[name].append(run_child(options.kind, name, base, str(streams), str(shared)))
        finally:
            server.terminate()
            server.wait()
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, figures[variants[0]], strict=True))
        for name, values in figures.items()
    }
    for name, values in figures.items():
        print(f"{name:16} {statistics.median(values):8.1f} µs   {ratios[name]:5.2f} × {variants[0]}")
    if options.json:
        setting = {
            "kind": options.kind,
            "tls": options.tls,
            "streams": streams,
            "chunks": chunks,
            "interval": interval,
        }
        options.json.write_text(
            json.dumps({"setting": setting, "figures": figures, "ratios": ratios}, indent=1)
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        streams_text, chunks_text, interval_text, *files = sys.argv[2:]
        asyncio.run(serve(int(streams_text), int(chunks_text), float(interval_text), *files))
    elif sys.argv[1:2] == ["--child"]:
        print(measure(*sys.argv[2:5], int(sys.argv[5]), sys.argv[6]))
    else:
        main()

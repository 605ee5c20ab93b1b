"""`python -m benches.many_streams`: what one chunk costs when many streams are live in one process.

A server in another process sends the same number of chunks a second over all streams together, one chunk in
each write, whether there are 20 streams or 1,000. It waits for a client that is late: two chunks in one read
would cost less than two reads, and that happens more often with few streams. One more round counts the reads.

Each measurement runs in a process of its own. Its figures are the client's processor time: for a chunk while
all streams run, and for opening and closing a stream.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import socket
import statistics
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from multiprocessing.connection import Connection

_GOAL = 1.3
_TICK = 0.002
_MOST_UNDER_WAY = 10
"""How many chunks were sent at the most that the client has not received."""
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\n\r\n"
)
_EVENT = (
    b'data: {"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk",'
    b'"created":1741570283,"model":"gpt-4o-2024-08-06","service_tier":"default",'
    b'"system_fingerprint":"fp_fc9f1d7035","choices":[{"index":0,"delta":{"content":" token"},'
    b'"logprobs":null,"finish_reason":null}]}\n\n'
)
_LAST_EVENT = b"data: [DONE]\n\n"


def _frame(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_CHUNK, _END = _frame(_EVENT), _frame(_LAST_EVENT) + b"0\r\n\r\n"


class _Server(asyncio.Protocol):
    """One connection of the server; the class knows all streams."""

    streams: ClassVar[list[asyncio.Transport]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        # One request comes on each connection; its body does not matter.
        answered, self._received = b"\r\n\r\n" in self._received, self._received + data
        if not answered and b"\r\n\r\n" in self._received:
            self._transport.write(_HEAD + _CHUNK)
            self.streams.append(self._transport)


def serve(pipe: Connection, shared: Any) -> None:
    """Serve rounds: the parent sends (streams, chunks a second), then None to end the streams.

    The client counts in ``shared`` the chunks that it has received.
    """
    received = memoryview(shared).cast("B").cast("Q")

    class Server(_Server):
        streams: ClassVar[list[asyncio.Transport]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Server, "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        while order := await loop.run_in_executor(None, pipe.recv):
            count, rate = order
            while len(Server.streams) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            streams, Server.streams = Server.streams, []
            stop = loop.run_in_executor(None, pipe.recv)
            turns, due, sent = cycle(streams), time.perf_counter(), count
            while not stop.done():
                due += _TICK
                await asyncio.sleep(due - time.perf_counter())
                for transport in islice(turns, round(rate * _TICK)):
                    while sent - received[0] >= _MOST_UNDER_WAY and not stop.done():  # noqa: ASYNC110
                        await asyncio.sleep(0.0001)
                    transport.write(_CHUNK)
                    sent += 1
            for transport in streams:
                transport.write(_END)

    asyncio.run(run())


class Clock:
    """Counts the chunks of all streams, and takes the processor time while all of them run."""

    def __init__(self, streams: int, chunks: int, pipe: Connection, shared: Any) -> None:
        self._pipe = pipe
        self._received = memoryview(shared).cast("B").cast("Q")
        self._reads = 0
        self._started_at = 2 * streams  # each stream has its first chunk, and most have a second one
        self._stopped_at = self._started_at + chunks
        self._streams, self._chunks, self._count = streams, chunks, 0
        self._opening = self._opened = self._begin = self._end = 0.0
        self._collections = 0

    def start(self) -> None:
        self._opening = time.process_time()

    def count_reads(self) -> None:
        """Count what sockets give from now on. That takes time, so such a run gives no other figures."""

        def counted(method: Any) -> Any:
            def read(*arguments: Any) -> Any:
                result = method(*arguments)
                if result and self._begin and not self._end:
                    self._reads += 1
                return result

            return read

        for name in ("recv", "recv_into"):
            setattr(socket.socket, name, counted(getattr(socket.socket, name)))

    def tick(self) -> None:
        self._received[0] = self._count = self._count + 1
        if self._count == self._streams:
            self._opened = time.process_time()
        elif self._count == self._started_at:
            self._collections = gc.get_stats()[2]["collections"]
            self._begin, self._wall = time.process_time(), time.perf_counter()
        elif self._count == self._stopped_at:
            self._end, self._wall = time.process_time(), time.perf_counter() - self._wall
            self._collections = gc.get_stats()[2]["collections"] - self._collections
            self._pipe.send(None)

    def figures(self) -> dict[str, float]:
        assert self._count >= self._stopped_at, "streams ended too early"
        chunk = (self._end - self._begin) / self._chunks
        late = self._count - self._stopped_at
        return {
            "chunk": chunk * 1e6,
            "open": (self._opened - self._opening) / self._streams * 1e6,
            "close": (time.process_time() - self._end - late * chunk) / self._streams * 1e6,
            "busy": (self._end - self._begin) / self._wall,
            "rate": self._chunks / self._wall,
            "collections": self._collections,
            "per_read": self._chunks / self._reads if self._reads else 0.0,
        }


class _Floor(asyncio.Protocol):
    """Feeds the decoder, which ignores the lines of the chunked encoding, and builds the chunks."""

    def __init__(self, clock: Clock) -> None:
        from ssejet import Decoder
        from ssejet.chat import ChatCompletionChunk
        from ssejet.typed._cast import make_cast

        self._clock = clock
        self._decoder = Decoder()
        self._cast = make_cast(ChatCompletionChunk).decode
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._transport.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        for event in self._decoder.feed(data):
            if event.data == "[DONE]":
                self._transport.close()
                self.done.set_result(None)
            else:
                self._cast(event.data)
                self._clock.tick()


async def _floor(url: str, count: int, clock: Clock) -> None:
    loop = asyncio.get_running_loop()
    port = int(url.rpartition(":")[2])
    protocols = [_Floor(clock) for _ in range(count)]
    clock.start()
    for protocol in protocols:
        await loop.create_connection(lambda protocol=protocol: protocol, "127.0.0.1", port)
    await asyncio.gather(*(protocol.done for protocol in protocols))


async def _run_all(count: int, clock: Clock, run: Callable[[], Awaitable[AsyncIterator[None]]]) -> None:
    clock.start()
    # Not all at the same moment: a gateway's callers come one after the other, too.
    gate = asyncio.Semaphore(20)

    async def one() -> None:
        async with gate:
            stream = await run()
        async for _ in stream:
            pass

    await asyncio.gather(*(one() for _ in range(count)))


def _over_response(library: str, read: Callable[[Any], AsyncIterator[Any]], *, indexed: bool = False) -> Any:
    async def run_all(url: str, count: int, clock: Clock) -> None:
        from importlib import import_module

        http: Any = import_module(library)
        limits = http.Limits(max_connections=None)
        async with http.AsyncClient(limits=limits, timeout=600, trust_env=False) as client:
            if indexed:
                from ssejet import index_pools

                index_pools(client)

            async def open_stream() -> AsyncIterator[None]:
                response = await client.send(client.build_request("GET", url), stream=True)
                return _ticking(read(response), clock, response.aclose)

            await _run_all(count, clock, open_stream)

    return run_all


async def _ticking(items: AsyncIterator[Any], clock: Clock, close: Any) -> AsyncIterator[None]:
    async for _ in items:
        clock.tick()
        yield
    await close()


def _bare(response: Any) -> AsyncIterator[Any]:
    async def read() -> AsyncIterator[Any]:
        # The last read holds the end of the stream, and is no chunk.
        async for chunk in response.aiter_bytes():
            if not chunk.endswith(_LAST_EVENT):
                yield chunk

    return read()


def _typed(response: Any) -> AsyncIterator[Any]:
    from ssejet import AsyncStream
    from ssejet.chat import ChatCompletionChunk

    return AsyncStream(response, cast_to=ChatCompletionChunk)


async def _aiohttp(url: str, count: int, clock: Clock) -> None:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def open_stream() -> AsyncIterator[None]:
            response = await session.get(url)

            async def read() -> AsyncIterator[Any]:
                from ssejet import Decoder
                from ssejet.chat import ChatCompletionChunk
                from ssejet.typed._cast import make_cast

                decoder, cast = Decoder(), make_cast(ChatCompletionChunk).decode
                async for chunk in response.content.iter_any():
                    for event in decoder.feed(chunk):
                        if event.data != "[DONE]":
                            yield cast(event.data)

            async def close() -> None:
                response.release()

            return _ticking(read(), clock, close)

        await _run_all(count, clock, open_stream)


async def _client(url: str, count: int, clock: Clock) -> None:
    from ssejet import AsyncClient

    async with AsyncClient(base_url=url, api_key="") as client:

        async def open_stream() -> AsyncIterator[None]:
            stream = await client.chat.completions.create(model="m", messages=[], stream=True)
            return _ticking(stream, clock, stream.close)

        await _run_all(count, clock, open_stream)


def _sdk(library: str) -> Any:
    async def run_all(url: str, count: int, clock: Clock) -> None:
        from importlib import import_module

        import openai

        import ssejet

        http: Any = import_module(library)
        own = (
            {}
            if library == "httpx2"
            else {"http_client": http.AsyncClient(limits=http.Limits(max_connections=None))}
        )
        async with ssejet.accelerate(openai.AsyncOpenAI(base_url=url, api_key="key", **own)) as client:

            async def open_stream() -> AsyncIterator[None]:
                stream = await client.chat.completions.create(model="m", messages=[], stream=True)
                return _ticking(stream, clock, stream.close)

            await _run_all(count, clock, open_stream)

    return run_all


VARIANTS: dict[str, Any] = {
    "floor": _floor,
    "httpx, bytes": _over_response("httpx", _bare),
    "httpx2, bytes": _over_response("httpx2", _bare),
    "AsyncStream, httpx": _over_response("httpx", _typed),
    "AsyncStream, httpx2": _over_response("httpx2", _typed),
    "AsyncStream, httpx, index_pools": _over_response("httpx", _typed, indexed=True),
    "AsyncStream, httpx2, index_pools": _over_response("httpx2", _typed, indexed=True),
    "AsyncClient": _client,
    "AsyncOpenAI, accelerated, httpx": _sdk("httpx"),
    "AsyncOpenAI, accelerated": _sdk("httpx2"),
    "aiohttp, Decoder": _aiohttp,
}


def _measure(
    variant: str,
    count: int,
    chunks: int,
    port: int,
    pipe: Connection,
    clock: Connection,
    shared: Any,
    counts_reads: bool,
) -> None:
    import resource

    # Importing and the certificates are not part of opening a stream.
    import ssejet.chat
    import ssejet.client  # noqa: F401

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def run() -> None:
        counter = Clock(count, chunks, clock, shared)
        if counts_reads:
            counter.count_reads()
        await VARIANTS[variant](f"http://127.0.0.1:{port}", count, counter)
        pipe.send(counter.figures())

    asyncio.run(run())


class Bench:
    """Runs measurements against one server."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")

    def measure(
        self, variant: str, count: int, *, rate: int, seconds: float, counts_reads: bool = False
    ) -> dict[str, float]:
        """Measure one variant with ``count`` streams, in new processes."""
        orders, served = self._context.Pipe()
        shared = self._context.RawArray("Q", 1)
        server = self._context.Process(target=serve, args=(served, shared), daemon=True)
        server.start()
        port = orders.recv()
        ours, theirs = self._context.Pipe()
        clock, ticks = self._context.Pipe()
        arguments = (variant, count, int(rate * seconds), port, theirs, ticks, shared, counts_reads)
        child = self._context.Process(target=_measure, args=arguments, daemon=True)
        child.start()
        try:
            orders.send((count, rate))
            if not clock.poll(120 + 5 * seconds):
                raise TimeoutError(f"{variant} with {count} streams is too slow")
            orders.send(clock.recv() or "stop")
            if not ours.poll(300):
                raise TimeoutError(f"{variant} with {count} streams does not end")
            return ours.recv()
        finally:
            with contextlib.suppress(BrokenPipeError):
                orders.send(None)
            for process in (child, server):
                process.terminate()
                process.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.many_streams", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--rate", type=int, default=10_000, metavar="N", help="chunks a second over all streams"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="default: %(default)s")
    parser.add_argument("--streams", type=int, nargs="+", default=[20, 1000], metavar="N")
    parser.add_argument(
        "--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="VARIANT"
    )
    options = parser.parse_args()
    bench = Bench()
    figures: dict[tuple[str, int], list[dict[str, float]]] = {}
    per_read: dict[tuple[str, int], float] = {}
    for number in range(options.rounds + 1):
        for variant in options.only:
            for count in options.streams:
                figure = bench.measure(
                    variant, count, rate=options.rate, seconds=options.seconds, counts_reads=number == 0
                )
                if number == 0:
                    per_read[variant, count] = figure["per_read"]
                else:
                    figures.setdefault((variant, count), []).append(figure)
    print(
        f"processor time of the client in microseconds, medians of {options.rounds} rounds; "
        f"{options.rate:,} chunks a second"
    )
    print(
        "| what | streams | a chunk | × of fewest | an opening | a closing | busy | rate | "
        "full collections | chunks a read |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for (variant, count), runs in figures.items():
        median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        fewest = figures[variant, options.streams[0]]
        ratio = statistics.median(a["chunk"] / b["chunk"] for a, b in zip(runs, fewest, strict=True))
        print(
            f"| {variant} | {count:,} | {median['chunk']:.1f} | {ratio:.2f} | {median['open']:.0f} | "
            f"{median['close']:.0f} | {median['busy']:.0%} | {median['rate']:,.0f} | "
            f"{median['collections']:.0f} | {per_read[variant, count]:.2f} |"
        )


if __name__ == "__main__":
    main()

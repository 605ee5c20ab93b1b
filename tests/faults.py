"""A server of events that does wrong, byte by byte, whatever a test tells it to."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from dataclasses import dataclass, field
from enum import Enum, auto
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from raw_server import RawServer, Request, chunk, head, read_request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Framing(Enum):
    """How a body says where it ends."""

    CHUNKED = auto()
    LENGTH = auto()
    """Content-Length."""
    CLOSE = auto()
    """It doesn't: the connection's end is the body's."""
    GZIP = auto()
    """Chunked and compressed."""


class Then(Enum):
    """How a connection ends."""

    END = auto()
    """The body ends correctly, and the connection stays open."""
    CLOSE = auto()
    """The socket is closed, even in the middle of the body."""
    RESET = auto()
    """The socket is reset."""
    STALL = auto()
    """Nothing more is sent until the client goes away."""
    GARBAGE = auto()
    """Bytes that are wrong at the level of HTTP, or of the compression; then the socket is closed."""


@dataclass(frozen=True)
class Fault:
    """What a server does with one request. By default nothing is wrong with it.

    Attributes:
        status: of the response; 0 for no response, but what ``then`` says.
        headers: of the response, in addition.
        framing: of the body.
        events: after how many events the end comes, at the latest.
        cut: after how many bytes of the body it comes, at the latest.
        then: what the end is.
        drip: whether each byte is sent on its own.
        whole: how many bytes are sent in one piece before that.
        delay: seconds to wait before the response.
        wrong_length: how much a Content-Length is too large, in bytes; negative if it is too small.
        forgets: whether Last-Event-ID is ignored.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: Framing = Framing.CHUNKED
    events: int | None = None
    cut: int | None = None
    then: Then = Then.END
    drip: bool = False
    whole: int = 0
    delay: float = 0.0
    wrong_length: int = 0
    forgets: bool = False


@dataclass
class Source:
    """Serves events: each request gets the next fault, and no fault when all are used.

    Once all events have been received, as Last-Event-ID says, the server answers 204.

    Attributes:
        url: the URL of the server. Each path below it gives the same events.
        blocks: the events as they are sent; the n-th sets the last event ID to n.
        faults: what is still to go wrong.
        requests: what was asked.
        struck: when each request met its fault, by ``time.perf_counter()``.
    """

    url: str
    blocks: tuple[bytes, ...]
    faults: list[Fault]
    requests: list[Request] = field(default_factory=list)
    struck: list[float] = field(default_factory=list)


class FaultServer(RawServer):
    """Serves sources."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._sources: dict[str, Source] = {}

    def source(self, *blocks: bytes, faults: Iterable[Fault] = ()) -> Source:
        """Serve events at a new URL."""
        name = str(len(self._sources))
        source = Source(self.base + name, blocks, list(faults))
        self._sources[name] = source
        return source

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        source = self._sources[request.path.partition("?")[0].split("/")[1]]
        fault = source.faults.pop(0) if source.faults else Fault()
        self.tell(lambda: source.requests.append(request))
        received = 0 if fault.forgets else int(request.headers.get("last-event-id", b"0"))
        if fault.status == 200 and received == len(source.blocks):
            fault = Fault(status=204)
        return await _Answer(source, reader, writer).send(fault, source.blocks[received:])


class _Answer:
    """Writes one connection's responses."""

    def __init__(self, source: Source, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._struck = False
        self._source = source
        self._reader = reader
        self._writer = writer

    async def send(self, fault: Fault, blocks: Sequence[bytes]) -> bool:
        """Answer, and say whether the connection stays open."""
        await asyncio.sleep(fault.delay)
        headers = {"Content-Type": "text/event-stream", **fault.headers}
        if fault.status == 0:
            self._strike()
            await self._send(b"\x00\xffnothing like HTTP\r\n\r\n" if fault.then is Then.GARBAGE else b"")
            return await self._end(Then.CLOSE if fault.then is Then.END else fault.then)
        if fault.status == 200:
            body = b"".join(blocks[: fault.events])
            return await self._send_body(fault, headers, body, body[: fault.cut])
        self._strike()
        await self._send(head(fault.status, {**headers, "Content-Length": "0"}))
        return True

    async def _send_body(self, fault: Fault, headers: dict[str, str], body: bytes, sent: bytes) -> bool:
        start = fault.whole if fault.drip else len(sent)
        pieces = [sent[:start], *(sent[i : i + 1] for i in range(start, len(sent)))]
        whole = sent == body
        if fault.framing is Framing.LENGTH:
            length = max(0, len(body) + fault.wrong_length)
            await self._send(head(200, {**headers, "Content-Length": str(length)}))
            await self._send(*pieces)
            whole = whole and length == len(body)
        elif fault.framing is Framing.CLOSE:
            await self._send(head(200, {**headers, "Connection": "close"}))
            await self._send(*pieces)
            whole = False
        else:
            if fault.framing is Framing.GZIP:
                headers = {**headers, "Content-Encoding": "gzip"}
                pieces = _compress(pieces, whole)
            await self._send(head(200, {**headers, "Transfer-Encoding": "chunked"}))
            await self._send(*(chunk(piece) for piece in pieces if piece))
            if whole and fault.then is Then.END:
                await self._send(b"0\r\n\r\n")
        if fault.then is Then.GARBAGE:
            self._strike()
            # Neither is a chunk's size, nor, compressed, a block of a known kind.
            await self._send(chunk(b"\xff" * 9) if fault.framing is Framing.GZIP else b"\xff" * 9 + b"\r\n")
        return await self._end(Then.CLOSE if fault.then is Then.END and not whole else fault.then)

    def _strike(self) -> None:
        if not self._struck:
            self._struck = True
            self._source.struck.append(perf_counter())

    async def _send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def _end(self, then: Then) -> bool:
        self._strike()
        if then is Then.STALL:
            await self._reader.read()
        elif then is Then.RESET:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()
        return then is Then.END


def _compress(pieces: Iterable[bytes], whole: bool) -> list[bytes]:
    compressor = zlib.compressobj(wbits=31)
    compressed = [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [*compressed, compressor.flush()] if whole else compressed


@pytest.fixture(scope="session")
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server

"""A server that sends one piece of a body after another, each when the test allows it, in any framing."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from enum import Enum, auto
from typing import TYPE_CHECKING

from raw_server import RawServer, chunk, head, read_request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence


class Framing(Enum):
    """How the end of a body is marked."""

    CHUNKED = auto()
    LENGTH = auto()
    CLOSE = auto()


class FramedServer(RawServer):
    """Sends pieces. After each it waits until the test confirms it, so a client that buffers never ends.

    Args:
        pieces: what to send.
        framing: how the body's end is marked.
        encoding: the content encoding, flushed after each piece.
        tls: see ``RawServer``.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        framing: Framing = Framing.CHUNKED,
        encoding: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls)
        self._pieces = compressed(pieces, encoding)
        self._framing = framing
        self._encoding = encoding
        self._confirmed = asyncio.Semaphore(0)
        self.requests = 0

    def confirm(self) -> None:
        """Allow the next piece."""
        self._loop.call_soon_threadsafe(self._confirmed.release)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await read_request(reader)
        self.requests += 1
        headers = {"Content-Type": "text/event-stream"}
        frame: Callable[[bytes], bytes] = bytes
        if self._encoding is not None:
            headers["Content-Encoding"] = self._encoding
        if self._framing is Framing.CHUNKED:
            headers["Transfer-Encoding"] = "chunked"
            frame = chunk
        elif self._framing is Framing.LENGTH:
            headers["Content-Length"] = str(sum(map(len, self._pieces)))
        else:
            headers["Connection"] = "close"
        writer.write(head(200, headers))
        for number, piece in enumerate(self._pieces):
            if number:
                await self._confirmed.acquire()
            writer.write(frame(piece))
            await writer.drain()
        if self._framing is Framing.CHUNKED:
            writer.write(chunk(b""))
        return self._framing is not Framing.CLOSE


def compressed(pieces: Sequence[bytes], encoding: str | None) -> list[bytes]:
    """The pieces in a content encoding."""
    if encoding is None:
        return list(pieces)
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    parts = [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    parts[-1] += compressor.flush()
    assert encoding != "gzip" or gzip.decompress(b"".join(parts)) == b"".join(pieces)
    return parts

"""A server that sends exactly the bytes that a test gives it."""

from __future__ import annotations

import asyncio
import socket
import struct
from enum import Enum, auto
from typing import TYPE_CHECKING

from raw_server import RawServer, read_request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence


class Then(Enum):
    """What the server does instead of sending bytes."""

    CLOSE = auto()
    """It closes the connection."""
    ABORT = auto()
    """It closes the connection without the farewell of TLS. Without TLS it is the same as CLOSE."""
    RESET = auto()
    """It resets the connection. What the client has not received by then is lost."""
    HANG = auto()
    """It sends nothing more until the client goes away."""
    WAIT = auto()
    """It waits until the test calls ``go_on()``."""


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

Step = bytes | Then


def of_length(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % length


class ExactServer(RawServer):
    """Answers the request of each path by its steps; bytes are sent one step after the other.

    Attributes:
        accepted: how many connections have been made.
        waits: how many times a ``Then.WAIT`` has begun.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.accepted = 0
        self.waits = 0
        self._answers: dict[str, Sequence[Step]] = {}
        self._permits = asyncio.Semaphore(0)

    def answer(self, *steps: Step) -> str:
        """Add an answer, and return its URL."""
        path = f"/{len(self._answers)}"
        self._answers[path] = steps
        return self.base.rstrip("/") + path

    def go_on(self) -> None:
        """End one ``Then.WAIT``."""
        self._loop.call_soon_threadsafe(self._permits.release)

    def _count(self, change: int) -> None:
        super()._count(change)
        self.accepted += max(change, 0)

    def _count_wait(self) -> None:
        self.waits += 1

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        for step in self._answers["/" + request.path.rsplit("/", 1)[1]]:  # a proxy gets the whole URL
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(0)
            elif step is Then.WAIT:
                self.tell(self._count_wait)
                await self._permits.acquire()
            elif step is Then.HANG:
                await reader.read()
                return False
            else:
                if step is Then.RESET:
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if step is not Then.CLOSE:
                    writer.transport.abort()
                return False
        return True

"""A server on the loopback interface that speaks HTTP/1.1 through bare sockets.

A server library would refuse to send what is wrong.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from typing_extensions import Self

# In seconds: longer than any test takes, but finite, so that a test that hangs fails.
A_LONG_TIME = 200


@dataclass(frozen=True)
class Request:
    """What the server was asked; the names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, bytes]
    body: bytes


class RawServer:
    """Serves from a thread of its own.

    Args:
        tls: to serve by HTTPS.

    Attributes:
        base: its URL, with a slash at the end.
        connections: how many are open.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._tls = tls
        self._changed = threading.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="raw-server")

    def start(self) -> None:
        self._thread.start()
        self._server = self._run(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=2048)
        )
        host, port = self._server.sockets[0].getsockname()
        self.base = f"{'http' if self._tls is None else 'https'}://{host}:{port}/"

    def stop(self) -> None:
        self._run(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true, and check it at each change; fail after ``A_LONG_TIME``."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout=A_LONG_TIME)

    def tell(self, news: Callable[[], object] = lambda: None) -> None:
        """Do something that may be waited for."""
        with self._changed:
            news()
            self._changed.notify_all()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request, and say whether the connection stays open."""
        raise NotImplementedError

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.tell(lambda: self._count(1))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self.handle(reader, writer):
                pass
        writer.close()
        with suppress(OSError):  # the connection is broken, or its TLS
            await writer.wait_closed()
        self._writers.remove(writer)
        self.tell(lambda: self._count(-1))

    def _count(self, change: int) -> None:
        self.connections += change

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _hang_up(self) -> None:
        # A server that is closed loses the sockets that it has only begun to accept, so that comes last.
        self._loop.remove_reader(self._server.sockets[0].fileno())
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.wait(tasks, timeout=0.01)
        self._server.close()


class Then(Enum):
    """How a response ends."""

    END = auto()
    """The body ends correctly."""
    DROP = auto()
    """The connection is closed in the middle of the body."""
    HANG = auto()
    """Nothing more is sent until the client goes away."""


@dataclass(frozen=True)
class Reply:
    """A response: its status, its headers, its body piece by piece, and its end.

    ``{base}`` in a header is the server's URL.
    """

    body: Sequence[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream"})
    then: Then = Then.END


class ScriptServer(RawServer):
    """Replies to each request with the next reply, and to those that follow not at all.

    Attributes:
        replies: what is still to come.
        requests: what was asked, and when by the server's clock, in seconds.
        replied: how many replies were sent; a reply that hangs counts without its end.
    """

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.replies = list(replies)
        self.requests: list[tuple[float, Request]] = []
        self.replied = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        at = self._loop.time()
        self.tell(lambda: self.requests.append((at, request)))
        if not self.replies:
            await reader.read()
            return False
        reply = self.replies.pop(0)
        bodiless = reply.status == 204
        headers = {name: value.replace("{base}", self.base) for name, value in reply.headers.items()}
        writer.write(head(reply.status, headers | ({} if bodiless else {"Transfer-Encoding": "chunked"})))
        for piece in reply.body:
            writer.write(chunk(piece))
            await writer.drain()
            await asyncio.sleep(0)
        if reply.then is Then.END and not bodiless:
            writer.write(chunk(b""))
        self.tell(self._count_reply)
        if reply.then is Then.HANG:
            await reader.read()
        return reply.then is Then.END

    def _count_reply(self) -> None:
        self.replied += 1


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    method, path, _ = first.decode().split()
    pairs = (line.split(b":", 1) for line in lines)
    headers = {name.decode().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", b"0")))
    return Request(method, path, headers, body)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)

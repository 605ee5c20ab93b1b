"""Sources that tell a test what happens to them in a server's thread."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import uvicorn
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# How many seconds a test waits before it fails. What it waits for happens at once.
TIMEOUT = 200.0


class Probe:
    """An endless source.

    Args:
        size: the bytes of each item.
        waits_after: the number of items after which it waits without end, or until ``gate`` is set.
    """

    def __init__(self, *, size: int = 10, waits_after: int | None = None) -> None:
        self.item = "x" * size
        self.waits_after = waits_after
        self.given = 0
        self.task: Any = None
        self.thread: Any = None
        self.ended_by: type[BaseException] | None = None
        self.closed = threading.Event()
        self.gate = threading.Event()

    async def asynchronous(self) -> AsyncIterator[str]:
        """The source, asynchronously."""
        self.task = asyncio.current_task()
        try:
            while True:
                if self.given == self.waits_after:
                    await asyncio.Event().wait()
                self.given += 1
                yield self.item
                await asyncio.sleep(0)
        except BaseException as error:
            self.ended_by = type(error)
            raise
        finally:
            assert asyncio.current_task() is self.task
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(0)
            self.closed.set()

    def synchronous(self) -> Iterator[str]:
        """The source, synchronously."""
        self.thread = threading.current_thread()
        try:
            while True:
                if self.given == self.waits_after:
                    self.gate.wait(TIMEOUT)
                self.given += 1
                yield self.item
        except BaseException as error:
            self.ended_by = type(error)
            raise
        finally:
            self.closed.set()

    def stands_still(self) -> bool:
        """Whether the source gives no more for now."""
        before = self.given
        time.sleep(0.2)
        return 0 < before == self.given


def eventually(condition: Any) -> bool:
    """Wait until a condition holds; False if it does not in good time."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def leave_after(url: str, until: bytes = b"data: ") -> bytes:
    """Read until these bytes have come, and go away."""
    received = b""
    with httpx.stream("GET", url, trust_env=False, timeout=TIMEOUT) as response:
        for chunk in response.iter_bytes():
            received += chunk
            if until in received:
                break
    return received


@contextmanager
def asgi_server(app: Any, **options: Any) -> Iterator[tuple[uvicorn.Server, str]]:
    """Serve an ASGI application from a thread, with uvicorn as it comes, and give the server and its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="critical", **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert eventually(lambda: server.started)
        yield server, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(200)
        assert not thread.is_alive()


@contextmanager
def wsgi_server(app: Any) -> Iterator[str]:
    """Serve a WSGI application, a thread per request, and give its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

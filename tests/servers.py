"""A real HTTP server on the loopback interface, which answers as a test tells it to."""

from __future__ import annotations

import asyncio
import gzip
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from typing import TYPE_CHECKING, Any

import brotli
import pytest
import uvicorn
import zstandard
from starlette.applications import Starlette
from starlette.routing import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator


class Then(Enum):
    """What a server does instead of sending bytes."""

    DROP = auto()
    """Cut the connection in the middle of the body."""
    HANG = auto()
    """Send nothing more until the client goes away."""


# In seconds: longer than any test takes, but finite, so that a test that hangs fails.
A_LONG_TIME = 200

Step = bytes | float | threading.Event | Then


@dataclass
class Answer:
    """What a server sends at one URL, and what it saw there.

    A step is bytes to send in one piece, a number of seconds to wait, an event to wait for, or a ``Then``.
    """

    url: str
    steps: tuple[Step, ...]
    status: int
    headers: dict[str, str]
    requests: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request; values of the same name are joined."""
    connections: set[Any] = field(default_factory=set)
    """The client's end of each connection."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client went away from a server that hangs."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            before = headers.get(name.decode())
            text = value.decode("latin-1")
            headers[name.decode()] = text if before is None else f"{before}, {text}"
        self.requests.append(headers)
        self.connections.add(tuple(scope["client"]))
        lines = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": lines})
        for step in self.steps:
            if step is Then.DROP:
                return
            if step is Then.HANG:
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.left.set()
                return
            if isinstance(step, bytes):
                await send({"type": "http.response.body", "body": step, "more_body": True})
            elif isinstance(step, threading.Event):
                await asyncio.to_thread(step.wait, A_LONG_TIME)
            else:
                await asyncio.sleep(step)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Server:
    """Serves answers from a thread of its own."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._names = count()
        app = Starlette(routes=[Mount("/", self._answer)])
        config = uvicorn.Config(app, port=0, lifespan="off", ws="none", log_level="critical")
        self._server = uvicorn.Server(config)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._server.run)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            self._started.wait(0.01)
        address, port = self._server.servers[0].sockets[0].getsockname()
        self.base = f"http://{address}:{port}"

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def answer(
        self,
        *steps: Step,
        status: int = 200,
        content_type: str | None = "text/event-stream",
        **headers: str,
    ) -> Answer:
        """Serve the steps at a new URL."""
        path = f"/{next(self._names)}"
        all_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            all_headers["content-type"] = content_type
        answer = Answer(self.base + path, steps, status, all_headers)
        self._answers[path] = answer
        return answer

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        first = scope["path"].split("/")[1]  # an SDK's client adds to its base URL
        await self._answers[f"/{first}"](scope, receive, send)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


def compress(encoding: str, body: bytes) -> bytes:
    """The body in a content encoding that HTTP clients decode."""
    compressors = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}
    return compressors[encoding](body)

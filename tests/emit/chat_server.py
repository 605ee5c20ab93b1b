"""A server of a chat model that never stops talking, and counts its clients."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator


def chat_chunk(content: str) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1763683200,
        "model": "test",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


class ChatServer:
    """An ASGI application: ``POST /chat/completions`` streams numbered tokens.

    The request says in its body how many ``tokens``, the seconds of ``pause`` between them, and whether it is
    ``refused``.
    """

    def __init__(self) -> None:
        self.streams = 0
        self.left_at: list[float] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        options = json.loads(body)
        if options.get("refused"):
            await self._send_refusal(send)
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self.streams += 1
        talking = asyncio.ensure_future(self._talk(send, options))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait([talking, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not talking.done():
                self.left_at.append(time.monotonic())
        finally:
            self.streams -= 1
            talking.cancel()
            leaving.cancel()

    async def _talk(self, send: Any, options: dict[str, Any]) -> None:
        for number in range(options.get("tokens", 1_000_000)):
            await send({"type": "http.response.body", "body": chat_chunk(f" {number}"), "more_body": True})
            await asyncio.sleep(options.get("pause", 0))
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _send_refusal(self, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"error":{"message":"slow down"}}'})


class Loop:
    """The event loop of a server's thread."""

    def __init__(self, server: uvicorn.Server) -> None:
        self._server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),))
        self._thread.start()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve()

    def wait_until_started(self) -> None:
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.001)

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._server.servers[0].sockets[0].getsockname())

    def tasks(self) -> int:
        assert self._loop is not None
        return len(asyncio.all_tasks(self._loop))

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@contextmanager
def asgi_server(app: Any) -> Iterator[Loop]:
    """Serve an ASGI application, its lifespan included, from a thread."""
    config = uvicorn.Config(app, port=0, ws="none", log_level="critical", timeout_graceful_shutdown=1)
    loop = Loop(uvicorn.Server(config))
    try:
        loop.wait_until_started()
        yield loop
    finally:
        loop.stop()


def open_sockets() -> int:
    """How many sockets this process has open."""
    return sum(map(_is_socket, os.listdir("/proc/self/fd")))  # noqa: PTH208  # the names, not their targets


def _is_socket(descriptor: str) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(int(descriptor)).st_mode)
    except OSError:  # it was the listing's own, or another thread closed it
        return False

"""Runs a server in a thread, on the loopback interface."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from ssejet._media_type import EVENT_STREAM
from ssejet.cli._recording import Frame, replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request

__all__ = ["loopback_listener", "loopback_server", "quiet_server", "replay_app", "url_of"]


def replay_app(frames: Sequence[Frame], *, pace: float = 1.0) -> Starlette:
    """Make an app that answers every chat completion with the same recording."""

    async def chat_completions(request: Request) -> StreamingResponse:
        return StreamingResponse(
            replay(frames, pace=pace), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"}
        )

    return Starlette(routes=[Route("/v1/chat/completions", chat_completions, methods=["POST"])])


def loopback_listener(port: int) -> socket.socket:
    """Listen on a port of the loopback interface, 0 for any free one.

    Raises:
        OSError: the port is not available.
    """
    return socket.create_server(("127.0.0.1", port))


def url_of(listener: socket.socket) -> str:
    """The URL of what listens, without a slash at the end."""
    return "http://{}:{}".format(*listener.getsockname())


def quiet_server(app: Any, *, has_lifespan: bool) -> uvicorn.Server:
    """Make a server that logs nothing but what is critical. It gives streams a second to end.

    Args:
        app: the app.
        has_lifespan: whether the app is told when the server starts and stops.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on" if has_lifespan else "off",
        log_config=None,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextmanager
def loopback_server(app: Starlette, *, port: int = 0, has_lifespan: bool = False) -> Iterator[str]:
    """Serve ``app`` from a thread during the block; gives its URL, without a slash at the end.

    Args:
        app: the app.
        port: the port, 0 for any free one.
        has_lifespan: whether the app is told when the server starts and stops.

    Raises:
        OSError: the port is not available.
    """
    with loopback_listener(port) as listener:
        server = quiet_server(app, has_lifespan=has_lifespan)
        thread = threading.Thread(target=server.run, args=([listener],), name="ssejet-server", daemon=True)
        thread.start()
        try:
            while not server.started:  # uvicorn offers no event to wait for
                if not thread.is_alive():
                    raise RuntimeError("the embedded server did not start")
                time.sleep(0.001)
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()

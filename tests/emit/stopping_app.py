"""An application whose streams say, in the file that the environment names, how they end."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from starlette.applications import Starlette
from starlette.routing import Route

from ssejet import ServerSentEvent
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

LOG = Path(os.environ["STOPPING_APP_LOG"])
WAKE = threading.Event()


def note(what: str) -> None:
    with LOG.open("a") as log:
        log.write(f"{what}\n")


async def waiting() -> AsyncIterator[int]:
    try:
        yield os.getpid()
        await anyio.sleep_forever()
    finally:
        note("waiting closed")


async def busy() -> AsyncIterator[int]:
    try:
        while True:
            yield os.getpid()
            await anyio.sleep(0.01)
    finally:
        note("busy closed")


async def slow_cleanup() -> AsyncIterator[int]:
    try:
        yield os.getpid()
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.1)
            note("slow_cleanup closed")


def in_threads() -> Iterator[int]:
    try:
        while True:
            yield os.getpid()
            WAKE.wait(0.05)
    finally:
        note("in_threads closed")


def respond(request: Request) -> EventStreamResponse:
    source = {"waiting": waiting, "busy": busy, "slow_cleanup": slow_cleanup, "in_threads": in_threads}
    last = ServerSentEvent(event="shutdown", data="bye") if "farewell" in request.query_params else None
    return EventStreamResponse(source[request.path_params["source"]](), on_shutdown=last, heartbeat=1000.0)


app = Starlette(routes=[Route("/{source}", respond)])

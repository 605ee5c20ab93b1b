"""An application whose streams say, in the file that the environment names, how they end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


async def shielded() -> AsyncIterator[int]:
    try:
        yield os.getpid()
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep_forever()


async def shielded_at_yield() -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"x" * 1_000_000
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep_forever()


async def shielded_by_asyncio() -> AsyncIterator[int]:
    try:
        yield os.getpid()
        await anyio.sleep_forever()
    finally:
        await asyncio.shield(asyncio.sleep(1000))


async def stubborn() -> AsyncIterator[int]:
    try:
        yield os.getpid()
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            for _ in range(3):
                with contextlib.suppress(anyio.get_cancelled_exc_class()):
                    await anyio.sleep_forever()


def asleep() -> Iterator[int]:
    try:
        yield os.getpid()
    finally:
        time.sleep(1000)


async def failing() -> AsyncIterator[int]:
    try:
        yield os.getpid()
        await anyio.sleep_forever()
    finally:
        raise ValueError("no")


SOURCES = {
    source.__name__: source
    for source in (
        waiting,
        busy,
        slow_cleanup,
        in_threads,
        shielded,
        shielded_at_yield,
        shielded_by_asyncio,
        stubborn,
        asleep,
        failing,
    )
}


def respond(request: Request) -> EventStreamResponse:
    source: Any = SOURCES[request.path_params["source"]]
    last = ServerSentEvent(event="shutdown", data="bye") if "last_event" in request.query_params else None
    return EventStreamResponse(source(), on_shutdown=last, heartbeat=1000.0)


app = Starlette(routes=[Route("/{source}", respond)])

"""Serves an engine that needs asyncio to hubs on trio, from a thread with an event loop of asyncio."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ssejet.hub._event_loop_thread import EventLoopThread
from ssejet.hub._one_loop import OneLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from ssejet.hub._engine import Change, Cursor, Engine, Lease, Record, Renewal, Writer
    from ssejet.hub._entries import Draft, EventId
    from ssejet.hub._machine import Page, Status

__all__ = ["AnyLoopEngine"]

T = TypeVar("T")


class AnyLoopEngine:
    """Passes calls on to an engine: on asyncio directly, on trio in a thread. See ``Engine``.

    Args:
        engine: an engine that needs asyncio.

    Attributes:
        age: how many times its connections were made anew. A writer from before is of no use.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = EventLoopThread()
        self._loop = OneLoop()
        self._call_soon: Callable[..., Any] | None = None
        self.age = 0
        engine.on_stop = self._on_stop  # type: ignore[method-assign]

    async def claim(self, key: str, lease: Lease) -> bool:
        return await self.run(self._engine.claim, key, lease)

    async def renew(self, key: str, lease: Lease) -> Renewal:
        return await self.run(self._engine.renew, key, lease)

    def writer(self, key: str, lease: Lease | None = None) -> Writer:
        return _Writer(self, key, lease)

    def release(self, lease: Lease) -> None:
        if _is_on_asyncio():
            self._engine.release(lease)
        else:
            self._thread.submit(_called(self._engine.release, lease))

    async def request_stop(self, key: str) -> None:
        await self.run(self._engine.request_stop, key)

    async def page(self, key: str) -> Page:
        return await self.run(self._engine.page, key)

    async def load(
        self, key: str, names: Sequence[str] = (), *, after: int | None = None, is_use: bool = False
    ) -> Record:
        return await self.run(self._engine.load, key, names, after=after, is_use=is_use)

    async def commit(self, key: str, change: Change, names: Sequence[str] = ()) -> tuple[bool, Record]:
        return await self.run(self._engine.commit, key, change, names)

    async def delete(self, key: str) -> None:
        await self.run(self._engine.delete, key)

    def cursor(self, key: str) -> Cursor:
        cursor = self._engine.cursor(key)
        return cursor if _is_on_asyncio() else _Cursor(self, cursor)

    def on_stop(self, key: str, token: str) -> None:
        pass

    async def aclose(self) -> None:
        await self.run(self._engine.aclose)
        self.age += 1
        self._loop.forget()
        self._thread.stop()
        self._thread = EventLoopThread()

    async def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **options: Any) -> T:
        """Call a function of the engine's."""
        if self._loop.check():
            self.age += 1
        if _is_on_asyncio():
            self._call_soon = None
            return await function(*args, **options)
        import trio

        token = trio.lowlevel.current_trio_token()
        self._call_soon = token.run_sync_soon
        done = trio.Event()

        def tell(_: Any) -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(done.set)

        future = self._thread.submit(function(*args, **options))
        future.add_done_callback(tell)
        try:
            await done.wait()
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def make_writer(self, key: str, lease: Lease | None) -> Writer:
        """Make a writer, in the event loop of the engine."""
        return self._engine.writer(key, lease)

    def _on_stop(self, key: str, token: str) -> None:
        if self._call_soon is None:
            self.on_stop(key, token)
        else:
            self._call_soon(self.on_stop, key, token)


class _Writer:
    def __init__(self, engine: AnyLoopEngine, key: str, lease: Lease | None) -> None:
        self._engine = engine
        self._key = key
        self._lease = lease
        self._writer: Writer | None = None
        self._age = 0

    async def put(self, drafts: Sequence[Draft]) -> None:
        await self._engine.run(self._put, drafts)

    async def append(self, drafts: Sequence[Draft], *, ends_as: Status | None = None) -> list[EventId]:
        return await self._engine.run(self._append, drafts, ends_as)

    async def _put(self, drafts: Sequence[Draft]) -> None:
        await self._made().put(drafts)

    async def _append(self, drafts: Sequence[Draft], ends_as: Status | None) -> list[EventId]:
        return await self._made().append(drafts, ends_as=ends_as)

    def _made(self) -> Writer:
        if self._writer is None or self._age != self._engine.age:
            self._writer = self._engine.make_writer(self._key, self._lease)
            self._age = self._engine.age
        return self._writer


class _Cursor:
    def __init__(self, engine: AnyLoopEngine, cursor: Cursor) -> None:
        self._engine = engine
        self._cursor = cursor
        self.change: Awaitable[None]  # never used: the other cursor waits

    def peek(self, after: int) -> None:
        return None

    async def read(self, after: int, *, wait: bool) -> Page:
        return await self._engine.run(self._cursor.read, after, wait=wait)

    async def aclose(self) -> None:
        # A cancelled call might not reach the thread, so that the log would be followed for ever.
        with anyio.CancelScope(shield=True):
            await self._engine.run(self._cursor.aclose)


def _is_on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _called(function: Callable[..., None], *args: Any) -> None:
    function(*args)

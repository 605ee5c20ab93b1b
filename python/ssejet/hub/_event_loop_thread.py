"""Runs an event loop of asyncio in a thread, for code that has another loop or none."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ssejet.errors import HubError
from ssejet.hub._lease import ClosedError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

__all__ = ["EventLoopThread"]

T = TypeVar("T")

# How many seconds tasks may take to end.
_CANCEL_TIME = 5.0


class EventLoopThread:
    """An event loop of asyncio in a daemon thread. It starts at the first call, and only once."""

    def __init__(self) -> None:
        # The garbage collector can close a follower, which submits, in the thread that holds it.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    @property
    def is_running(self) -> bool:
        """Whether the thread has started, and was not stopped. In a process that was forked, it is gone."""
        thread = self._thread
        return self._loop is not None and thread is not None and thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is this one."""
        return self._thread is threading.current_thread()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the loop.

        Raises:
            ClosedError: the loop has ended.
        """
        with self._lock:
            if self._is_stopped:
                coroutine.close()
                raise ClosedError
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=loop.run_forever, name="ssejet.hub", daemon=True)
                self._thread.start()
                self._loop = loop
        # The coroutine gets the caller's context, in which anyio may have noted that the caller runs on trio.
        return contextvars.copy_context().run(_submit, coroutine, self._loop)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, and wait for its result. An interrupted wait cancels it.

        Raises:
            HubError: the loop itself calls, so the wait would never end.
        """
        if self.is_current:
            coroutine.close()
            raise HubError(
                "this thread runs the hub, so it cannot wait for the hub: call it from the source or from "
                "another thread, not from on_error"
            )
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and its thread."""
        with self._lock:
            self._is_stopped = True
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            # Without this, threads that wait for coroutines of this loop would wait for ever.
            asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_CANCEL_TIME)


def _submit(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Future[T]:
    if "sniffio" in sys.modules:
        sys.modules["sniffio"].current_async_library_cvar.set(None)
    return asyncio.run_coroutine_threadsafe(coroutine, loop)

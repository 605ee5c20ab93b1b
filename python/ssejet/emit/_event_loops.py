"""What sending needs from the event loops of asyncio and trio, beyond the functions of anyio."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["AsyncioLoop", "AsyncioTask", "TrioLoop", "TrioTask", "current_task", "keep_task", "running_loop"]

# An event loop has only weak references to its tasks.
_tasks: set[asyncio.Task[None]] = set()


def keep_task(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a task in the running event loop of asyncio, and keep it from the garbage collector."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


def running_loop() -> AsyncioLoop | TrioLoop:
    """Return the running event loop."""
    try:
        return AsyncioLoop(asyncio.get_running_loop())
    except RuntimeError:
        return TrioLoop()


def current_task() -> AsyncioTask | TrioTask:
    """Return the running task."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return TrioTask()
    assert task is not None
    return AsyncioTask(task)


class AsyncioLoop:
    """An event loop of asyncio.

    Attributes:
        key: identifies the loop.
        call_soon: calls a function in the loop; from any thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.key = loop
        self.call_soon = loop.call_soon_threadsafe

    def run_in_task(self, function: Callable[[], None]) -> None:
        """Call a function soon, in a task, where the task groups of anyio work."""

        async def run() -> None:
            function()

        keep_task(run())

    def repeat(self, function: Callable[[], None], interval: float) -> Callable[[], None]:
        """Call a function at intervals, in seconds, and return a function that ends this."""
        timers: list[asyncio.TimerHandle] = []

        def run() -> None:
            timers[:] = [self.key.call_later(interval, run)]
            function()

        timers.append(self.key.call_later(interval, run))
        return lambda: timers[0].cancel()


class TrioLoop:
    """The event loop of trio, with the interface of ``AsyncioLoop``."""

    def __init__(self) -> None:
        import trio

        self.key: Any = trio.lowlevel.current_trio_token()
        self.call_soon: Any = self.key.run_sync_soon

    def run_in_task(self, function: Callable[[], None]) -> None:
        """Call a function; trio runs all callbacks in a task."""
        function()

    def repeat(self, function: Callable[[], None], interval: float) -> Callable[[], None]:
        """Call a function at intervals, in seconds, and return a function that ends this."""
        import trio

        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                while True:
                    await trio.sleep(interval)
                    function()

        trio.lowlevel.spawn_system_task(run)
        return cast("Callable[[], None]", scope.cancel)


class AsyncioTask:
    """A task of asyncio that can be cancelled where it is shielded."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._cancellations = 0

    def cancel_in_shield(self) -> None:
        """Cancel the task where it waits. A shield of anyio does not stop asyncio's own cancellation."""
        self._cancellations += 1
        self._task.cancel()

    def end_cancellation(self, error: BaseException | None) -> bool:
        """Undo the cancellations after the task has left the code that they ended.

        Args:
            error: what that code raised.

        Returns:
            Whether the cancellations are the reason for that error.
        """
        if hasattr(self._task, "uncancel"):  # Python 3.11
            for _ in range(self._cancellations):
                self._task.uncancel()
        return bool(self._cancellations) and isinstance(error, asyncio.CancelledError)


class TrioTask:
    """A task of trio that can be cancelled where it is shielded, with the interface of ``AsyncioTask``.

    A scope of trio can lose its shield at any time, but only trio itself knows which scopes a task is in. If
    another version of trio keeps them elsewhere, a shielded task is not cancelled.
    """

    def __init__(self) -> None:
        import trio

        self._task: Any = trio.lowlevel.current_task()
        self._outermost = getattr(self._task, "_cancel_status", None)

    def cancel_in_shield(self) -> None:
        """Remove the shields in this task, so that a cancellation of the scopes around them reaches it."""
        with suppress(AttributeError):
            status = self._task._cancel_status
            while status not in (self._outermost, None):
                status._scope.shield = False
                status = status._parent

    def end_cancellation(self, _: BaseException | None) -> bool:
        """Do nothing: the scopes that were cancelled catch the exception."""
        return False

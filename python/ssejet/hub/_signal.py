"""Wakes all tasks that wait for a log to change."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextvars import Context

__all__ = ["Signal", "Waiter"]


class Signal:
    """Wakes all tasks that wait, on asyncio and trio; one event loop at a time.

    With a future for each wait, the event loop makes and runs a callback for each task. Here it runs one
    callback for all of them.
    """

    __slots__ = ("_lot", "_waiters")

    def __init__(self) -> None:
        # A dictionary, because many may leave at once.
        self._waiters: dict[Waiter, None] | None = None
        self._lot: Any = None

    def notify(self) -> None:
        """Wake all tasks that wait."""
        waiters = self._waiters
        if waiters:
            self._waiters = None
            # A task cannot run inside another one, which may be the caller.
            with suppress(RuntimeError):  # the event loop is closed
                next(iter(waiters))._loop.call_soon(_wake, waiters)
        if self._lot is not None:
            self._lot.unpark_all()

    async def park(self) -> None:
        """Wait in trio."""
        from trio.lowlevel import ParkingLot

        if self._lot is None:
            self._lot = ParkingLot()
        await self._lot.park()


def _wake(waiters: Iterable[Waiter]) -> None:
    rest = iter(waiters)
    try:
        for waiter in rest:
            waiter._context.run(waiter._callback, waiter)
    except BaseException:  # KeyboardInterrupt and SystemExit leave a task this way
        left = tuple(rest)
        if left:
            left[0]._loop.call_soon(_wake, left)
        raise


class Waiter:
    """Waits for a signal, as often as one task awaits it: ``await waiter``.

    For asyncio, this is an object like a future, which a task waits for as for a future.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_cancellation", "_context", "_loop", "_signal")

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._asyncio_future_blocking = False
        self._callback: Callable[[Waiter], object]
        self._context: Context
        self._cancellation: asyncio.CancelledError | None = None
        self._loop: Any = None

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the next ``notify``."""
        loop = asyncio._get_running_loop()
        signal = self._signal
        if loop is None:
            yield from signal.park().__await__()
            return
        waiters = signal._waiters
        if not waiters or (loop is not self._loop and next(iter(waiters))._loop is not loop):
            waiters = signal._waiters = {}  # what waited in another event loop has ended with it
        waiters[self] = None
        self._loop = loop
        self._asyncio_future_blocking = True
        yield self

    # A task of asyncio uses what follows.

    def add_done_callback(self, callback: Callable[[Waiter], object], *, context: Context) -> None:
        """Take note of what runs the task."""
        self._callback = callback
        self._context = context

    def cancel(self, msg: Any = None) -> bool:
        """End the wait with a cancellation; False if the task was woken, so that it has to end itself."""
        waiters = self._signal._waiters
        if not waiters or self not in waiters:
            return False
        del waiters[self]
        self._cancellation = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._loop.call_soon(self._callback, self, context=self._context)
        return True

    def result(self) -> None:
        """Raise what ended the wait, if it was a cancellation."""
        if self._cancellation is not None:
            error, self._cancellation = self._cancellation, None
            raise error

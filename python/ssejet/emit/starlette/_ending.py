"""Ends a response when the server is told to stop."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio

from ssejet.emit._shutdown import current_asyncio_task
from ssejet.emit.starlette._connection import DepartureError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ssejet.emit._emit_machine import EmitMachine
    from ssejet.emit.starlette._connection import Connection

__all__ = ["Companions", "Ending"]

# How long a source may take to be closed before the last event is sent, in seconds.
_CLOSING_TIME = 0.3

# How long the last event may take, in seconds.
_FAREWELL_TIME = 0.5

# How long a thread may take to make the item that it is in the middle of, in seconds. It cannot be
# interrupted, and its source can be closed only then.
_ITEM_TIME = 1.0

# How long a task may take to end after it was cancelled, until it is cancelled again, in seconds.
_CANCEL_INTERVAL = 0.05


class Companions:
    """Tasks beside the task of a response: when one of them or the response ends, all end.

    Attributes:
        ended_first: one of them has ended before the response, as the client has left.
    """

    def __init__(self) -> None:
        self.ended_first = False
        self._errors: list[Exception] = []
        self._tasks: Any = None

    async def run(
        self, response: Callable[[], Awaitable[None]], *companions: Callable[[], Awaitable[None]]
    ) -> None:
        """Run all, the response in this task, and raise what the first one that failed raised."""
        async with anyio.create_task_group() as self._tasks:
            for function in companions:
                self._tasks.start_soon(self._run_companion, function)
            await self._run(response)
        if self._errors:
            raise self._errors[0]

    def start_last(self, function: Callable[[], Awaitable[None]]) -> None:
        """Start what ends the response, from the event loop."""
        self._tasks.start_soon(self._run, function)

    async def _run_companion(self, function: Callable[[], Awaitable[None]]) -> None:
        try:
            await function()
        except Exception as error:  # out of the task group, which would wrap it
            self._errors.append(error)
        self.ended_first = True
        self._tasks.cancel_scope.cancel()

    async def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        try:
            await function()
        except Exception as error:
            self._errors.append(error)
        self._tasks.cancel_scope.cancel()


class Ending:
    """Ends one response early: calling it begins that.

    ======================== ===================================== =====================================
    when                     the task of the response              a task beside it
    ======================== ===================================== =====================================
    it is called             runs on for the time of grace         waits
    the grace is over        is cancelled in ``scope``, and closes waits for that, up to _CLOSING_TIME
                             the source
    the source is closed, or goes on closing it                    sends the last event, and completes
    takes longer                                                   the response
    the response is complete goes on closing it                    waits for that, up to the cleanup time
    that time is over        is cancelled again, even in a shield, has logged a warning
                             and ends (asyncio only)
    ======================== ===================================== =====================================

    The source stays in the task of the response throughout, as its own scopes demand. It is a context
    manager, around all that may be cut short.

    Args:
        companions: the tasks beside the response.
        connection: sends the response.
        machine: makes the last event; None if the response has no body.
        last: the last event, None for none.
        grace: called when this is called; gives the seconds for which the source goes on.
        cleanup_time: the seconds that the clean-up may take in all; None for no limit.
        makes_item: says whether the source is making an item in a thread.
        warn: called with the seconds that have passed when the clean-up is cut short.

    Attributes:
        called: it was called.
        scope: surrounds the source; it is cancelled when the source is to end.
    """

    def __init__(
        self,
        companions: Companions,
        connection: Connection,
        machine: EmitMachine | None,
        *,
        last: Any,
        grace: Callable[[], float],
        cleanup_time: float | None,
        makes_item: Callable[[], bool],
        warn: Callable[[float], None],
    ) -> None:
        self.called = False
        self.scope = anyio.CancelScope()
        self._companions = companions
        self._connection = connection
        self._machine = machine
        self._last = last
        self._get_grace = grace
        self._grace = 0.0
        self._cleanup_time = cleanup_time
        self._makes_item = makes_item
        self._warn = warn
        self._closed = anyio.Event()
        self._over = anyio.Event()
        self._cleanup: anyio.CancelScope | None = None
        self._task = current_asyncio_task()
        self._cancellations = 0

    def __call__(self) -> None:
        if not self.called:
            self.called = True
            self._grace = self._get_grace()
            if not self._grace:
                self._end_source()
            self._companions.start_last(self._end)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        self._closed.set()
        self._over.set()
        if self._task is None or not self._cancellations:
            return False
        if hasattr(self._task, "uncancel"):  # Python 3.11
            for _number in range(self._cancellations):
                self._task.uncancel()
        return isinstance(error, asyncio.CancelledError)

    def source_is_closed(self) -> None:
        """Tell that the source is closed."""
        self._closed.set()

    def cleanup_runs_in(self, scope: anyio.CancelScope) -> None:
        """Tell where a clean-up runs, which is to be cancelled there when its time is over."""
        self._cleanup = scope

    def _end_source(self) -> None:
        if self._machine is not None:
            self._machine.stopping = True
        self.scope.cancel()

    async def _end(self) -> None:
        # A client that leaves meanwhile ends the other tasks, but the clean-up needs its bound even then.
        with anyio.CancelScope(shield=True):
            await self._wait(self._closed, self._grace)
            self._end_source()
            began = monotonic()
            await self._wait(self._closed, _CLOSING_TIME)
            try:
                if not (self._companions.ended_first or self._connection.is_finished):
                    await self._say_farewell()
            finally:
                await self._bound_cleanup(began)

    async def _say_farewell(self) -> None:
        with anyio.move_on_after(_FAREWELL_TIME):
            if not self._connection.is_finishing:
                last: Iterable[bytes] = () if self._machine is None else self._machine.stop(self._last)
                await self._connection.finish(last)
                return
        raise DepartureError  # The client does not read, and the server does not wait for it.

    async def _bound_cleanup(self, began: float) -> None:
        limit = self._cleanup_time
        item_limit = _ITEM_TIME if limit is None else min(_ITEM_TIME, limit)
        await self._wait(self._over, began + item_limit - monotonic())
        if not self._makes_item():
            await self._wait(self._over, None if limit is None else began + limit - monotonic())
        if self._over.is_set():
            return
        self._warn(monotonic() - began)
        if self._cleanup is not None:
            self._cleanup.cancel()
        while self._task is not None and not self._over.is_set():
            # anyio's cancellation stops at a shield, asyncio's own does not.
            self._cancellations += 1
            self._task.cancel()
            await self._wait(self._over, _CANCEL_INTERVAL)

    async def _wait(self, event: anyio.Event, timeout: float | None) -> None:
        with anyio.move_on_after(timeout):
            await event.wait()

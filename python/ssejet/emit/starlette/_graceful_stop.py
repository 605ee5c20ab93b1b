"""Ends a response when the server is told to stop."""

from __future__ import annotations

from enum import Enum, auto
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio

from ssejet.emit._event_loops import current_task
from ssejet.emit.starlette._connection import ClientDisconnectError, ResponseStage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ssejet.emit._emit_machine import EmitMachine
    from ssejet.emit.starlette._connection import Connection

__all__ = ["GracefulStop", "ResponseTasks", "Stage"]

# How many seconds a source may take to close before the last event is sent.
_CLOSING_TIME = 0.3

# How many seconds sending the last event may take.
_LAST_EVENT_TIME = 0.5

# How many seconds a thread may take to make its item; only then its source can be closed.
_ITEM_TIME = 1.0

# How many seconds pass before a task that has not ended is cancelled again.
_CANCEL_INTERVAL = 0.05


class ResponseTasks:
    """Runs tasks beside the task of a response: when one of them or the response ends, all end.

    Attributes:
        ended_first: whether one of them ended before the response, because the client has left.
    """

    def __init__(self) -> None:
        self.ended_first = False
        self._errors: list[Exception] = []
        self._tasks: Any = None

    async def run(
        self, response: Callable[[], Awaitable[None]], *tasks: Callable[[], Awaitable[None]]
    ) -> None:
        """Run all, the response in this task, and raise the exception of the first one that failed."""
        async with anyio.create_task_group() as self._tasks:
            for function in tasks:
                self._tasks.start_soon(self._run_side_task, function)
            await self._run(response)
        if self._errors:
            raise self._errors[0]

    def start_last(self, function: Callable[[], Awaitable[None]]) -> None:
        """Start a task that ends the response; called in the event loop."""
        self._tasks.start_soon(self._run, function)

    async def _run_side_task(self, function: Callable[[], Awaitable[None]]) -> None:
        try:
            await function()
        except Exception as error:  # a task group would wrap it in a group of exceptions
            self._errors.append(error)
        self.ended_first = True
        self._tasks.cancel_scope.cancel()

    async def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        try:
            await function()
        except Exception as error:
            self._errors.append(error)
        self._tasks.cancel_scope.cancel()


class Stage(Enum):
    """How far a ``GracefulStop`` is; its docstring has the transitions."""

    RUNNING = auto()
    GRACE = auto()
    CLOSING = auto()
    OVER = auto()


class GracefulStop:
    """Ends one response early when it is called.

    ======= ===================================== ============================================ =============
    stage   the task of the response              a second task                                next stage
    ======= ===================================== ============================================ =============
    RUNNING sends the items of the source         does not exist                               GRACE when
                                                                                               called
    GRACE   sends on                              waits until the source is closed, or the     CLOSING
                                                  grace is over
    CLOSING is cancelled in ``scope``, and closes waits until the source is closed, or for     OVER when the
            the source                            _CLOSING_TIME; sends the last event and      response's
                                                  completes the response; waits until OVER, or task has left
                                                  for the cleanup time; logs a warning, and
                                                  cancels the first task even in a shield
    OVER    has left this context                 ends
    ======= ===================================== ============================================ =============

    A response that is not stopped goes from RUNNING to OVER. The source stays in the task of the response,
    because its own cancel scopes demand that. This is a context manager: everything in it may be cut short.

    Args:
        tasks: the tasks beside the response.
        connection: sends the response.
        machine: makes the last event; None if the response has no body.
        last: the last event, None for none.
        grace: called when the stop begins; returns how many seconds the source may go on.
        cleanup_time: the seconds that the clean-up may take in all; None for no limit.
        is_making_item: returns whether the source is making an item in a thread.
        warn: called with the seconds that have passed when the clean-up is cut short.

    Attributes:
        stage: how far it is.
        scope: surrounds the source; it is cancelled to end the source.
    """

    def __init__(
        self,
        tasks: ResponseTasks,
        connection: Connection,
        machine: EmitMachine | None,
        *,
        last: Any,
        grace: Callable[[], float],
        cleanup_time: float | None,
        is_making_item: Callable[[], bool],
        warn: Callable[[float], None],
    ) -> None:
        self.stage: Stage = Stage.RUNNING
        self.scope = anyio.CancelScope()
        self._side_tasks = tasks
        self._connection = connection
        self._machine = machine
        self._last = last
        self._get_grace = grace
        self._grace = 0.0
        self._cleanup_time = cleanup_time
        self._is_making_item = is_making_item
        self._warn = warn
        self._closed = anyio.Event()
        self._over = anyio.Event()
        self._cleanup: anyio.CancelScope | None = None
        self._task = current_task()

    def __call__(self) -> None:
        if self.stage is Stage.RUNNING:
            self.stage = Stage.GRACE
            self._grace = self._get_grace()
            if not self._grace:
                self._end_source()
            self._side_tasks.start_last(self._end)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        self.stage = Stage.OVER
        self._closed.set()
        self._over.set()
        return self._task.end_cancellation(error)

    def source_is_closed(self) -> None:
        """Take note that the source is closed."""
        self._closed.set()

    def cleanup_runs_in(self, scope: anyio.CancelScope) -> None:
        """Take note of the scope in which a clean-up runs; it is cancelled when the time for that is over."""
        self._cleanup = scope

    def _end_source(self) -> None:
        if self.stage is Stage.GRACE:
            self.stage = Stage.CLOSING
        if self._machine is not None:
            self._machine.close_source()
        self.scope.cancel()

    async def _end(self) -> None:
        # A client that leaves now ends the other tasks, but the clean-up still needs its limit.
        with anyio.CancelScope(shield=True):
            await self._wait(self._closed, self._grace)
            self._end_source()
            began = monotonic()
            await self._wait(self._closed, _CLOSING_TIME)
            try:
                if not (self._side_tasks.ended_first or self._connection.stage is ResponseStage.COMPLETE):
                    await self._send_last_event()
            finally:
                await self._limit_cleanup(began)

    async def _send_last_event(self) -> None:
        with anyio.move_on_after(_LAST_EVENT_TIME):
            if self._connection.stage is not ResponseStage.COMPLETING:
                last: Iterable[bytes] = () if self._machine is None else self._machine.stop(self._last)
                await self._connection.finish(last)
                return
        raise ClientDisconnectError  # The client does not read, and the server does not wait for it.

    async def _limit_cleanup(self, began: float) -> None:
        limit = self._cleanup_time
        item_limit = _ITEM_TIME if limit is None else min(_ITEM_TIME, limit)
        await self._wait(self._over, began + item_limit - monotonic())
        if not self._is_making_item():
            await self._wait(self._over, None if limit is None else began + limit - monotonic())
        if self._over.is_set():
            return
        self._warn(monotonic() - began)
        if self._cleanup is not None:
            self._cleanup.cancel()
        while not self._over.is_set():
            self._task.cancel_in_shield()
            await self._wait(self._over, _CANCEL_INTERVAL)

    async def _wait(self, event: anyio.Event, timeout: float | None) -> None:
        with anyio.move_on_after(timeout):
            await event.wait()

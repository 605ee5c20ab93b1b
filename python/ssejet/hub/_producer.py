"""Runs the source of a log: one producer, in one process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.lowlevel

from ssejet.emit._emit_machine import error_event
from ssejet.emit._source_thread import exit_error
from ssejet.errors import FencedError, HubError, LogFinishedError
from ssejet.hub._engine import Renewal
from ssejet.hub._entries import drafts_of, end_draft
from ssejet.hub._lease import ABANDONED, FENCED, LogDeletedError
from ssejet.hub._source import CLEANUP_TIME
from ssejet.hub._tasks import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._engine import Engine, Lease
    from ssejet.hub._entries import Draft
    from ssejet.hub._machine import Status
    from ssejet.hub._source import Source

__all__ = ["OnSourceError", "Producer", "ProducerMachine", "ProducerState"]

OnSourceError = Literal["event"] | Callable[[Exception], Any]

# How many times a lease is renewed before it would run out, and before its log would be removed.
_RENEWALS = 3

# A log that is removed after fewer seconds is not kept by its producer, as that would take too many renewals.
_SHORTEST_TTL = 0.3

# After so many items the event loop gets its turn, as a source and a log in memory may never wait.
_TURN = 32


class ProducerState(Enum):
    """What a producer does; ``ProducerMachine`` has the transitions."""

    RUNNING = auto()
    STOPPING = auto()
    ABANDONING = auto()
    FENCED = auto()
    ENDED = auto()


class ProducerMachine:
    """Decides how a log ends.

    ========== ======== ========== ======= ======================================
    state      stop()   shut_down  fence() end(): the last events, and the state
    ========== ======== ========== ======= ======================================
    RUNNING    STOPPING ABANDONING FENCED  an error if there was one, and the end
    STOPPING                       FENCED  the end
    ABANDONING                     FENCED  an error and the end: abandoned
    FENCED                                 nothing, as the log has its end
    ENDED                                  nothing
    ========== ======== ========== ======= ======================================

    Args:
        on_error: how an exception of the source is reported.

    Attributes:
        state: the state; after ``end()`` it is ENDED.
    """

    def __init__(self, on_error: OnSourceError) -> None:
        self.state = ProducerState.RUNNING
        self._on_error = on_error

    def stop(self) -> bool:
        """Begin to stop; return whether the source has to be cancelled."""
        return self._leave(ProducerState.STOPPING)

    def shut_down(self) -> bool:
        """Begin to give up, as the process stops; return whether the source has to be cancelled."""
        return self._leave(ProducerState.ABANDONING)

    def fence(self) -> bool:
        """Take note that the log has its end; return whether the source has to be cancelled."""
        was_running = self.state is ProducerState.RUNNING
        if self.state is not ProducerState.ENDED:
            self.state = ProducerState.FENCED
        return was_running

    def end(self, error: Exception | None) -> tuple[Sequence[Draft], Status] | None:
        """Return the last events of the log, and its last state; None for nothing to write."""
        state, self.state = self.state, ProducerState.ENDED
        if state is ProducerState.ABANDONING:
            return ABANDONED, "abandoned"
        if state is ProducerState.STOPPING:
            return (end_draft("stopped"),), "finished"
        if state is not ProducerState.RUNNING:
            return None
        if error is None:
            return (end_draft("finished"),), "finished"
        return (*self._report(error), end_draft("failed")), "finished"

    def _report(self, error: Exception) -> Sequence[Draft]:
        if self._on_error != "event":
            try:
                item = self._on_error(error)
                return () if item is None else drafts_of(item)
            except Exception:
                logger.exception("on_error failed, so that followers get an error without details")
        return drafts_of(error_event(error))

    def _leave(self, state: ProducerState) -> bool:
        if self.state is not ProducerState.RUNNING:
            return False
        self.state = state
        return True


class Producer:
    """Runs a source, and writes its items to the log.

    Args:
        engine: keeps the log.
        key: the log's key.
        lease: the right to write the log.
        source: makes the items; it is closed in the end.
        ttl: the seconds after which the log is removed, unless the lease is renewed.
        on_error: how an exception of the source is reported.

    Attributes:
        machine: decides how the log ends.
        ended: set when nothing more is written.
    """

    def __init__(
        self,
        engine: Engine,
        key: str,
        lease: Lease,
        source: Source,
        *,
        ttl: float,
        on_error: OnSourceError,
    ) -> None:
        self.machine = ProducerMachine(on_error)
        self.ended = anyio.Event()
        self.lease = lease
        self._engine = engine
        self._key = key
        self._source = source
        self._interval = min(lease.seconds, max(ttl, _SHORTEST_TTL)) / _RENEWALS
        self._writer = engine.writer(key, lease)
        self._scope = anyio.CancelScope()

    def stop(self) -> None:
        """End the source early, and the log with it."""
        if self.machine.stop():
            self._scope.cancel()

    def shut_down(self) -> None:
        """End the source because the process stops."""
        if self.machine.shut_down():
            self._scope.cancel()

    async def run(self) -> None:
        """Write the items, then the end."""
        failure: Exception | None = None
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._renew)
                    failure = await self._write_items()
                    tasks.cancel_scope.cancel()
        except BaseException:
            # The event loop is closing.
            self.machine.shut_down()
            with anyio.move_on_after(CLEANUP_TIME, shield=True):
                await self._write_end(None)
            raise
        else:
            with anyio.CancelScope(shield=True):
                await self._write_end(failure)
        finally:
            # A source in a thread may be in a wait that nobody can end, so the followers are told first.
            await self._source.aclose(self._key)
            self._engine.release(self.lease)
            self.ended.set()

    async def _write_items(self) -> Exception | None:
        """Write the items, and return the exception of the source."""
        try:
            count = 0
            async for item in await self._source.open():
                await self._writer.put(drafts_of(item))
                count += 1
                if count % _TURN == 0:
                    await anyio.lowlevel.checkpoint()
        except (FencedError, LogFinishedError) as error:
            if self.machine.fence():
                _report(error)
        except Exception as error:
            logger.exception("the source of the log %r failed", self._key)
            return error
        except SystemExit as error:
            # In a task of trio, it would end the event loop.
            logger.exception("the source of the log %r failed", self._key)
            return exit_error(error)
        return None

    async def _renew(self) -> None:
        while True:
            await anyio.sleep(self._interval)
            try:
                renewal = await self._engine.renew(self._key, self.lease)
            except HubError as error:
                logger.warning("the lease of the log %r was not renewed: %s", self._key, error)
                continue
            if renewal is Renewal.STOP_REQUESTED:
                self.stop()
            elif renewal is not Renewal.RENEWED and self.machine.fence():
                is_deleted = renewal is Renewal.DELETED
                _report(
                    LogDeletedError(self._key) if is_deleted else FencedError(FENCED.format(key=self._key))
                )
                self._scope.cancel()

    async def _write_end(self, failure: Exception | None) -> None:
        last = self.machine.end(failure)
        if last is None:
            return
        drafts, status = last
        try:
            await self._writer.append(drafts, ends_as=status)
        except (FencedError, LogFinishedError) as error:
            _report(error)
        except Exception:
            # The lease is not renewed any more, so the followers are told when it runs out.
            logger.exception("the end of the log %r was not written", self._key)


def _report(error: HubError) -> None:
    # Somebody has deleted the log on purpose, so that is no warning.
    logger.log(logging.INFO if isinstance(error, LogDeletedError) else logging.WARNING, "%s", error)

"""Reads a log for one follower: the loop around a ``FollowerMachine``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.hub._engine import NOTHING_NEW
from ssejet.hub._machine import FollowerMachine, FollowerState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._engine import Cursor, Engine
    from ssejet.hub._entries import Entry

__all__ = ["OPENING_TIME", "Follower"]

OPENING_TIME = 2.0
"""How many seconds the status of a response waits for the log. After that the stream begins."""


_ENDED = FollowerState.ENDED


class Follower:
    """One follower of a log.

    A cancelled ``next()`` loses nothing: the next call goes on.

    Args:
        engine: keeps the log.
        key: the key of the log.
        last_event_id: the id of the last event that the client has.
    """

    __slots__ = ("_engine", "_key", "_machine", "_opened", "_ready")

    def __init__(self, engine: Engine, key: str, last_event_id: str) -> None:
        self._engine = engine
        self._key = key
        self._opened: Cursor | None = None
        self._machine = FollowerMachine(last_event_id)
        self._ready: Sequence[Entry] = ()

    @property
    def has_everything(self) -> bool:
        """Whether the log has ended, and the client already had all of it."""
        return self._machine.has_everything

    async def open(self) -> None:
        """Read the state of the log, and what the log has now, so that ``has_everything`` is known."""
        if self._machine.state is FollowerState.OPENING:
            page = await self._cursor().read(self._machine.after, wait=False)
            self._ready = self._machine.receive(page)

    async def next(self) -> Sequence[Entry]:
        """Wait for entries and return them; return none at the end."""
        if self._ready:
            ready, self._ready = self._ready, ()
            return ready
        machine, cursor = self._machine, self._opened or self._cursor()
        while machine.state is not _ENDED:
            page = cursor.peek(machine.after)
            if page is NOTHING_NEW:
                await cursor.change
                continue
            if page is None:
                page = await cursor.read(machine.after, wait=machine.waits)
            ready = machine.receive(page)
            if ready:
                return ready
        return ()

    async def read_all(self) -> list[Entry]:
        """Return what the log has now, without waiting."""
        found: list[Entry] = []
        while self._machine.state in (FollowerState.OPENING, FollowerState.REPLAYING):
            page = await self._cursor().read(self._machine.after, wait=False)
            found += self._machine.receive(page)
        return found

    async def aclose(self) -> None:
        """Stop following."""
        if self._opened is not None:
            await self._opened.aclose()

    def _cursor(self) -> Cursor:
        # Made where it is used, as a thread without an event loop may have made the follower.
        if self._opened is None:
            self._opened = self._engine.cursor(self._key)
        return self._opened

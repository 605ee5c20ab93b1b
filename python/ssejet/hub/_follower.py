"""Reads a log for one follower: the loop around a ``FollowerMachine``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.hub._machine import FollowerMachine, FollowerState

if TYPE_CHECKING:
    from ssejet.hub._engine import Cursor
    from ssejet.hub._entries import Entry

__all__ = ["OPENING_TIME", "Follower"]

OPENING_TIME = 2.0
"""How many seconds the status of a response waits for the log. After that the stream begins."""


class Follower:
    """One follower of a log.

    A cancelled ``next()`` loses nothing: the next call goes on.

    Args:
        cursor: reads the log; it is closed with the follower.
        last_event_id: the id of the last event that the client has.
    """

    def __init__(self, cursor: Cursor, last_event_id: str) -> None:
        self._cursor = cursor
        self._machine = FollowerMachine(last_event_id)
        self._ready: list[Entry] = []

    @property
    def has_everything(self) -> bool:
        """Whether the log has ended, and the client already had all of it."""
        return self._machine.has_everything

    async def open(self) -> None:
        """Read the state of the log, and what the log has now, so that ``has_everything`` is known."""
        if self._machine.state is FollowerState.OPENING:
            page = await self._cursor.read(self._machine.after, wait=False)
            self._ready = self._machine.receive(page)

    async def next(self) -> list[Entry]:
        """Wait for entries and return them; return none at the end."""
        machine = self._machine
        while not self._ready and machine.state is not FollowerState.ENDED:
            page = await self._cursor.read(machine.after, wait=machine.waits)
            self._ready = machine.receive(page)
        ready, self._ready = self._ready, []
        return ready

    async def read_all(self) -> list[Entry]:
        """Return what the log has now, without waiting."""
        found: list[Entry] = []
        while self._machine.state in (FollowerState.OPENING, FollowerState.REPLAYING):
            page = await self._cursor.read(self._machine.after, wait=False)
            found += self._machine.receive(page)
        return found

    async def aclose(self) -> None:
        """Stop following."""
        await self._cursor.aclose()

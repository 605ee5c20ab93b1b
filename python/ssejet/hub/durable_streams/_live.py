"""Follows a stream for one client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ssejet.hub._engine import NOTHING_NEW

if TYPE_CHECKING:
    from ssejet.hub.durable_streams._reads import Chunk, View
    from ssejet.hub.durable_streams._sources import Source

__all__ = ["Follower"]


class Follower:
    """Reads chunks of a stream after a position, and waits for more.

    Args:
        source: reads the stream.
        path: the stream's path.
        view: the stream as it was read, with the entries after the position.
        position: where to begin.
        for_events: whether the chunks become events.

    Attributes:
        path: the stream's path.
        view: the stream as it was read last.
        position: the position of the client.
    """

    def __init__(self, source: Source, path: str, view: View, position: int, *, for_events: bool) -> None:
        self.view = view
        self.position = position
        self._source = source
        self.path = path
        self._cursor = source.cursor(path)
        self._for_events = for_events

    def take(self) -> Chunk:
        """Return the next messages that are there, and move the client behind them."""
        chunk = self.view.chunk(self.position, for_event=self._for_events)
        self.position = chunk.position
        return chunk

    async def wait(self) -> Chunk | None:
        """Wait for messages, or for the stream to be closed; None if the client has to begin again.

        A cancelled call loses nothing.
        """
        while True:
            chunk = self.take()
            if chunk.messages or self.view.ends_at(self.position):
                return None if chunk.is_broken and not chunk.messages else chunk
            if chunk.is_broken or not await self._read():
                return None

    async def _read(self) -> bool:
        view = self.view
        # Messages that are held back, because they end within a character, are read already.
        entries = view.entries
        is_held = bool(entries) and entries[-1].position > self.position
        held = [entry for entry in entries if entry.position > self.position] if is_held else []
        after = held[-1].position if held else self.position
        while (page := self._cursor.peek(after)) is NOTHING_NEW:
            await self._cursor.change
        if page is None:
            page = await self._cursor.read(after, wait=True)
        if (page.log, page.incarnation) != (view.log, view.incarnation) or page.first > after + 1:
            return False
        new = self._source.update(view, page)
        self.view = new._replace(entries=[*held, *new.entries]) if held else new
        return True

    async def aclose(self) -> None:
        """Stop following."""
        with anyio.CancelScope(shield=True):
            await self._cursor.aclose()

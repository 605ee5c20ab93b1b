"""The last entries of a log in memory, within bounds."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._entries import Draft, Entry

__all__ = ["Bounds", "Window"]

# How many dropped entries a list may keep at its start before it is copied.
_SLACK = 256

# What an entry takes beside its bytes, with its objects in memory.
ENTRY_OVERHEAD = 200


class Bounds:
    """How much a log keeps: a number of events, of bytes, and of seconds; None for no limit."""

    __slots__ = ("max_age", "max_bytes", "max_events")

    def __init__(self, max_events: int, max_bytes: int, max_age: float | None = None) -> None:
        self.max_events = max_events
        self.max_bytes = max_bytes
        self.max_age = max_age

    def check(self, drafts: Sequence[Draft]) -> None:
        """Refuse an event that is larger than a whole log may be.

        Raises:
            ValueError: there is one.
        """
        for draft in drafts:
            if len(draft.frame) > self.max_bytes:
                raise ValueError(
                    f"an event of {len(draft.frame):,} bytes is larger than max_bytes ({self.max_bytes:,}): "
                    "send less in one event, or pass a larger max_bytes"
                )


class Window:
    """Consecutive entries of a log, up to the last one. The last one is never dropped.

    Attributes:
        first: the position of the first entry, or of the next one if there is none.
        last: the position of the last entry.
        size: the bytes of all entries, with what their objects take.
    """

    __slots__ = ("_bounds", "_entries", "_start", "_times", "first", "last", "size")

    def __init__(self, bounds: Bounds, last: int = 0) -> None:
        self._bounds = bounds
        self._entries: list[Entry] = []
        self._times: list[float] | None = [] if bounds.max_age is not None else None
        self._start = 0
        self.last = last
        self.first = last + 1
        self.size = 0

    def append(self, entry: Entry) -> None:
        """Add the next entry, and drop what is beyond the bounds."""
        if entry.position != self.last + 1:  # a part of the log was lost
            self._clear()
            self.first = entry.position
        self.last = entry.position
        self._entries.append(entry)
        self.size += len(entry.wire) + ENTRY_OVERHEAD
        if self._times is not None:
            self._times.append(monotonic())
        self._trim()

    def after(self, position: int, limit: int) -> Sequence[Entry]:
        """Return the entries after a position, at most so many."""
        start = self._start + max(0, position + 1 - self.first)
        return self._entries[start : start + limit]

    def _clear(self) -> None:
        self._entries.clear()
        self._start = 0
        self.size = 0
        if self._times is not None:
            self._times.clear()

    def _trim(self) -> None:
        bounds = self._bounds
        oldest = None if self._times is None else monotonic() - (bounds.max_age or 0.0)
        while self.first < self.last and (
            self.last - self.first >= bounds.max_events
            or self.size > bounds.max_bytes
            or (oldest is not None and self._times is not None and self._times[self._start] < oldest)
        ):
            self.size -= len(self._entries[self._start].wire) + ENTRY_OVERHEAD
            self._entries[self._start] = None  # type: ignore[call-overload]  # frees its memory now
            self._start += 1
            self.first += 1
        if self._start > _SLACK and self._start * 2 > len(self._entries):
            del self._entries[: self._start]
            if self._times is not None:
                del self._times[: self._start]
            self._start = 0

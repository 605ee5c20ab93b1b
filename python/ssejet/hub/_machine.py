"""What one follower of a log sees: the rules, without I/O."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, NamedTuple

from ssejet.hub._entries import Entry, EventId, Kind, hub_event

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FollowerMachine", "FollowerState", "Page", "Status"]

Status = Literal["missing", "live", "finished", "abandoned"]

# The gap and the end of a log that does not exist. A client that comes back with the end has everything.
_NO_LOG_GAP = EventId("0", 0)
_NO_LOG = EventId("0", 1)


class Page(NamedTuple):
    """A part of a log, as an engine reads it.

    Attributes:
        status: whether the log exists and may grow.
        log: the log's name, which it keeps as long as it exists; ``""`` if there is no log.
        incarnation: the first part of new ids. It changes if a part of the log was lost.
        first: the position of the first entry that the log still has, or of the next one if it has none.
        last: the position of the last entry; 0 if there was none.
        entries: those after the position that was asked for, up to some limit.
    """

    status: Status
    log: str = ""
    incarnation: str = ""
    first: int = 1
    last: int = 0
    entries: Sequence[Entry] = ()


class FollowerState(Enum):
    """What a follower does; ``FollowerMachine`` has the transitions."""

    OPENING = auto()
    WAITING = auto()
    REPLAYING = auto()
    LIVE = auto()
    ENDED = auto()


# Looked up once, as each delivery needs them.
_LIVE = FollowerState.LIVE
_ITEM = Kind.ITEM


class FollowerMachine:
    """Decides what a follower gets from the pages that it reads.

    ========= ======================= ================== ================== ================ ================
    state     no log                  a page with more   a page up to the   another log      the end
                                      to read            last entry
    ========= ======================= ================== ================== ================ ================
    OPENING   WAITING, or a gap and   REPLAYING          LIVE               a gap; REPLAYING ENDED
              ENDED if there is an id
    WAITING   WAITING                 REPLAYING          LIVE                                ENDED
    REPLAYING a gap, ENDED            REPLAYING          LIVE               a gap; REPLAYING ENDED
    LIVE      a gap, ENDED            REPLAYING: the     LIVE               a gap; REPLAYING ENDED
                                      follower is slow
    ENDED     nothing more
    ========= ======================= ================== ================== ================ ================

    The positions of the entries decide what is new, so an engine may read an entry twice or leave some out:
    the first are dropped, and a gap reports the second.

    Args:
        last_event_id: the id of the last event that the client has; ``""`` for none. It is not trusted.

    Attributes:
        state: the state.
        after: the position after which to read the next page.
        has_everything: the log has ended, and the client had everything before.
    """

    __slots__ = ("_has_id", "_id", "_incarnation", "_log", "after", "has_everything", "state")

    def __init__(self, last_event_id: str = "") -> None:
        self.state = FollowerState.OPENING
        self._has_id = bool(last_event_id)
        self._id = EventId.parse(last_event_id)
        self._log = self._incarnation = ""
        self.after = self._id.position if self._id else 0
        self.has_everything = False

    @property
    def waits(self) -> bool:
        """Whether the next page may come later, when the log has grown."""
        return self.state is FollowerState.LIVE or self.state is FollowerState.WAITING

    def receive(self, page: Page) -> Sequence[Entry]:
        """Take a page, and return what the follower gets."""
        # Most pages of most followers have what comes next, and no more than that.
        state = self.state
        entries = page.entries
        if len(entries) == 1 and state is _LIVE and page.log == self._log:
            entry = entries[0]
            if entry.position == self.after + 1 == page.last and entry.kind is _ITEM:
                self.after = page.last
                return entries
        if state is FollowerState.ENDED:
            return []
        if page.status == "missing":
            return self._receive_nothing()
        if page.log != self._log:
            return self._open(page)
        return self._receive_entries(page)

    def _receive_nothing(self) -> list[Entry]:
        if not self._log and not self._has_id:
            self.state = FollowerState.WAITING
            return []
        self.state = FollowerState.ENDED
        if self._id == _NO_LOG:
            self.has_everything = True
            return []
        return [
            _gap(_NO_LOG_GAP, "missing", None),
            _missing_end(_NO_LOG),
        ]

    def _open(self, page: Page) -> list[Entry]:
        is_another = bool(self._log)
        self._log, self._incarnation = page.log, page.incarnation
        if is_another:
            return self._restart(page, "restarted")
        if not self._has_id:
            return self._receive_entries(page)
        if self._id is None:
            return self._restart(page, "unknown-id")
        if self._id.incarnation != page.incarnation:
            return self._restart(page, "restarted")
        if self._id.position > page.last:
            return self._restart(page, "unknown-id")
        if page.status != "live" and self._id.position == page.last:
            self.has_everything = True
            self.state = FollowerState.ENDED
            return []
        return self._receive_entries(page)

    def _restart(self, page: Page, reason: str) -> list[Entry]:
        """Begin again with the first entry. What the client has is of another log, so no number is right."""
        self.after = _first_of(page) - 1
        self.state = FollowerState.REPLAYING
        return [_gap(EventId(page.incarnation, self.after), reason, None)]

    def _receive_entries(self, page: Page) -> list[Entry]:
        found: list[Entry] = []
        first = _first_of(page)
        if first > self.after + 1:
            found.append(self._skip_to(first))
        for entry in page.entries:
            if entry.position <= self.after:
                continue
            if entry.position > self.after + 1 and entry.kind is not Kind.LOST:
                found.append(self._skip_to(entry.position))
            self.after = entry.position
            if entry.kind is Kind.OPENED:
                continue
            if entry.kind is Kind.LOST:
                self._incarnation = entry.id.incarnation
                found.append(_gap(entry.id, "lost", None))
                continue
            if entry.id.incarnation != self._incarnation:
                # It is older or newer than a loss. A client that came back with its id would begin again.
                entry = Entry(EventId(self._incarnation, entry.position), entry.kind, entry.frame)
            found.append(entry)
            if entry.kind is Kind.END:
                self.state = FollowerState.ENDED
                return found
        if page.status != "live" and (page.first > page.last or self.after >= page.last):
            # The end is always kept, unless Redis has evicted the entries, and only the state is left.
            self.after = page.last
            found.append(_missing_end(EventId(self._incarnation, page.last)))
            self.state = FollowerState.ENDED
        else:
            self.state = FollowerState.LIVE if self.after >= page.last else FollowerState.REPLAYING
        return found

    def _skip_to(self, position: int) -> Entry:
        missed = position - 1 - self.after
        self.after = position - 1
        return _gap(EventId(self._incarnation, self.after), "trimmed", missed)


def _first_of(page: Page) -> int:
    """The position of the first entry. A log that has ended has its end at least."""
    return page.first if page.status == "live" else min(page.first, page.last)


def _gap(id: EventId, reason: str, missed: int | None) -> Entry:
    return Entry(id, Kind.GAP, hub_event("gap", reason=reason, missed=missed))


def _missing_end(id: EventId) -> Entry:
    return Entry(id, Kind.END, hub_event("end", reason="missing"))

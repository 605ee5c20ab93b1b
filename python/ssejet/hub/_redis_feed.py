"""The end of a log that this process follows, as the shared read delivers it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from ssejet.hub._entries import Kind
from ssejet.hub._machine import Page
from ssejet.hub._redis_context import entry_of
from ssejet.hub._shared_page import SharedPage
from ssejet.hub._signal import Signal
from ssejet.hub._window import Bounds, Window

if TYPE_CHECKING:
    from ssejet.errors import HubError
    from ssejet.hub._machine import Status

__all__ = ["MAX_ENTRIES", "SECOND_LOOK", "Feed"]

# How much of each log that is followed is kept in memory. A slower follower reads from Redis.
_WINDOW = Bounds(max_events=1000, max_bytes=2**20)

MAX_ENTRIES = 500
"""The most entries of each log that one read returns."""

# After so many seconds at most, a log is checked: it may have been removed, or lost by Redis.
_CHECK_INTERVAL = 8.0

# How many times a log is checked before it would be removed, as a check keeps it.
_CHECKS = 3

# The seconds between the end of a lease and the check.
_LEASE_MARGIN = 0.2

_LAST = b"18446744073709551615"
"""The largest second half of an id: a read after it begins with the next position."""

# How many seconds followers wait before they look again for a log of which there are only entries: it was
# deleted, or Redis has evicted the rest. Otherwise they would ask all the time.
_NO_LOG_PAUSE = 0.1

SECOND_LOOK = 1.0
"""The seconds after which a log that was missing is looked at again, before followers are told."""


class Feed(SharedPage):
    """The end of a log that this process follows.

    It is unstarted until a follower has read the log's state; then entries are kept, from there on.

    Args:
        key: the log's key.
        name: the name of its stream.
        ttl: the seconds after which Redis removes the log, unless it is checked.

    Attributes:
        key: the log's key.
        followers: how many followers there are.
        log: the log's name; ``""`` if the feed is unstarted.
        window: the last entries.
        signal: wakes the followers.
        is_stirred: whether an unstarted feed got entries, so that its followers have to read the state.
        news: how many times followers that found no log had to look again.
        doubts: how many times the connection was lost, so that Redis may have another log under this key.
        is_doubtful: whether nobody has looked since then. Until then no entries are read.
        is_closed: whether the hub was closed.
        failure: why Redis refuses to let this process follow; None if it does not.
        is_read: whether the read that waits has this feed, from its last entry.
        next_check: when to check the log.
        has_lease: whether the log has a producer whose lease may run out.
    """

    __slots__ = (
        "_behind_at",
        "_check_interval",
        "_has_entries_only",
        "_missing_since",
        "doubts",
        "failure",
        "followers",
        "has_lease",
        "incarnation",
        "is_closed",
        "is_doubtful",
        "is_read",
        "is_stirred",
        "key",
        "log",
        "name",
        "news",
        "next_check",
        "signal",
        "status",
        "window",
    )

    def __init__(self, key: str, name: str, ttl: float) -> None:
        super().__init__()
        self.key = key
        self.name = name.encode()
        self.followers = 0
        self.log = self.incarnation = ""
        self.status: Status = "live"
        self.window = Window(_WINDOW)
        self.signal = Signal()
        self.is_stirred = self.is_read = self.is_closed = False
        self.news = self.doubts = 0
        self.is_doubtful = False
        self.failure: HubError | None = None
        self._check_interval = min(_CHECK_INTERVAL, ttl / _CHECKS)
        self.next_check = monotonic() + self._check_interval
        self.has_lease = False
        self._has_entries_only = False
        self._missing_since = 0.0
        self._behind_at: int | None = None

    @property
    def place(self) -> bytes:
        """The id after which the stream has what was not read. An unstarted feed waits for any entry."""
        return b"%d-%s" % (self.window.last, _LAST) if self.log else b"0"

    @property
    def is_wanted(self) -> bool:
        """Whether entries have to be read."""
        return self.status == "live" and not self.is_stirred and not self.is_doubtful

    def start(self, page: Page, lease: float) -> None:
        """Begin after the last entry of a log, unless the feed has begun with that log."""
        self.plan_check(lease)
        if self.log == page.log:
            return
        self.log, self.incarnation, self.status = page.log, page.incarnation, page.status
        self.window = Window(_WINDOW, page.last)
        self._forget_page()
        self.is_stirred = self.is_read = self.is_doubtful = self._has_entries_only = False
        self._missing_since = 0.0
        # One follower has found the log. Others may wait for it, and nothing else wakes them if it has ended.
        self._tell()

    def plan_check(self, lease: float) -> None:
        """Plan the next check by the seconds that a lease is left; a negative number for no lease."""
        self.has_lease = lease >= 0
        wait = self._check_interval if lease < 0 else min(lease + _LEASE_MARGIN, self._check_interval)
        self.next_check = monotonic() + wait

    def reset(self) -> None:
        """Have the followers read the state of the log again."""
        self.log = self.incarnation = ""
        self.status = "live"
        self.window = Window(_WINDOW)
        self._forget_page()
        self.is_stirred = True
        self.is_read = self.is_doubtful = False
        self._tell()

    def doubt(self) -> None:
        """Have the log checked, as the connection was lost: the entries do not say of which log they are."""
        self.doubts += 1
        if self.log and self.status == "live":
            self.is_doubtful = True
            self.next_check = monotonic()

    def fail(self, error: HubError) -> None:
        """Tell the followers that Redis refuses the read."""
        self.failure = error
        self.reset()

    def close(self) -> None:
        """Wake the followers because the hub closes."""
        self.is_closed = True
        self.log = ""  # so that followers do not go on without the engine
        self.signal.notify()

    def check(self, page: Page, lease: float) -> None:
        """Take the state of the log."""
        if page.status != "missing":
            self._missing_since = 0.0
            self.is_doubtful = False
            self.plan_check(lease)
            if page.log != self.log:
                self.reset()
            elif page.last > self.window.last:
                self._look_behind()
            else:
                self._behind_at = None
        elif not self.log:
            self.next_check = monotonic() + self._check_interval
        elif not self._missing_since:
            self._missing_since = monotonic()
            self.next_check = monotonic() + SECOND_LOOK
        else:
            self.next_check = monotonic() + self._check_interval
            self.reset()

    def receive(self, entries: list[Any]) -> None:
        """Take entries as Redis sends them."""
        if not self.log:
            self.is_stirred = True
            self.is_read = False
            if self._has_entries_only:
                asyncio.get_running_loop().call_later(_NO_LOG_PAUSE, self._tell)
            else:
                self._has_entries_only = True
                self._tell()
            return
        self._forget_page()
        log = self.log.encode()
        for id, (field, frame) in entries:
            kind = field[:1]
            # The log was deleted. If it was also made again, its entries begin with lower positions.
            if kind == b"d" or field[1:] != log:
                self.reset()
                return
            position = int(id[: id.index(b"-")])
            if position <= self.window.last:
                continue
            entry = entry_of(position, kind, frame, self.incarnation)
            self.incarnation = entry.id.incarnation
            self.window.append(entry)
            if entry.kind is Kind.END:
                self.status = "finished"
            elif entry.kind is Kind.OPENED:
                self.has_lease = True
                self.next_check = monotonic()
        self.signal.notify()

    def _make_page(self, after: int) -> Page:
        entries = self.window.after(after, MAX_ENTRIES)
        return Page(self.status, self.log, self.incarnation, 1, self.window.last, entries)

    def _look_behind(self) -> None:
        """Have the followers read the log if its entries do not come: Redis can have evicted them."""
        if self._behind_at == self.window.last:
            self._behind_at = None
            self.reset()
        else:
            self._behind_at = self.window.last
            self.next_check = monotonic() + SECOND_LOOK

    def _tell(self) -> None:
        """Wake the followers, and have those look again that are about to wait."""
        self.news += 1
        self.signal.notify()

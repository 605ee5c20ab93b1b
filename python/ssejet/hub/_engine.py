"""What a hub needs from the place that keeps its logs."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ssejet.hub._machine import Page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from ssejet.hub._entries import Draft, EventId
    from ssejet.hub._machine import Status

__all__ = [
    "NOTHING_NEW",
    "NO_RECORD",
    "PAGE_SIZE",
    "Change",
    "Cursor",
    "Engine",
    "Lease",
    "Lifetime",
    "Record",
    "Renewal",
    "Writer",
]

PAGE_SIZE = 500
"""The most entries that one page has."""


class Lease(NamedTuple):
    """The right of one producer to write a log.

    Attributes:
        token: names the producer; each write checks it.
        seconds: how long it holds without being renewed.
    """

    token: str
    seconds: float


class Renewal(Enum):
    """What a producer learns when it renews its lease."""

    RENEWED = auto()
    STOP_REQUESTED = auto()
    REFUSED = auto()
    """The log has ended, or another producer has it."""
    DELETED = auto()


class Lifetime(NamedTuple):
    """How long a log with a lifetime of its own is kept.

    Attributes:
        ttl: the seconds after its last use; None for no limit.
        until: the time when it ends, in seconds since 1970; None for no limit.
    """

    ttl: float | None = None
    until: float | None = None


class Record(NamedTuple):
    """A log with its revision and fields, read in one step.

    Attributes:
        page: the log's state, with entries if they were asked for.
        revision: names the last change; ``""`` if there was none.
        fields: the values of those fields that were asked for and exist.
    """

    page: Page
    revision: str = ""
    fields: Mapping[str, str] = {}


NO_RECORD = Record(Page("missing"))
"""What is read where there is no log."""


class Change(NamedTuple):
    """A step that changes a log, if nobody else has changed it since it was read.

    Attributes:
        expected: the revision that was read; ``""`` to make a log where there is none.
        revision: the name of this change, which no other change has.
        incarnation: the first part of new ids.
        position: the position of the last entry before the new ones.
        drafts: the entries to append.
        fields: the fields to set.
        ends_as: the state of the log after the step, None if it goes on.
        lifetime: how long the log is kept. All changes of a log have the same.
    """

    expected: str
    revision: str
    incarnation: str
    position: int
    drafts: Sequence[Draft]
    fields: Mapping[str, str]
    ends_as: Status | None
    lifetime: Lifetime


class Writer(Protocol):
    """Appends to one log, in order.

    All methods raise ``FencedError`` if the lease is not valid any more, and ``LogFinishedError`` after the
    end of the log.
    """

    async def put(self, drafts: Sequence[Draft]) -> None:
        """Append later: this waits only if too much is waiting to be appended."""

    async def append(self, drafts: Sequence[Draft], *, ends_as: Status | None = None) -> list[EventId]:
        """Append, and return the ids. With ``ends_as``, the log ends with these events."""


NOTHING_NEW = Page("live")
"""What ``Cursor.peek`` returns to a follower that has all entries."""


class Cursor(Protocol):
    """Reads one log for one follower."""

    @property
    def change(self) -> Awaitable[None]:
        """Awaited, this waits until there may be more. It exists if ``peek`` returns ``NOTHING_NEW``."""

    def peek(self, after: int) -> Page | None:
        """Return the page after a position, if it is in memory.

        Returns:
            The page, which has entries; ``NOTHING_NEW`` if there are none yet; None if only ``read`` can say.
        """

    async def read(self, after: int, *, wait: bool) -> Page:
        """Read the page after a position; wait until it has entries or the log's state has changed."""

    async def aclose(self) -> None:
        """Release what the cursor holds."""


class Engine(Protocol):
    """Keeps logs. A key that has no log is free to get one."""

    async def claim(self, key: str, lease: Lease) -> bool:
        """Make a log that only the holder of the lease writes; False if somebody else has done that."""

    async def renew(self, key: str, lease: Lease) -> Renewal:
        """Prolong a lease."""

    def writer(self, key: str, lease: Lease | None = None) -> Writer:
        """Make a writer. Without a lease, the log is made when the first event is appended."""

    def release(self, lease: Lease) -> None:
        """Take note that a producer has ended."""

    async def request_stop(self, key: str) -> None:
        """Ask the producer of a log to end."""

    async def page(self, key: str) -> Page:
        """Read the state of a log, without entries. A log whose lease has run out becomes abandoned."""

    async def load(
        self, key: str, names: Sequence[str] = (), *, after: int | None = None, is_use: bool = False
    ) -> Record:
        """Read a log and some of its fields, with all that was written before the call.

        Args:
            key: the log's key.
            names: the names of the fields.
            after: the position after which to read entries; None for no entries.
            is_use: whether the time to live of a log with a lifetime of its own begins again.
        """

    async def commit(self, key: str, change: Change, names: Sequence[str] = ()) -> tuple[bool, Record]:
        """Make a change in one step, or none if the log has another revision.

        Returns:
            Whether the change was made, and the log as it is then.
        """

    async def delete(self, key: str) -> None:
        """Remove a log, and ask its producer to end."""

    def cursor(self, key: str) -> Cursor:
        """Begin to follow a log."""

    def on_stop(self, key: str, token: str) -> None:
        """Called when this process is told that a producer here has to stop; the hub replaces it."""

    async def aclose(self) -> None:
        """Release connections and timers."""

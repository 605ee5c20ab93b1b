"""What a hub needs from the place that keeps its logs."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._entries import Draft, EventId
    from ssejet.hub._machine import Page, Status

__all__ = ["PAGE_SIZE", "Cursor", "Engine", "Lease", "Renewal", "Writer"]

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


class Writer(Protocol):
    """Appends to one log, in order.

    All methods raise ``FencedError`` if the lease is not valid any more, and ``LogFinishedError`` after the
    end of the log.
    """

    async def put(self, drafts: Sequence[Draft]) -> None:
        """Append later: this waits only if too much is waiting to be appended."""

    async def append(self, drafts: Sequence[Draft], *, ends_as: Status | None = None) -> list[EventId]:
        """Append, and return the ids. With ``ends_as``, the log ends with these events."""


class Cursor(Protocol):
    """Reads one log for one follower."""

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

    async def delete(self, key: str) -> None:
        """Remove a log."""

    def cursor(self, key: str) -> Cursor:
        """Begin to follow a log."""

    def on_stop(self, key: str, token: str) -> None:
        """Called when this process is told that a producer here has to stop; the hub replaces it."""

    async def aclose(self) -> None:
        """Release connections and timers."""

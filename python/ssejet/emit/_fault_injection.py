"""Simulates a bad connection: pieces that are cut anywhere, and a failure."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Failure", "Faults"]

_LARGEST_RANDOM_PIECE = 64


@dataclass(frozen=True)
class Failure:
    """Where a stream fails, and how.

    Attributes:
        events: the number of events after which it fails, without heartbeats; None for no such limit.
        bytes: the number of bytes after which it fails, even within an event; None for no such limit.
        error: the exception that is raised there; None ends the stream as if it were complete.

    Raises:
        ValueError: there is no limit, or a negative one.
    """

    events: int | None = None
    bytes: int | None = None
    error: Exception | type[Exception] | None = ConnectionResetError

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.events, self.bytes) if limit is not None]
        if not limits or min(limits) < 0:
            raise ValueError(f"say after how many events or bytes to fail, 0 or more; got {self!r}")


class Faults:
    """Cuts and ends what is sent as a bad connection would.

    Args:
        cut: the size of each piece in bytes, or a random generator for pieces of 1 to 64 bytes; None leaves
            the pieces as they are.
        failure: where the stream fails, None for nowhere.

    Attributes:
        ended: the stream failed without an exception.

    Raises:
        ValueError: ``cut`` is less than 1.
    """

    def __init__(self, *, cut: int | Random | None, failure: Failure | None) -> None:
        if isinstance(cut, int) and cut < 1:
            raise ValueError(f"cut must be a size of 1 or more bytes, or a random.Random; got {cut!r}")
        self.ended: bool = False
        self._cut = cut
        self._failure = failure
        self._events = 0
        self._bytes = 0
        self._held = bytearray()
        self._size = self._next_size()

    def start(self) -> Iterator[bytes]:
        """Fail before anything is sent, if the failure is after 0 events or bytes."""
        return self.add(b"", events=0)

    def add(self, data: bytes, *, events: int) -> Iterator[bytes]:
        """Add these bytes, which hold this number of events, and yield the pieces that are full now."""
        failure = self._failure
        if failure is not None and failure.bytes is not None:
            data = data[: failure.bytes - self._bytes]
        self._bytes += len(data)
        self._events += events
        self._held += data
        while len(self._held) >= self._size:
            piece = bytes(self._held[: self._size])
            del self._held[: self._size]
            self._size = self._next_size()
            yield piece
        if self._cut is None or self._is_reached():
            yield from self.flush()
        if failure is not None and self._is_reached():
            self.ended = True
            if failure.error is not None:
                raise failure.error

    def flush(self) -> Iterator[bytes]:
        """Yield the piece that is not full."""
        if self._held:
            piece = bytes(self._held)
            self._held.clear()
            yield piece

    def _is_reached(self) -> bool:
        failure = self._failure
        return failure is not None and (failure.events == self._events or failure.bytes == self._bytes)

    def _next_size(self) -> int:
        if isinstance(self._cut, Random):
            return self._cut.randint(1, _LARGEST_RANDOM_PIECE)
        return sys.maxsize if self._cut is None else self._cut

"""Limits how long a stream may take."""

from __future__ import annotations

from math import inf
from time import perf_counter
from typing import Any

from ssejet.errors import APITimeoutError

__all__ = ["Deadlines", "check_seconds"]

# A timer can fire this many seconds early: the resolution of the coarsest clock of event loops.
_CLOCK_TICK = 0.02

# Sockets take a timeout of 0 as "do not block". This one, in seconds, is over at once.
_SHORTEST_TIMEOUT = 0.001

# Sockets refuse a timeout of 2**31 milliseconds or more.
_LONGEST_TIMEOUT = 2_000_000


class Deadlines:
    """The time limits of a stream; None means no limit.

    Args:
        idle: the most seconds of one wait for bytes.
        data: the most seconds of waiting between two events. Bytes that complete no event do not restart it.
        total: the most seconds from ``start`` to the end of the stream.
        start: a time of ``time.perf_counter()``; None for now.

    Attributes:
        limited: whether any limit is set.
        has_ends: whether a limit spans several waits: the one between events, or the total one.
        idle: the most seconds of one wait for bytes; None without that limit.

    Raises:
        TypeError: a limit is not a number.
        ValueError: a limit is not positive.
    """

    __slots__ = ("_data", "_data_end", "_data_left", "_end", "_total", "has_ends", "idle", "limited")

    def __init__(
        self,
        *,
        idle: float | None = None,
        data: float | None = None,
        total: float | None = None,
        start: float | None = None,
    ) -> None:
        check_seconds(idle_timeout=idle, data_timeout=data, timeout=total)
        self.limited: bool = not (idle is None and data is None and total is None)
        self.has_ends: bool = not (data is None and total is None)
        self.idle = idle
        self._data = data
        self._total = total
        self._end = inf if total is None else (perf_counter() if start is None else start) + total
        # Only waiting counts: the time that a slow consumer takes for an event is not the server's fault.
        self._data_left = inf if data is None else data
        self._data_end = inf

    def begin(self, request: Any) -> float:
        """Begin a wait, and return how many seconds it may last; ``inf`` without a limit.

        Raises:
            APITimeoutError: no time is left.
        """
        self._data_end = perf_counter() + self._data_left
        wait = self.wait()
        if wait <= 0:
            raise self.error(request)
        return wait

    def wait(self) -> float:
        """Return how many seconds the current wait may still last: 0 or less if the time is over."""
        left = min(self._end, self._data_end) - perf_counter()
        return left if self.idle is None else min(left, self.idle)

    def socket_timeout(self, own: float | None) -> float | None:
        """Return what timeout a socket needs for the current wait, in seconds; None without a limit.

        Args:
            own: the timeout that the HTTP library gives the socket.
        """
        seconds = self.wait()
        if own is not None and own < seconds:
            seconds = own
        return None if seconds > _LONGEST_TIMEOUT else max(_SHORTEST_TIMEOUT, seconds)

    @property
    def counts_events(self) -> bool:
        """Whether ``end()`` has to be called after each wait."""
        return self._data is not None

    def end(self, *, got_events: bool) -> None:
        """End a wait; ``got_events`` restarts the limit between events."""
        if self._data is not None:
            self._data_left = self._data if got_events else self._data_end - perf_counter()

    def replace_limits(self, seconds: float, *, idle: float | None = None) -> None:
        """Replace all limits: the stream may take ``seconds`` from now, and one wait ``idle`` seconds."""
        self.limited = self.has_ends = True
        self.idle = idle
        self._data = None
        self._data_left = self._data_end = inf
        self._total = seconds
        self._end = perf_counter() + seconds

    @property
    def limits(self) -> tuple[Any, ...]:
        """The limits and how much of them is used. Set it to restore them after ``replace_limits()``."""
        return tuple(getattr(self, name) for name in self.__slots__)

    @limits.setter
    def limits(self, values: tuple[Any, ...]) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)

    def error(self, request: Any, *, is_total: bool = False) -> APITimeoutError:
        """Make the error for a wait that took too long. It names the limit that was exceeded.

        Args:
            request: the request.
            is_total: whether it was the client's limit for the whole response, if it was the client's.
        """
        now = perf_counter() + _CLOCK_TICK
        if now >= self._end:
            message = f"the stream took longer than timeout={self._total:g} seconds"
            return APITimeoutError(message, kind="total", request=request)
        if now >= self._data_end:
            message = f"no event arrived within data_timeout={self._data:g} seconds"
            return APITimeoutError(message, kind="data", request=request)
        if is_total:
            message = "the response took longer than the client's limit for all of it"
            return APITimeoutError(
                f"{message}: give the client a larger total timeout", kind="total", request=request
            )
        limit = "the client's read timeout" if self.idle is None else f"idle_timeout={self.idle:g} seconds"
        return APITimeoutError(f"no bytes arrived within {limit}", kind="idle", request=request)


def check_seconds(**timeouts: float | None) -> None:
    """Check that timeouts are positive or None.

    Raises:
        TypeError: a timeout is not a number.
        ValueError: a timeout is not positive.
    """
    for name, seconds in timeouts.items():
        if seconds is None:
            continue
        expected = f"{name} must be a positive number of seconds, or None"
        if not isinstance(seconds, (int, float)):
            raise TypeError(f"{expected}, not {type(seconds).__name__}")
        if not seconds > 0:  # NaN too
            raise ValueError(f"{expected}; got {seconds!r}")

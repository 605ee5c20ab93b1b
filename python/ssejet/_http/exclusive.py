"""Use by one thread at a time, to which any thread can put an end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ConcurrentReadError", "Turn"]

# How long who ends something waits for the thread that is using it, and was told: seconds.
_WAKE_TIME = 5.0


class ConcurrentReadError(RuntimeError):
    """A second reader came; the stream goes on for the first."""

    def __init__(self) -> None:
        super().__init__("another task or thread is reading this stream; let one read and hand the items on")


class Turn:
    """Whose turn it is to use something, until any thread puts an end to that.

    A thread takes its turn by these lines, in this order. A lock would cost more than they do, at each read::

        if turn.holder is not None:
            raise ConcurrentReadError
        try:
            turn.holder = get_ident()
            if not turn.over:
                ...
        finally:
            turn.holder = None
            if turn.over:
                turn.release(...)

    As one side says that it is there before it looks for the end, and the other side the end before it looks
    who is there, one of them sees the other.

    Attributes:
        holder: the thread that uses it, if there is one.
        over: whether that has an end.
    """

    def __init__(self) -> None:
        self.holder: int | None = None
        self.over: bool = False
        self._lock = threading.RLock()  # a signal handler may come in between
        self._is_released = False
        self._released = threading.Event()

    def end(self, *, wake: Callable[[], None], release: Callable[[], None]) -> None:
        """Put an end to it, from any thread, and come back when it is released; more than once does no harm.

        Args:
            wake: tells the thread whose turn it is.
            release: what is to be done once nobody uses it any more, by whoever comes to it.
        """
        self.over = True
        holder = self.holder
        if holder is None:
            self.release(release)
            return
        wake()
        # In a signal handler, which can come in between at any moment, the wait would be one for oneself.
        if holder != threading.get_ident():
            self._released.wait(_WAKE_TIME)

    def release(self, release: Callable[[], None]) -> None:
        """Do what is to be done at the end, unless that was done."""
        with self._lock:
            if self._is_released:
                return
            self._is_released = True
            try:
                release()
            finally:
                self._released.set()

"""Use by one thread at a time, which any thread can end.

======= ==================================== ==============================
state   a thread begins to use the thing     a thread ends the use
======= ==================================== ==============================
free    in use                               ended; this thread releases it
in use  refused: ``ConcurrentReadError``     ended; the user releases it
ended   the thing is not used                nothing
======= ==================================== ==============================

There is no lock around a use, as that would cost more than all else at each read. So the state is in two
attributes, ``holder`` and ``ended``, that each side writes and reads in the opposite order: a user sets
``holder`` and then reads ``ended``; the thread that ends sets ``ended`` and then reads ``holder``. At least
one of them sees the other. A user asks for its own number before it reads ``holder``: during a call between
reading ``holder`` and setting it, another thread could do the same, and both would use the thing.
"""

from __future__ import annotations

from _thread import RLock, allocate_lock, get_ident  # threading itself takes long to import
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ConcurrentReadError", "ExclusiveUse"]

# How many seconds end() waits for the thread that uses the thing and was told to stop.
_WAKE_TIME = 5.0


class ConcurrentReadError(RuntimeError):
    """A second reader came; the stream goes on for the first."""

    def __init__(self) -> None:
        super().__init__("another task or thread is reading this stream; let one read and hand the items on")


class ExclusiveUse:
    """Lets one thread at a time use a thing, until any thread ends the use.

    A thread uses the thing by these lines, in this order::

        thread = get_ident()
        if use.holder is not None:
            raise ConcurrentReadError
        try:
            use.holder = thread
            if not use.ended:
                ...
        finally:
            use.holder = None
            if use.ended:
                use.release(...)

    Attributes:
        holder: the thread that uses the thing, if there is one.
        ended: whether the use was ended.
    """

    __slots__ = ("_in_use", "_is_released", "_lock", "ended", "holder")

    def __init__(self) -> None:
        self.holder: int | None = None
        self.ended: bool = False
        self._lock = RLock()  # a signal handler may interrupt the thread that holds it
        self._is_released = False
        self._in_use = allocate_lock()  # held until the thing is released
        self._in_use.acquire()

    def end(self, *, wake: Callable[[], None], release: Callable[[], None]) -> None:
        """End the use, and return when the thing is released. Any thread may call this, more than once.

        It returns earlier if the user takes seconds to stop, or is the thread that calls this.

        Args:
            wake: tells the thread that uses the thing to stop.
            release: releases the thing. It is called once, when no thread uses the thing any more.
        """
        self.ended = True
        holder = self.holder
        if holder is None:
            self.release(release)
            return
        wake()
        # A signal handler runs in a thread that may be the user, which cannot stop before the handler ends.
        if holder != get_ident() and self._in_use.acquire(timeout=_WAKE_TIME):
            self._in_use.release()  # for others that wait

    def release(self, release: Callable[[], None]) -> None:
        """Release the thing, unless that was done."""
        with self._lock:
            if self._is_released:
                return
            self._is_released = True
            try:
                release()
            finally:
                self._in_use.release()

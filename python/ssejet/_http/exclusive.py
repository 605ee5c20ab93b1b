"""Use by one thread at a time, which any thread can end.

======= ==================================== ==============================
state   a thread begins to use the thing     a thread ends the use
======= ==================================== ==============================
free    in use                               ended; this thread releases it
in use  refused: ``ConcurrentReadError``     ended; the user releases it
ended   the thing is not used                nothing
======= ==================================== ==============================

The thread that releases the thing uses it meanwhile.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident  # threading itself takes long to import
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

__all__ = ["ConcurrentReadError", "ExclusiveUse", "User"]

_T = TypeVar("_T")

# How many seconds end() waits for the thread that uses the thing and was told to stop.
_WAKE_TIME = 5.0


class ConcurrentReadError(RuntimeError):
    """A second reader came; the stream goes on for the first."""

    def __init__(self) -> None:
        super().__init__("another task or thread is reading this stream; let one read and hand the items on")


User: TypeAlias = "tuple[int]"
"""One use: a new tuple with the number of the thread."""


class ExclusiveUse:
    """Lets one thread at a time use a thing, until any thread ends the use.

    A thread uses the thing by these lines. A ``KeyboardInterrupt`` at any place leaves the thing free::

        me = (get_ident(),)
        try:
            use.begin(me)
            if not use.ended:
                ...
        finally:
            if use.leave(me):
                use.finish(release)

    Attributes:
        ended: whether the use was ended.
    """

    __slots__ = ("_holder", "_in_use", "_release_once", "ended")

    def __init__(self) -> None:
        self.ended: bool = False
        # Holds who uses the thing, if anybody does. The methods of a dict are atomic, without a GIL too. A
        # lock costs more, and would stay locked if a KeyboardInterrupt came right after it was acquired.
        self._holder: dict[None, User] = {}
        self._in_use = allocate_lock()  # held until the thing is released
        self._in_use.acquire()
        self._release_once = allocate_lock()  # held from the release on

    def begin(self, me: User) -> None:
        """Begin to use the thing, unless the use was ended.

        Raises:
            ConcurrentReadError: another thread uses it, or this one, of which a callback calls this.
        """
        if self._holder.setdefault(None, me) is not me and not self.ended:
            raise ConcurrentReadError

    def leave(self, me: User) -> bool:
        """Stop to use the thing, if this user does; return whether to call ``finish()``."""
        holder = self._holder
        if holder.get(None) is not me:
            return False
        del holder[None]
        # A thread that ends the use sets this first. So it has found the thing free, or is seen here.
        return self.ended

    def finish(self, release: Callable[[], None]) -> bool:
        """Release the thing if no thread uses it, and return whether that is so."""
        me = (get_ident(),)
        try:
            if self._holder.setdefault(None, me) is not me:
                return False
            self.release(release)
        finally:
            self.leave(me)
        return True

    def run(self, step: Callable[[], _T], release: Callable[[], None]) -> _T:
        """Use the thing by calling a function.

        Args:
            step: what uses the thing. It should do nothing if ``ended`` is true.
            release: releases the thing.

        Raises:
            ConcurrentReadError: as ``begin()``.
        """
        me = (get_ident(),)
        try:
            self.begin(me)
            return step()
        finally:
            if self.leave(me):
                self.finish(release)

    def end(self, *, wake: Callable[[], None], release: Callable[[], None]) -> None:
        """End the use, and return when the thing is released. Any thread may call this, more than once.

        It returns earlier if the user takes seconds to stop, or is the thread that calls this.

        Args:
            wake: tells the thread that uses the thing to stop.
            release: releases the thing. It is called once, when no thread uses the thing any more.
        """
        self.ended = True
        if self.finish(release):
            return
        user = self._holder.get(None)
        wake()
        # A signal handler runs in a thread that may be the user, which cannot stop before the handler ends.
        if (user is None or user[0] != get_ident()) and self._in_use.acquire(timeout=_WAKE_TIME):
            self._in_use.release()  # for others that wait

    def release(self, release: Callable[[], None]) -> None:
        """Release the thing, unless that was done."""
        if self._release_once.acquire(False):
            try:
                release()
            finally:
                self._in_use.release()

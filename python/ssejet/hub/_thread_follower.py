"""A follower of a log, for threads."""

from __future__ import annotations

import sys
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from ssejet.hub._lease import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from ssejet.hub._entries import Entry
    from ssejet.hub._event_loop_thread import EventLoopThread
    from ssejet.hub._follower import Follower

__all__ = ["ThreadFollower"]


class ThreadFollower:
    """A follower of a log, for threads. Another thread may interrupt it.

    Args:
        thread: the thread with the event loop of the hub.
        make: makes the follower, in that thread.
    """

    def __init__(self, thread: EventLoopThread, make: Callable[[], Follower]) -> None:
        self._is_closed = False
        self._is_released = True  # until there is something to release
        self._thread = thread
        self._wait: Future[Sequence[Entry]] | None = None
        self._follower = make()
        self._is_released = False

    @property
    def has_everything(self) -> bool:
        """Whether the log has ended, and the client had everything before."""
        return bool(self._follower.has_everything)

    def open(self, timeout: float) -> None:
        """Read the state of the log, if it comes in time, so that ``has_everything`` is known."""

        async def open_in_time() -> None:
            with anyio.move_on_after(timeout):
                await self._follower.open()

        self._thread.call(open_in_time())

    def next(self) -> Sequence[Entry]:
        """Wait for more, and return it; nothing at the end or after ``interrupt``."""
        if self._is_closed:
            return []
        self._wait = wait = self._thread.submit(self._follower.next())
        if self._is_closed:  # by another thread, before it could see this wait
            wait.cancel()
        try:
            return wait.result()
        except CancelledError:
            if self._is_closed:
                return []
            raise ClosedError from None
        finally:
            wait.cancel()

    def interrupt(self) -> None:
        """End the wait of another thread, and all later ones."""
        self._is_closed = True
        if self._wait is not None:
            self._wait.cancel()

    def close(self) -> None:
        """Stop following."""
        self.interrupt()
        closing = self._release()
        # The garbage collector may close a generator in the thread of the hub, which must not wait.
        if closing is not None and not self._thread.is_current:
            with suppress(RuntimeError, CancelledError):  # the hub closes
                closing.result()

    def __del__(self) -> None:
        # A framework that fails to send a response may drop it without closing it.
        if not sys.is_finalizing():
            self._release()

    def _release(self) -> Future[None] | None:
        """Have the thread of the hub close the follower, if it has not."""
        if self._is_released or not self._thread.is_running:
            return None
        self._is_released = True
        with suppress(RuntimeError, ClosedError):  # the hub closes
            return self._thread.submit(self._follower.aclose())
        return None

"""A follower of a log, for threads."""

from __future__ import annotations

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
        self._thread = thread
        self._follower = make()
        self._wait: Future[Sequence[Entry]] | None = None
        self._is_closed = False

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
        if self._thread.is_running:
            with suppress(RuntimeError, CancelledError):  # the hub closes
                closing = self._thread.submit(self._follower.aclose())
                # The garbage collector may close a generator in the thread of the hub, which must not wait.
                if not self._thread.is_current:
                    closing.result()

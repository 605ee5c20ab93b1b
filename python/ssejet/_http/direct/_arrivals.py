"""What has arrived of a body on asyncio, whatever it arrives on."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ssejet._core import BodyArrivals, ReadBuffer
from ssejet._http.direct._body import READ_SIZE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from typing_extensions import Self

    from ssejet._http.direct._body import Body

__all__ = ["Arrivals"]


def _raise(error: BaseException) -> None:
    try:
        raise error
    finally:
        del error  # its traceback holds this frame


# What event loops read into.
_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, ReadBuffer] = WeakKeyDictionary()


def _buffer_of(loop: asyncio.AbstractEventLoop) -> ReadBuffer:
    if sys.platform == "win32":
        return ReadBuffer(READ_SIZE)  # its event loop reads into many buffers at the same time
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = ReadBuffer(READ_SIZE)
    return buffer


class Arrivals(BodyArrivals):
    """What has arrived of a body, and the wait for more.

    The base class takes in what the event loop has read, and resumes the task that waits for it. This class
    does what happens less often.

    Nothing here refers to the response: the event loop refers to this while it reads.

    Attributes:
        body: the body.
    """

    __slots__ = ("_loop", "_timer", "body")

    def __new__(cls, body: Body, *_: Any) -> Self:
        loop = asyncio.get_running_loop()
        return super().__new__(cls, body.reader, loop, _buffer_of(loop), body.connection.read_timeout)

    def __init__(self, body: Body) -> None:
        self.body = body
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Iterate over what is left of the body."""
        while True:
            while self.size:
                yield self.take()
            if self.body.is_over:
                break
            await self.wait()
        self.close()
        self.body.end()
        self.body.raise_failure()

    def _start_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # The handle is not asked when it is due: uvloop's cannot say if that is within the same millisecond.
        self.timer_due = due
        self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        timer_due, self.timer_due = self.timer_due, inf
        due = self.due
        if due <= timer_due:
            if self.is_client_limit:
                self.body.fail("ReadTimeout")
            self.wake(in_time=False)
        elif due != inf:
            self._start_timer(due)

    def _receive_eof(self) -> None:
        self.body.receive_end()
        self.wake()

    def close(self) -> None:
        """End the body here, unless it is over, and hand the connection back. A second call does nothing."""
        if self.is_released:
            return
        self.is_released = True
        self.body.fail("ReadError")
        if self._timer is not None:
            self._timer.cancel()
        self._release()
        self.wake()

    def close_soon(self) -> None:
        """Do what ``close()`` does, from any thread."""
        with suppress(RuntimeError):
            if asyncio._get_running_loop() is self._loop:
                self.close()
            else:
                self._loop.call_soon_threadsafe(self.close)

    def _release(self) -> None:
        """Hand the connection back."""

    # What the base class calls, too.

    def _fail(self, error: Exception) -> None:
        """End the body with an error that the bytes of the socket have caused."""
        self.body.fail_with(error)

    def _raise_soon(self, error: BaseException) -> None:
        """Raise an error in the event loop, which it ends."""
        self._loop.call_soon(_raise, error)

    def _pause(self) -> None:
        """Let the event loop read no more."""

    def _resume(self) -> None:
        """Let the event loop read on."""

"""Reads the body of an asynchronous response, on asyncio and trio.

A reader is in one of these states:

========= ======================== ============== ======================== =======================
state     begin()                  a read ends    a read is cancelled      aclose()
========= ======================== ============== ======================== =======================
IDLE      READING                                                          CLOSED
READING   ConcurrentReadError      IDLE           SUSPENDED, else LOST     CLOSING
SUSPENDED READING: it goes on                                              CLOSED
LOST      CLOSED: raises an error                                          LOST
CLOSING   ConcurrentReadError      CLOSED         CLOSED                   CLOSING
CLOSED    the end of the body                                              CLOSED
========= ======================== ============== ======================== =======================

SUSPENDED: a cancelled read waits, and the next one goes on. LOST: the connection does not allow that, so the
cancellation has ended the body. CLOSING: the response is closed, but the task that reads has not returned.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import AsyncResponseAdapter
from ssejet._http.body import ResumableChunks
from ssejet._http.exclusive import ConcurrentReadError
from ssejet._http.reader import DRAIN_SIZE, DRAIN_TIME, BaseReader
from ssejet._http.response import is_reusable
from ssejet.errors import request_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ssejet._http.deadlines import Deadlines
    from ssejet._http.direct._asyncio import AsyncDirectChunks
    from ssejet._http.response import AsyncByteResponse

__all__ = ["AsyncReader", "ReaderState"]


class ReaderState(Enum):
    """The states of an asynchronous reader; see the table at the top."""

    IDLE = auto()
    READING = auto()
    SUSPENDED = auto()
    LOST = auto()
    CLOSING = auto()
    CLOSED = auto()


_IDLE, _READING = ReaderState.IDLE, ReaderState.READING
_SUSPENDED, _LOST = ReaderState.SUSPENDED, ReaderState.LOST
_CLOSING, _CLOSED = ReaderState.CLOSING, ReaderState.CLOSED


class AsyncReader(BaseReader):
    """Reads an asynchronous response, for one task at a time; any task may close it.

    Args:
        response: see the base class.
        deadlines: see the base class.
        resumable: see ``ResumableChunks``.
        direct: see the base class.

    Attributes:
        state: the state, see the table at the top of the module.
        direct: the chunks, if they are read directly; None before the first read, too.
    """

    __slots__ = ("_fetch", "_resumable", "_takes_arrivals", "direct", "state")

    close_name = "aclose"

    def __init__(
        self,
        response: AsyncByteResponse,
        deadlines: Deadlines,
        *,
        resumable: bool = True,
        direct: bool = True,
    ) -> None:
        super().__init__(response, deadlines, direct=direct)
        self._resumable = resumable
        self.state: ReaderState = _IDLE
        self._fetch: Callable[[], Awaitable[bytes]] | None = None
        self.direct: AsyncDirectChunks | None = None
        self._takes_arrivals = direct and isinstance(response, AsyncResponseAdapter)

    @property
    def closed(self) -> bool:
        """Whether the response was closed, which happens at the end of the body too."""
        state = self.state
        return state is _CLOSED or state is _CLOSING or state is _LOST

    @property
    def suspended(self) -> bool:
        """Whether a cancelled read is waiting to go on."""
        return self.state is _SUSPENDED

    @property
    def interrupted(self) -> bool:
        """Whether the last read was cancelled. The next one goes on, or raises an error."""
        return self.state is _SUSPENDED or self.state is _LOST

    async def read(self) -> bytes | None:
        """The next bytes of the body, as they arrive; None at its end, and once the reader is closed.

        Raises:
            APIConnectionError: the connection broke, a deadline passed, or a cancelled read cannot go on.
            ConcurrentReadError: another task is reading.
        """
        if self.closed and self.state is not _LOST:
            return None
        fetch = self.begin()
        try:
            return await fetch()
        except StopAsyncIteration:
            return None
        except Exception as error:
            self.raise_read_error(error)
            return None
        except BaseException:
            await self.on_cancelled()
            raise
        finally:
            if self.state is _READING:
                self.state = _IDLE
            else:
                await self.leave()

    # The parts of read(), for a caller that reads so often that one more coroutine would cost too much.

    def begin(self) -> Callable[[], Awaitable[bytes]]:
        """Begin a read, and return the function that reads. It raises StopAsyncIteration at the end.

        Raises:
            APIConnectionError: a cancelled read cannot go on.
            ConcurrentReadError: another task is reading.
        """
        if self.state is not _IDLE:
            if self.state is _LOST:
                self.state = _CLOSED
                raise self._chunks.error()
            if self.state is _CLOSED:
                return _end_of_body
            if self.state is not _SUSPENDED:
                raise ConcurrentReadError
        fetch = self._fetch or self._make_fetch()
        self.state = _READING
        return fetch

    def raise_read_error(self, error: Exception) -> None:
        """Raise the error of a read as one of ssejet, unless it only shows that the reader was closed."""
        try:
            if not self.closed:
                self._raise_translated(error)
        finally:
            del error  # its traceback holds this frame

    async def on_cancelled(self) -> None:
        """Handle the cancellation of a read; close what cannot go on."""
        if self.state is not _READING:
            return
        self._chunks.on_cancelled()
        if self._chunks.lost:
            self.state = _LOST
            await self._aclose_chunks()
            await self._aclose_response()
        else:
            self.state = _SUSPENDED

    async def leave(self) -> None:
        """End a read during which the reader was closed or the task was cancelled."""
        if self.state is _CLOSING:
            self.state = _CLOSED
            await self._aclose_chunks()

    def change_deadlines(self) -> None:
        """Take in that the deadlines have changed."""
        self._fetch = None

    def _make_fetch(self) -> Callable[[], Awaitable[bytes]]:
        if self._chunks is None:
            self._chunks = self._begin_body()
        keeps_deadlines = self.direct is not None or not self._deadlines.limited
        self._fetch = self._chunks.fetch if keeps_deadlines else self._fetch_in_time
        return self._fetch

    def _begin_body(self) -> Any:
        if self._is_direct:
            from ssejet._http.direct import direct_async_chunks

            chunks = direct_async_chunks(self.response, self._deadlines)
            if chunks is not None:
                self.direct = chunks
                return chunks
            self._is_direct = False
        elif self._takes_arrivals:
            self.direct = self.response.chunks_as_they_arrive(self._deadlines)
        return self.direct or ResumableChunks(self.response, resumable=self._resumable)

    async def _fetch_in_time(self) -> bytes:
        from anyio import move_on_after

        with move_on_after(self._deadlines.begin(request_of(self.response))):
            return await self._chunks.fetch()  # type: ignore[no-any-return]
        raise self._deadlines.error(request_of(self.response))

    async def drain(self) -> None:
        """Read to the end of the body, within bounds, if the connection can then be used again."""
        if self.state is not _IDLE or self._chunks is None or not is_reusable(self.response):
            return
        from anyio import move_on_after

        self.state = _READING
        try:
            with suppress(Exception), move_on_after(DRAIN_TIME):  # all that matters has been read
                await _read_rest(self._chunks.fetch)
        finally:
            if self.state is _READING:
                self.state = _IDLE
            else:
                await self.leave()

    async def aclose(self) -> None:
        """Close the response, and make a task that is reading it return. A second call does nothing."""
        if self.closed:
            return
        if self.state is _READING:
            # The iterators cannot be closed while the task waits in them; closing the response ends the wait.
            self.state = _CLOSING
        else:
            self.state = _CLOSED
            await self._aclose_chunks()
        await self._aclose_response()

    async def _aclose_chunks(self) -> None:
        if self._chunks is not None:
            await self._chunks.aclose()

    async def _aclose_response(self) -> None:
        from anyio import CancelScope

        with CancelScope(shield=True):
            await self.response.aclose()

    def close_soon(self) -> None:
        """Close the response soon, in a new task, if an event loop runs in this thread."""
        _run_soon(self.aclose)

    def on_collected(self) -> None:
        """Close the response soon, unless the event loop does: it closes iterators that are collected."""
        if self._is_direct and self._chunks is not None:
            self.close_soon()

    def release_connection(self) -> None:
        """Stop watching the network stream, which would keep the response alive."""
        if self._chunks is not None:
            self._chunks.release_connection()


async def _end_of_body() -> bytes:
    raise StopAsyncIteration


async def _read_rest(fetch: Callable[[], Awaitable[bytes]]) -> None:
    size = 0
    with suppress(StopAsyncIteration):
        while size <= DRAIN_SIZE:
            size += len(await fetch())


# The event loop alone does not keep a task alive.
_tasks: set[Any] = set()


def _run_soon(function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):  # trio does not run in this thread
            trio.lowlevel.spawn_system_task(function)
            return
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            task = loop.create_task(function())
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)

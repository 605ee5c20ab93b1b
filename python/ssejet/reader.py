"""Reading the body of a response: within deadlines, and closable from another thread or task."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet.transport import (
    NetworkReads,
    aclose_chunks,
    aiter_chunks,
    is_reusable,
    iter_chunks,
    request_of,
    translate,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from ssejet.transport import AsyncByteResponse, ByteResponse, Deadlines

__all__ = ["AsyncReader", "ConcurrentReadError", "Reader", "Turn"]

# What reading on after the end of a stream may cost, for the sake of the connection: bytes and seconds.
_DRAIN_SIZE = 64 * 1024
_DRAIN_TIME = 0.1

# How long a thread that closes something waits for the one that is using it, and was told: seconds.
_WAKE_TIME = 5.0


class ConcurrentReadError(RuntimeError):
    """A second reader came; the stream goes on for the first."""

    def __init__(self) -> None:
        super().__init__("another task or thread is reading this stream; let one read and hand the items on")


class Turn:
    """A lock for what one thread does at a time, and any may ask it to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None

    def take(self) -> bool:
        """Take the turn, if it is nobody's."""
        if not self._lock.acquire(blocking=False):
            return False
        self._holder = threading.get_ident()
        return True

    def take_over(self) -> bool:
        """Take the turn as soon as it is over; False if that does not come.

        As when it is the caller's own: a signal handler can come in between at any moment.
        """
        if self._holder == threading.get_ident() or not self._lock.acquire(timeout=_WAKE_TIME):
            return False
        self._holder = threading.get_ident()
        return True

    def end(self) -> None:
        """Give the turn back."""
        self._holder = None
        self._lock.release()


class _BaseReader:
    """What both readers share.

    Args:
        response: the response, which is closed with the reader.
        deadlines: how long reading may take.

    Attributes:
        response: the response.
        closed: whether the reader was closed, be it at the end of the body.
    """

    def __init__(self, response: ByteResponse | AsyncByteResponse, deadlines: Deadlines) -> None:
        self.response: Any = response
        self.closed = False
        self._deadlines = deadlines
        self._chunks: Any = None

    def _failure(self, error: Exception) -> Exception | None:
        """What to raise for an error of reading, or None if it only shows that the reader was closed."""
        return None if self.closed else translate(error, self.response, self._deadlines)


class Reader(_BaseReader):
    """Reads a synchronous response, for one thread at a time; any thread may close it."""

    def __init__(self, response: ByteResponse, deadlines: Deadlines) -> None:
        super().__init__(response, deadlines)
        self._turn = Turn()
        self._released = False
        self._network_reads: NetworkReads | None = None

    def read(self) -> bytes | None:
        """The next bytes of the body, as they arrive; None at its end, and once the reader is closed.

        Raises:
            APIConnectionError: the connection broke, or a deadline passed.
            ConcurrentReadError: another thread is reading.
        """
        if not self._turn.take():
            if not self.closed:
                raise ConcurrentReadError
            self.close()
            return None
        try:
            if self.closed:
                return None
            if self._chunks is None:
                self._chunks = iter_chunks(self.response)
                self._network_reads = NetworkReads.of(self.response, self._deadlines)
            if self._deadlines.limited:
                self._deadlines.begin(request_of(self.response))
            chunk: bytes | None = next(self._chunks, None)
            return chunk
        except Exception as error:
            failure = self._failure(error)
            if failure is error:
                raise
            if failure is not None:
                raise failure from error
            return None
        finally:
            if self.closed:
                self._release()
            self._turn.end()

    def drain(self) -> None:
        """Read on to the end of the body, within bounds, if that lets the connection be used again."""
        if self._network_reads is None or self._chunks is None or not is_reusable(self.response):
            return
        if not self._turn.take():
            return
        try:
            if not self.closed:
                self._deadlines.restrict(_DRAIN_TIME)
                with suppress(Exception):  # what matters has been read
                    _read_on(self._chunks)
        finally:
            if self.closed:
                self._release()
            self._turn.end()

    def close(self) -> None:
        """Close the response, and make a thread that is reading it come back; more than once does no harm."""
        if self._released:
            return
        self.closed = True
        if not self._turn.take():
            if self._network_reads is None:
                self._release()
                return
            self._network_reads.interrupt(self.response)
            # Also if another thread is closing the response: httpx cannot stand it if two do so at once.
            if not self._turn.take_over():
                return  # whoever's turn it is will find the reader closed
        try:
            self._release()
        finally:
            self._turn.end()

    def _release(self) -> None:
        if self._released:
            return
        if self._network_reads is not None:
            self._network_reads.let_go(self.response)
        self._chunks = iter(())
        self.response.close()
        self._released = True


class AsyncReader(_BaseReader):
    """Reads an asynchronous response, for one task at a time; any task may close it. On asyncio and trio."""

    def __init__(self, response: AsyncByteResponse, deadlines: Deadlines) -> None:
        super().__init__(response, deadlines)
        self._reading = False
        self._fetch: Callable[[], Awaitable[bytes]] | None = None

    async def read(self) -> bytes | None:
        """The next bytes of the body, as they arrive; None at its end, and once the reader is closed.

        Raises:
            APIConnectionError: the connection broke, or a deadline passed.
            ConcurrentReadError: another task is reading.
        """
        if self.closed:
            return None
        fetch = self.begin()
        try:
            return await fetch()
        except StopAsyncIteration:
            return None
        except Exception as error:
            self.fail(error)
            return None
        finally:
            if self.end():
                await self.aclose_chunks()

    # The parts of read(), for those who read so often that a coroutine of its own would cost too much.

    def begin(self) -> Callable[[], Awaitable[bytes]]:
        """Begin to read: what is returned starts a read, which raises StopAsyncIteration at the end.

        Raises:
            ConcurrentReadError: another task is reading.
        """
        if self._reading:
            raise ConcurrentReadError
        self._reading = True
        return self._fetch or self._make_fetch()

    def fail(self, error: Exception) -> None:
        """Raise what the error of a read comes to, unless it only shows that the reader was closed."""
        failure = self._failure(error)
        if failure is error:
            raise error
        if failure is not None:
            raise failure from error

    def end(self) -> bool:
        """End a read; True if the reader was closed meanwhile, and ``aclose_chunks()`` is left to do."""
        self._reading = False
        return self.closed

    async def aclose_chunks(self) -> None:
        """Leave httpx's iterators behind in order."""
        if self._chunks is None:
            return
        from anyio import CancelScope

        with CancelScope(shield=True):
            await aclose_chunks(self._chunks, self.response)

    def _make_fetch(self) -> Callable[[], Awaitable[bytes]]:
        if self._chunks is None:
            self._chunks = aiter_chunks(self.response)
        if self._deadlines.limited:
            return self._fetch_in_time
        self._fetch = self._chunks.__anext__
        return self._fetch

    async def _fetch_in_time(self) -> bytes:
        from anyio import move_on_after

        with move_on_after(self._deadlines.begin(request_of(self.response))):
            chunk: bytes = await anext(self._chunks)
            return chunk
        raise self._deadlines.error(request_of(self.response))

    async def drain(self) -> None:
        """Read on to the end of the body, within bounds, if that lets the connection be used again."""
        if self.closed or self._chunks is None or self._reading or not is_reusable(self.response):
            return
        from anyio import move_on_after

        self._reading = True
        try:
            with suppress(Exception), move_on_after(_DRAIN_TIME):  # what matters has been read
                await _aread_on(self._chunks)
        finally:
            if self.end():
                await self.aclose_chunks()

    async def aclose(self) -> None:
        """Close the response, and make a task that is reading it come back; more than once does no harm."""
        if self.closed:
            return
        self.closed = True
        # An iterator that another task waits in cannot be closed; closing the response ends the wait.
        if not self._reading:
            await self.aclose_chunks()
        from anyio import CancelScope

        with CancelScope(shield=True):
            await self.response.aclose()


def _read_on(chunks: Iterator[bytes]) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _DRAIN_SIZE:
            return


async def _aread_on(chunks: AsyncIterator[bytes]) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > _DRAIN_SIZE:
            return

"""Reading the body of a response: within deadlines, and closable from another thread or task."""

from __future__ import annotations

from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any

from ssejet.errors import request_of
from ssejet.network import NetworkReads
from ssejet.transport import aclose_chunks, aiter_chunks, is_reusable, iter_chunks, translate
from ssejet.turn import ConcurrentReadError, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from ssejet.deadlines import Deadlines
    from ssejet.transport import AsyncByteResponse, ByteResponse

__all__ = ["AsyncReader", "Reader"]

# What reading on after the end of a stream may cost, for the sake of the connection: bytes and seconds.
_DRAIN_SIZE = 64 * 1024
_DRAIN_TIME = 0.1


class _BaseReader:
    """What both readers share.

    Args:
        response: the response, which is closed with the reader.
        deadlines: how long reading may take.

    Attributes:
        response: the response.
    """

    def __init__(self, response: ByteResponse | AsyncByteResponse, deadlines: Deadlines) -> None:
        self.response: Any = response
        self._deadlines = deadlines
        self._chunks: Any = None


class Reader(_BaseReader):
    """Reads a synchronous response, for one thread at a time; any thread may close it."""

    def __init__(self, response: ByteResponse, deadlines: Deadlines) -> None:
        super().__init__(response, deadlines)
        self._turn = Turn()
        self._fetch: Callable[[], bytes] | None = None
        # From the start, so that a thread which closes this does not come before them.
        self._network_reads = NetworkReads.of(response, deadlines)

    @property
    def closed(self) -> bool:
        """Whether the reader was closed, be it at the end of the body."""
        return self._turn.over

    def read(self) -> bytes | None:
        """The next bytes of the body, as they arrive; None at its end, and once the reader is closed.

        Raises:
            APIConnectionError: the connection broke, or a deadline passed.
            ConcurrentReadError: another thread is reading.
        """
        turn = self._turn
        if turn.holder is not None:
            raise ConcurrentReadError
        try:
            turn.holder = get_ident()
            return None if turn.over else (self._fetch or self._make_fetch())()
        except StopIteration:
            return None
        except Exception as error:
            if turn.over:  # which the error only shows
                return None
            failure = translate(error, self.response, self._deadlines)
            if failure is error:
                raise
            raise failure from error
        finally:
            turn.holder = None
            if turn.over:
                turn.release(self._release)

    def _make_fetch(self) -> Callable[[], bytes]:
        if self._chunks is None:
            self._chunks = iter_chunks(self.response)
        if self._deadlines.limited:
            return self._fetch_in_time
        self._fetch = self._chunks.__next__
        return self._fetch

    def _fetch_in_time(self) -> bytes:
        self._deadlines.begin(request_of(self.response))
        chunk: bytes = next(self._chunks)
        return chunk

    def drain(self) -> None:
        """Read on to the end of the body, within bounds, if that lets the connection be used again."""
        turn = self._turn
        if (
            self._network_reads is None
            or self._chunks is None
            or turn.holder is not None
            or not is_reusable(self.response)
        ):
            return
        try:
            turn.holder = get_ident()
            if not turn.over:
                self._deadlines.restrict(_DRAIN_TIME)
                with suppress(Exception):  # what matters has been read
                    _read_on(self._chunks)
        finally:
            turn.holder = None
            if turn.over:
                turn.release(self._release)

    def close(self) -> None:
        """Close the response, and make a thread that is reading it come back; more than once does no harm."""
        self._turn.end(wake=self._interrupt, release=self._release)

    def _interrupt(self) -> None:
        if self._network_reads is not None:
            self._network_reads.interrupt(self.response)
        else:
            self._turn.release(self._release)

    def _release(self) -> None:
        if self._network_reads is not None:
            self._network_reads.let_go(self.response)
        self._chunks = self._fetch = None
        self.response.close()


class AsyncReader(_BaseReader):
    """Reads an asynchronous response, for one task at a time; any task may close it. On asyncio and trio.

    Attributes:
        closed: whether the reader was closed, be it at the end of the body.
        reading: whether a task is reading.
    """

    def __init__(self, response: AsyncByteResponse, deadlines: Deadlines) -> None:
        super().__init__(response, deadlines)
        self.closed = False
        self.reading = False
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
            self.reading = False
            if self.closed:
                await self.aclose_chunks()

    # The parts of read(), for those who read so often that a coroutine of its own would cost too much.

    def begin(self) -> Callable[[], Awaitable[bytes]]:
        """Begin to read: what is returned starts a read, which raises StopAsyncIteration at the end.

        Raises:
            ConcurrentReadError: another task is reading.
        """
        if self.reading:
            raise ConcurrentReadError
        self.reading = True
        return self._fetch or self._make_fetch()

    def fail(self, error: Exception) -> None:
        """Raise what the error of a read comes to, unless it only shows that the reader was closed."""
        if self.closed:
            return
        failure = translate(error, self.response, self._deadlines)
        if failure is error:
            raise error
        raise failure from error

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
        if self.closed or self._chunks is None or self.reading or not is_reusable(self.response):
            return
        from anyio import move_on_after

        self.reading = True
        try:
            with suppress(Exception), move_on_after(_DRAIN_TIME):  # what matters has been read
                await _aread_on(self._chunks)
        finally:
            self.reading = False
            if self.closed:
                await self.aclose_chunks()

    async def aclose(self) -> None:
        """Close the response, and make a task that is reading it come back; more than once does no harm."""
        if self.closed:
            return
        self.closed = True
        # An iterator that another task waits in cannot be closed; closing the response ends the wait.
        if not self.reading:
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

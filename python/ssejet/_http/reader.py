"""Reading the body of a response: within deadlines, and closable from another thread or task."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from ssejet._http.body import AsyncChunks, iter_chunks
from ssejet._http.exclusive import ConcurrentReadError, Turn
from ssejet._http.failures import translate
from ssejet._http.response import is_reusable
from ssejet._http.sockets import NetworkReads, ResumableReads
from ssejet.errors import APIConnectionError, request_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from ssejet._http.deadlines import Deadlines
    from ssejet._http.response import AsyncByteResponse, ByteResponse

__all__ = ["AsyncReader", "Reader", "ResumableChunks"]

# What reading on after the end of a stream may cost, for the sake of the connection: bytes and seconds.
_DRAIN_SIZE = 64 * 1024
_DRAIN_TIME = 0.1


class _BaseReader:
    """What both readers share: reading is all that they do differently.

    Args:
        response: the response, which is closed with the reader.
        deadlines: how long reading may take.

    Attributes:
        response: the response.
    """

    close_name: ClassVar[str]
    """The name of the method that closes the response, and of that which closes the reader."""

    def __init__(self, response: ByteResponse | AsyncByteResponse, deadlines: Deadlines) -> None:
        self.response: Any = response
        self._deadlines = deadlines
        self._chunks: Any = None

    def _raise_translated(self, error: Exception) -> NoReturn:
        """Raise what an error of the HTTP client comes to."""
        failure = translate(error, self.response, self._deadlines)
        try:
            if failure is error:
                raise error
            raise failure from error
        finally:
            # What is raised holds this frame by its traceback.
            del error, failure

    def abandon(self) -> None:
        """Close the response from where nothing can be awaited, as soon as possible."""
        raise NotImplementedError

    def on_collected(self) -> None:
        """Do what can be done when the response is garbage-collected."""

    def _leave_connection(self) -> None:
        """Leave the network stream alone, which would keep the response alive."""

    def leave_to_owner(self, message: str) -> bool:
        """Leave the response to its owner, and warn if it is garbage-collected without having been closed.

        Returns:
            Whether that can be arranged.
        """
        with suppress(Exception):
            self._leave_connection()
            guard = _Guard(self, message)
            setattr(self.response, guard.name, guard.close)
            return getattr(self.response, guard.name).__self__ is guard
        return False


class _Guard:
    """Waits for the owner of a response to close it, in place of a reader that was dropped.

    It stands in for the method that closes the response, so that it goes with the response.
    """

    def __init__(self, reader: _BaseReader, message: str) -> None:
        self.name = reader.close_name
        self._reader: _BaseReader | None = reader
        self._message = message

    def close(self) -> Any:
        """Close the response; awaitable if its method is."""
        reader = self._take_reader()
        if reader is None:
            return None
        # httpx2's iterators close the response when they are collected, which may be before this is.
        if getattr(reader._chunks, "gi_running", False):
            warnings.warn(self._message, ResourceWarning, source=reader.response, stacklevel=1)
        return getattr(reader, self.name)()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader = self._take_reader()
        if reader is None or sys.is_finalizing() or getattr(reader.response, "is_closed", False):
            return
        with suppress(Exception):
            reader.on_collected()
        _warn(self._message, ResourceWarning, source=reader.response)

    def _take_reader(self) -> _BaseReader | None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(AttributeError):
                delattr(reader.response, self.name)
        return reader


class Reader(_BaseReader):
    """Reads a synchronous response, for one thread at a time; any thread may close it."""

    close_name = "close"
    suspended = False

    def __init__(self, response: ByteResponse, deadlines: Deadlines) -> None:
        super().__init__(response, deadlines)
        self._turn = Turn()
        self._fetch: Callable[[], bytes] | None = None
        # From the start, so that a thread which closes this does not come before them.
        self._network_reads = NetworkReads.of(response, deadlines)

    @property
    def closed(self) -> bool:
        """Whether the reader was closed, which happens at the end of the body too."""
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
            self._raise_translated(error)
        finally:
            turn.holder = None
            if turn.over:
                turn.release(self._release)
        return None

    def _make_fetch(self) -> Callable[[], bytes]:
        if self._chunks is None:
            self._chunks = iter_chunks(self.response)
        if self._deadlines.limited:
            return self._fetch_in_time
        self._fetch = self._chunks.__next__
        return self._fetch

    def change_deadlines(self) -> None:
        """Take note that the deadlines have changed."""
        self._fetch = None

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

    def interrupt(self) -> None:
        """End the read that another thread is in, and all later ones, without waiting for that thread.

        A thread that reads over HTTP/1 closes the response. In any other case, call ``close()`` too.
        """
        self._turn.over = True
        if self._turn.holder is not None and self._network_reads is not None:
            self._network_reads.interrupt()

    def abandon(self) -> None:
        """Close the response."""
        self.close()

    def on_collected(self) -> None:
        """Close the response."""
        self.close()

    def _leave_connection(self) -> None:
        if self._network_reads is not None:
            self._network_reads.release()

    def _interrupt(self) -> None:
        if self._network_reads is None or not self._network_reads.interrupt():
            self._turn.release(self._release)

    def _release(self) -> None:
        if self._network_reads is not None:
            self._network_reads.release()
        self._chunks = self._fetch = None
        self.response.close()


class ResumableChunks:
    """The chunks of an asynchronous response, read such that no cancelled read is taken for the body's end.

    After a cancelled read the next one goes on where it was, if the connection allows that; if not, it raises
    an error.

    Args:
        response: the response.
        resumable: whether to go on after a cancelled read, which costs a little at each read.

    Attributes:
        lost: whether a cancelled read has ended the iterators.
    """

    def __init__(self, response: AsyncByteResponse, *, resumable: bool = True) -> None:
        self.lost: bool = False
        self._response = response
        self._chunks = AsyncChunks(response)
        self._reads = ResumableReads.of(response, self._chunks.iterator) if resumable else None
        # What starts a read; where the connection does not help, that of the iterator itself.
        self.fetch: Callable[[], Awaitable[bytes]] = (
            self._chunks.iterator.__anext__ if self._reads is None else self._reads.fetch
        )

    @property
    def suspended(self) -> bool:
        """Whether a cancelled read is waiting to go on."""
        return self._reads is not None and self._reads.suspended

    def on_cancelled(self) -> None:
        """Take note that a read was cancelled."""
        self.lost = not self.suspended

    def error(self) -> APIConnectionError:
        """The error for a read that follows a cancelled one and cannot go on."""
        return APIConnectionError(
            "an earlier read of this response was cancelled, which ended it: what was still to come is lost. "
            "Send the request again. To limit a wait without that, pass idle_timeout or data_timeout, or "
            "wait for a task that reads with asyncio.wait(), which does not cancel it",
            request=request_of(self._response),
        )

    def leave_connection(self) -> None:
        """Leave the network stream alone."""
        if self._reads is not None:
            self._reads.release()

    async def aclose(self) -> None:
        """Close the iterators in order."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            if self._reads is not None:
                await self._reads.drop()
                self.leave_connection()
            await self._chunks.aclose()


class AsyncReader(_BaseReader):
    """Reads an asynchronous response, for one task at a time; any task may close it. On asyncio and trio.

    Args:
        response: see the base class.
        deadlines: see the base class.
        resumable: see ``ResumableChunks``.

    Attributes:
        closed: whether the reader was closed, which happens at the end of the body too.
        reading: whether a task is reading.
        interrupted: whether the last read was cancelled. The next one goes on, or raises what came of that.
    """

    close_name = "aclose"

    def __init__(self, response: AsyncByteResponse, deadlines: Deadlines, *, resumable: bool = True) -> None:
        super().__init__(response, deadlines)
        self._resumable = resumable
        self.closed: bool = False
        self.reading: bool = False
        self.interrupted: bool = False
        self._fetch: Callable[[], Awaitable[bytes]] | None = None

    @property
    def suspended(self) -> bool:
        """Whether a cancelled read is waiting to go on."""
        return self._chunks is not None and self._chunks.suspended

    async def read(self) -> bytes | None:
        """The next bytes of the body, as they arrive; None at its end, and once the reader is closed.

        Raises:
            APIConnectionError: the connection broke, a deadline passed, or a cancelled read cannot go on.
            ConcurrentReadError: another task is reading.
        """
        if self.closed and not self.interrupted:
            return None
        fetch = self.begin()
        try:
            return await fetch()
        except StopAsyncIteration:
            return None
        except Exception as error:
            self.fail(error)
            return None
        except BaseException:
            self.reading = False
            await self.on_cancelled()
            raise
        finally:
            self.reading = False
            if self.closed:
                await self.aclose_chunks()

    # The parts of read(), for those who read so often that a coroutine of its own would cost too much.

    def begin(self) -> Callable[[], Awaitable[bytes]]:
        """Begin to read: what is returned starts a read, which raises StopAsyncIteration at the end.

        Raises:
            APIConnectionError: a cancelled read cannot go on.
            ConcurrentReadError: another task is reading.
        """
        if self.reading:
            raise ConcurrentReadError
        fetch = self._fetch or self._make_fetch()
        self.reading = True
        return fetch

    def fail(self, error: Exception) -> None:
        """Raise what the error of a read comes to, unless it only shows that the reader was closed."""
        try:
            if not self.closed:
                self._raise_translated(error)
        finally:
            del error  # which holds this frame by its traceback

    async def on_cancelled(self) -> None:
        """Take note that a read was cancelled, and close what cannot be read on."""
        if self.closed:
            return
        self.interrupted = True
        self._fetch = None
        self._chunks.on_cancelled()
        if self._chunks.lost:
            await self.aclose()

    async def aclose_chunks(self) -> None:
        """Close the iterators over the body in order."""
        if self._chunks is not None:
            await self._chunks.aclose()

    def change_deadlines(self) -> None:
        """Take note that the deadlines have changed."""
        self._fetch = None

    def _make_fetch(self) -> Callable[[], Awaitable[bytes]]:
        if self._chunks is None:
            self._chunks = ResumableChunks(self.response, resumable=self._resumable)
        if self.interrupted:
            self.interrupted = False
            if self._chunks.lost:
                raise self._chunks.error()
        self._fetch = self._fetch_in_time if self._deadlines.limited else self._chunks.fetch
        return self._fetch

    async def _fetch_in_time(self) -> bytes:
        from anyio import move_on_after

        with move_on_after(self._deadlines.begin(request_of(self.response))):
            return await self._chunks.fetch()  # type: ignore[no-any-return]
        raise self._deadlines.error(request_of(self.response))

    async def drain(self) -> None:
        """Read on to the end of the body, within bounds, if that lets the connection be used again."""
        if self.closed or self._chunks is None or self.reading or not is_reusable(self.response):
            return
        from anyio import move_on_after

        self.reading = True
        try:
            with suppress(Exception), move_on_after(_DRAIN_TIME):  # what matters has been read
                await _aread_on(self._chunks.fetch)
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

    def abandon(self) -> None:
        """Close the response soon, in a task of its own, if an event loop runs in this thread."""
        _run_soon(self.aclose)

    # on_collected() does nothing: the event loop closes the iterators, which are collected too.

    def _leave_connection(self) -> None:
        if self._chunks is not None:
            self._chunks.leave_connection()


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


def _read_on(chunks: Iterator[bytes]) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _DRAIN_SIZE:
            return


async def _aread_on(fetch: Callable[[], Awaitable[bytes]]) -> None:
    size = 0
    with suppress(StopAsyncIteration):
        while size <= _DRAIN_SIZE:
            size += len(await fetch())

"""Streams of typed items over asynchronous responses: a thin driver of ``StreamMachine``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet._core import AsyncAnswers
from ssejet._http.async_reader import AsyncReader, ReaderState
from ssejet._http.exclusive import ConcurrentReadError
from ssejet.errors import APIConnectionError
from ssejet.typed._base_stream import BaseStream
from ssejet.typed._machine import NOTHING_YET, MachineState
from ssejet.typed._types import T

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent
    from ssejet._http.direct._asyncio import AsyncDirectChunks
    from ssejet.typed._machine import StreamMachine

__all__ = ["AsyncStream"]

Item = TypeVar("Item")

_IDLE, _READING, _SUSPENDED = ReaderState.IDLE, ReaderState.READING, ReaderState.SUSPENDED
_MACHINE_READS = MachineState.READING


class AsyncStream(BaseStream[T]):
    """The items of an asynchronous response, as they arrive, on asyncio and trio.

    The response is one of httpx, httpx2, niquests or aiohttp.

    ::

        async with client.stream("POST", url, json=body) as response:
            async for chunk in AsyncStream(response, cast_to=Chunk):
                ...

    Everything in the documentation of ``Stream`` holds here, too. The timeouts interrupt the reads of any
    response. Any task may call ``aclose()`` at any time: the loop of a task that is reading ends.

    A cancelled read, as by ``asyncio.wait_for(anext(stream), 1)``, loses nothing over HTTP/1.1 with httpx and
    httpx2: the next read goes on where it was. Elsewhere a cancelled read ends the response, and the
    next read raises an ``APIConnectionError`` that says so.
    """

    __slots__ = ()

    _kind = "async"
    _advice = "use it in an `async with` block, or await aclose()"

    _reader_class = AsyncReader

    def __aiter__(self) -> AsyncIterator[T]:
        return _AsyncItems(self, self._machine.items)

    async def __anext__(self) -> T:
        return await anext(aiter(self))

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the rest of the stream as events, up to and including the sentinel.

        Nothing is decoded, and errors that the server reports are events like any other.
        """
        return _AsyncItems(self, self._machine.events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the response and drop the items that were not taken. A second call does nothing."""
        self._machine.close()
        await self._reader.aclose()

    close = aclose  # the name in openai-python

    async def begin(self) -> Self:
        """Wait for the first event without taking it; see ``Stream.begin()``."""
        try:
            while not self._machine.check_first() and await self._advance():
                pass
        except ConcurrentReadError:
            raise
        except BaseException:
            # The client has not returned its stream yet, so no code can go on after a cancelled read.
            if not self._machine.can_go_on() and (not self._reader.interrupted or self._owns_response):
                await self.aclose()
            raise
        return self

    async def _advance(self) -> bool:
        """Read once; False at the end of the stream."""
        if self._machine.state is not MachineState.READING:
            return False
        try:
            chunk = await self._reader.read()
        except APIConnectionError as error:
            self._body.raise_read_error(error)
        else:
            if self._reader.closed:
                return False
            self._body.receive(chunk)
        return True

    def _raise_read_error(self, error: Exception) -> None:
        """Raise the error of a read as one of ssejet, unless it only shows that the stream was closed."""
        try:
            self._reader.raise_read_error(error)
        except APIConnectionError as failure:
            self._body.raise_read_error(failure)
        finally:
            del error  # its traceback holds this frame

    async def _end(self) -> None:
        if self.saw_done:
            await self._reader.drain()
        await self.aclose()


class _AsyncItems(AsyncAnswers, Generic[Item]):
    """One loop over an ``AsyncStream``.

    This is not an async generator: only its reader can close one that waits in a read, and only the garbage
    collector closes one that was left early. All state is in the stream, so another loop can go on.

    The base class reads answers of a model that arrive one by one from a connection, and leaves all else to
    ``_next()``.
    """

    __slots__ = ("_machine", "_ready", "_stream", "_take")

    def __init__(self, stream: AsyncStream[Any], take: Callable[..., Iterator[Item]]) -> None:
        self._stream = stream
        self._take = take
        self._ready = take(waits=True)
        self._machine: StreamMachine[Any] | None = None

    if TYPE_CHECKING:

        def __anext__(self) -> Awaitable[Item]: ...

    async def _next(self, may_be_ordinary: bool) -> Item:
        stream = self._stream
        reader = stream._reader
        try:
            for item in self._ready:
                if item is not NOTHING_YET:
                    return item
                if stream._machine.state is not _MACHINE_READS:
                    await stream._end()
                    break
                # This is AsyncReader.read() inlined: a coroutine for each read would cost much.
                direct = reader.direct
                if direct is not None and reader.state is _IDLE:
                    if may_be_ordinary and self._begin_ordinary(direct):
                        return await anext(self)
                    reader.state = _READING
                else:
                    fetch = reader.begin()
                try:
                    if direct is None:
                        chunk = await fetch()
                    else:
                        if not direct.arrived.size:
                            await direct.wait()
                        chunk = direct.take()
                except StopAsyncIteration:
                    chunk = None
                except Exception as error:
                    stream._raise_read_error(error)
                    break
                except BaseException:
                    await reader.on_cancelled()
                    raise
                finally:
                    if reader.state is _READING:
                        reader.state = _IDLE
                    else:
                        await reader.leave()
                if reader.state is not _IDLE:
                    break
                machine = self._machine
                if machine is not None and chunk:
                    machine.receive(chunk)
                elif chunk != b"" or direct is None:
                    stream._body.receive(chunk)
                    self._machine = stream._body.next_machine
        except ConcurrentReadError:
            raise
        except BaseException as error:
            await self._end_by(error)
            raise
        raise StopAsyncIteration

    async def _end_by(self, error: BaseException) -> None:
        """Do what an error asks for that the loop is about to raise."""
        machine = self._stream._machine
        machine.keep_partial(error)
        if machine.can_go_on():  # the generator ended where it raised
            self._ready = self._take(waits=True)
        elif not self._stream._reader.interrupted:
            await self._stream.aclose()

    # What the base class calls.

    def _begin_ordinary(self, chunks: AsyncDirectChunks) -> bool:
        """Let the base class read on, if it can."""
        machine = self._machine
        if machine is None or self._take != machine.items or chunks.has_ends:
            return False
        builder = machine._builder
        if builder is None:
            return False
        self._read_ordinary(chunks, machine, machine._input, builder, machine.metrics.observe)
        return True

    async def _on_error(self, error: BaseException) -> Item:
        """Raise an error of the bytes that were read."""
        try:
            await self._end_by(error)
            raise error
        finally:
            del error  # its traceback holds this frame

    async def _on_read_error(self, error: Exception) -> Item:
        """Raise an error that a read raised, unless it only shows that the stream was closed."""
        try:
            self._stream._raise_read_error(error)
        except BaseException as failure:
            await self._end_by(failure)
            raise
        finally:
            del error  # its traceback holds this frame
        raise StopAsyncIteration

    async def _on_late(self) -> Item:
        """Raise the error of a wait that took too long."""
        direct = self._stream._reader.direct
        error = None if direct is None else direct.late_error()
        return await (self._next(False) if error is None else self._on_read_error(error))

    def _on_interrupted(self) -> None:
        """Take note that a read was cancelled."""
        reader = self._stream._reader
        if reader.state is _IDLE:
            reader.state = _SUSPENDED
            if reader.direct is not None:
                reader.direct.on_cancelled()

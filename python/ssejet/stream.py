"""Typed streams over HTTP responses: thin drivers around ``StreamMachine``."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ssejet.errors import APIConnectionError, APIStatusError, ContentTypeError
from ssejet.machine import NOTHING_YET, StreamMachine, T, status_error
from ssejet.transport import (
    Deadlines,
    aclose_chunks,
    aiter_chunks,
    bound_reads,
    content_type_of,
    is_event_stream,
    is_reusable,
    iter_chunks,
    request_of,
    translate,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._core import Decoder, ServerSentEvent
    from ssejet.machine import CastTo
    from ssejet.metrics import StreamMetrics
    from ssejet.transport import AsyncByteResponse, ByteResponse

__all__ = ["AsyncStream", "Stream"]

Item = TypeVar("Item")

# How much is kept of the body of a refusal, and of one that may turn out to be no event stream: bytes.
_REFUSAL_SIZE = 64 * 1024
_OTHER_BODY_SIZE = 1024

# What reading on after the sentinel may cost, for the sake of the connection: bytes and seconds.
_DRAIN_SIZE = 64 * 1024
_DRAIN_TIME = 0.1


class _ConcurrentReadError(RuntimeError):
    """A second reader came; the stream goes on for the first."""

    def __init__(self) -> None:
        super().__init__("another task or thread is reading this stream; let one read and hand the items on")


class _BaseStream(Generic[T]):
    """What both drivers share: everything but reading and closing.

    Args:
        response: the response to read; the stream closes it.
        cast_to: what the items are. None: what ``event.json()`` gives. A msgspec Struct, dataclass,
            TypedDict, or a union or generic of such: decoded by msgspec. A pydantic model, or a union or
            generic that holds one: decoded by pydantic-core. Any other callable gets the ``ServerSentEvent``
            and makes the item.
        decoder: a ``Decoder`` of your own, for another ``max_event_size`` or to see comments.
        done: the sentinel, as the start of an event's data; None if the stream has none.
        require_done: whether input that ends without the sentinel raises ``TruncatedStreamError``.
        idle_timeout: seconds that a wait for bytes may last; None leaves that to the client's read timeout.
        timeout: seconds from now in which the stream must end; None for no limit.

    Attributes:
        response: the response.

    Raises:
        TypeError: the response cannot be read this way, or ``cast_to`` or ``decoder`` is of the wrong kind.
        ValueError: an option has a value that makes no sense.
    """

    _method_names: ClassVar[tuple[str, str]]
    _body_protocol: ClassVar[str]
    _advice: ClassVar[str]

    _closed = True  # until __init__ is through
    _chunks: Any = None

    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: CastTo[T] = None,
        decoder: Decoder | None = None,
        done: str | None = "[DONE]",
        require_done: bool = False,
        idle_timeout: float | None = None,
        timeout: float | None = None,
    ) -> None:
        self._check_kind(response)
        self.response: Any = response
        self._machine: StreamMachine[T] = StreamMachine(
            cast_to=cast_to,
            decoder=decoder,
            done=done,
            require_done=require_done,
            request=request_of(response),
        )
        self._deadlines = Deadlines(idle=idle_timeout, total=timeout)
        self._limited = idle_timeout is not None or timeout is not None
        self._reading = False
        self._content_type = content_type_of(response)
        status = getattr(response, "status_code", None)
        self._refused = isinstance(status, int) and status >= 400
        self._body: bytearray | None = None
        if self._refused or (self._content_type and not is_event_stream(self._content_type)):
            self._body = bytearray()
        self._closed = False

    @property
    def saw_done(self) -> bool:
        """Whether the sentinel arrived."""
        return self._machine.saw_done

    @property
    def metrics(self) -> StreamMetrics:
        """What the stream measured of itself so far."""
        return self._machine.metrics

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<ssejet.{type(self).__name__} {state}, {self.metrics.events} events, of {self.response!r}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if self._closed or getattr(self.response, "is_closed", False) or sys.is_finalizing():
            return
        message = f"{self!r} was neither closed nor read to its end: {self._advice}"
        with suppress(Exception):
            self._abandon()
        _warn(message, ResourceWarning, source=self)

    def _abandon(self) -> None:
        """Release what can be released without waiting."""

    def _check_kind(self, response: Any) -> None:
        missing = [f"{name}()" for name in self._method_names if not callable(getattr(response, name, None))]
        # The responses of httpx have all methods, but only half of them work.
        body = getattr(response, "stream", None)
        body_protocols = [name for name in ("__iter__", "__aiter__") if hasattr(body, name)]
        if missing:
            fault = f"has no {' and no '.join(missing)}"
        elif body_protocols and self._body_protocol not in body_protocols:
            fault = "is of the other kind"
        else:
            return
        read, close = self._method_names
        other = "AsyncStream" if self._body_protocol == "__iter__" else "Stream"
        raise TypeError(
            f"{type(self).__name__} needs a response with {read}() and {close}(), but this "
            f"{type(response).__name__} {fault}; responses of the other kind of client are for {other}"
        )

    def _patience(self) -> float:
        """Seconds that the next read may last, of a stream with a limit."""
        wait = self._deadlines.wait()
        if wait <= 0:
            raise self._deadlines.error(request_of(self.response))
        return wait

    def _accept(self, chunk: bytes | None) -> None:
        """Take in what was read; None is the end of the body."""
        if self._body is None:
            if chunk is None:
                self._machine.receive_end()
            else:
                self._machine.receive(chunk)
            return
        if chunk is not None:
            size = _REFUSAL_SIZE if self._refused else _OTHER_BODY_SIZE
            self._body += chunk[: size - len(self._body)]
        if self._refused:
            if chunk is None or len(self._body) == _REFUSAL_SIZE:
                raise self._status_error()
        elif chunk is not None:
            self._machine.receive(chunk)
        else:
            self._machine.receive_end()
            if not self.metrics.events:
                raise ContentTypeError(self.response, content_type=self._content_type, body=bytes(self._body))

    def _status_error(self) -> APIStatusError:
        return status_error(self.response, bytes(self._body or b""))

    def _failure(self, error: BaseException) -> BaseException | None:
        """What to raise for an error, or None if it only shows that the stream was closed on purpose."""
        if self._closed and isinstance(error, Exception):
            return None
        failure = translate(error, self.response, self._deadlines)
        return self._status_error() if self._refused and isinstance(failure, APIConnectionError) else failure


class Stream(_BaseStream[T]):
    """The items of a synchronous response, as they arrive.

    ::

        with client.stream("POST", url, json=body) as response:
            for chunk in Stream(response, cast_to=Chunk):
                ...

    Iterating closes the response when the stream ends, be it by an error. A loop that is left early can be
    resumed by another loop or by ``next()``; leave the ``with`` block of the stream or of the response, or
    call ``close()``, when done with it.

    After the sentinel the body is read to its end, within bounds, if that lets the connection be used again.

    Items raise, besides what ``cast_to`` raises of itself:

    * ``APIStatusError`` before the first item, if the HTTP status is 400 or more;
    * ``APIError``, if the server reports an error inside the stream;
    * ``InvalidJSONError``, if an event's data cannot be decoded;
    * ``APITimeoutError`` or another ``APIConnectionError``, if httpx or httpx2 fails; what other clients
      raise is passed on;
    * ``EventTooLargeError``, after the items before it;
    * ``TruncatedStreamError`` at the end, with ``require_done``;
    * ``ContentTypeError`` at the end of a body without a single event, if its content type is another.

    ``idle_timeout`` and ``timeout`` interrupt the reads of httpx and httpx2 over HTTP/1.1. For other
    responses ``timeout`` is looked at between chunks, and ``idle_timeout`` is up to the client.
    """

    _method_names = ("iter_bytes", "close")
    _body_protocol = "__iter__"
    _advice = "use it in a `with` block, or call close()"

    _unbind: Callable[[], None] | None = None

    def __iter__(self) -> Iterator[T]:
        return self._run(self._machine.items)

    def __next__(self) -> T:
        for item in self:
            return item
        raise StopIteration

    def events(self) -> Iterator[ServerSentEvent]:
        """Iterate over the rest of the stream as it came, up to the sentinel, which is given as well.

        Nothing is decoded, and errors that the server reports are events like any other.
        """
        return self._run(self._machine.events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the response and drop what was not taken; once is enough, more does no harm."""
        if self._closed:
            return
        self._closed = True
        self._machine.close()
        if self._unbind is not None:
            self._unbind()
        self._chunks = iter(())
        self.response.close()

    _abandon = close

    # A generator, as a `for` loop runs it faster than __next__. All state is in the stream, so that it can be
    # dropped at any time and another one goes on.
    def _run(self, take: Callable[[Callable[[], bool]], Iterator[Item]]) -> Iterator[Item]:
        try:
            yield from take(self._advance)
        except (GeneratorExit, _ConcurrentReadError):
            raise
        except BaseException as error:
            failure = self._failure(error)
            self.close()
            if failure is error:
                raise
            if failure is not None:
                raise failure from error

    def _advance(self) -> bool:
        """Read once; False at the end of the stream, which is then closed."""
        if self._closed:
            return False
        if self._reading:
            raise _ConcurrentReadError
        self._reading = True
        try:
            if not self._machine.done:
                self._accept(self._read())
                return True
            if self.saw_done:
                self._drain()
        finally:
            self._reading = False
        self.close()
        return False

    def _read(self) -> bytes | None:
        if self._chunks is None:
            self._chunks = iter_chunks(self.response)
        if self._limited:
            self._patience()
            self._bind()
        return next(self._chunks, None)

    def _bind(self) -> bool:
        if self._unbind is None:
            self._unbind = bound_reads(self.response, self._deadlines)
        return self._unbind is not None

    def _drain(self) -> None:
        if not self._bind():
            return
        self._deadlines.restrict(_DRAIN_TIME)
        size = 0
        with suppress(Exception):  # the stream is complete
            for chunk in self._chunks:
                size += len(chunk)
                if size > _DRAIN_SIZE:
                    break


class AsyncStream(_BaseStream[T]):
    """The items of an asynchronous response, as they arrive, on asyncio and trio.

    ::

        async with client.stream("POST", url, json=body) as response:
            async for chunk in AsyncStream(response, cast_to=Chunk):
                ...

    All that is said of ``Stream`` holds here. ``idle_timeout`` and ``timeout`` interrupt the reads of any
    response. Any task may call ``aclose()`` at any time: a task that is reading comes to the end of its loop.
    """

    _method_names = ("aiter_bytes", "aclose")
    _body_protocol = "__aiter__"
    _advice = "use it in an `async with` block, or await aclose()"

    _read: Callable[[], Awaitable[bytes]] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        return _AsyncItems(self, self._machine.items(waits=True))

    async def __anext__(self) -> T:
        return await anext(aiter(self))

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the rest of the stream as it came, up to the sentinel, which is given as well.

        Nothing is decoded, and errors that the server reports are events like any other.
        """
        return _AsyncItems(self, self._machine.events(waits=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the response and drop what was not taken; once is enough, more does no harm."""
        if self._closed:
            return
        self._closed = True
        self._machine.close()
        from anyio import CancelScope

        with CancelScope(shield=True):
            # An iterator that another task waits in cannot be closed; closing the response ends it.
            if self._chunks is not None and not self._reading:
                await aclose_chunks(self._chunks, self.response)
            await self.response.aclose()

    close = aclose  # the name in openai-python

    def _reader(self) -> Callable[[], Awaitable[bytes]]:
        if self._chunks is None:
            self._chunks = aiter_chunks(self.response)
        if self._limited:
            return self._read_in_time
        self._read = self._chunks.__anext__
        return self._read

    async def _end(self) -> None:
        if self.saw_done:
            self._reading = True
            try:
                await self._drain()
            finally:
                self._reading = False
        await self.aclose()

    async def _read_in_time(self) -> bytes:
        from anyio import move_on_after

        with move_on_after(self._patience()):
            chunk: bytes = await anext(self._chunks)
            return chunk
        raise self._deadlines.error(request_of(self.response))

    async def _drain(self) -> None:
        if not is_reusable(self.response):
            return
        from anyio import move_on_after

        size = 0
        with suppress(Exception), move_on_after(_DRAIN_TIME):  # the stream is complete
            async for chunk in self._chunks:
                size += len(chunk)
                if size > _DRAIN_SIZE:
                    break


class _AsyncItems(Generic[Item]):
    """One loop over an ``AsyncStream``.

    Not an async generator, as one that is suspended in a read can be closed by nobody but its reader, and one
    that was left early by the garbage collector only. All state is in the stream, so that this can be dropped
    at any time and another one goes on.
    """

    def __init__(self, stream: AsyncStream[Any], ready: Iterator[Item]) -> None:
        self._stream = stream
        self._ready = ready

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        stream = self._stream
        try:
            for item in self._ready:
                if item is not NOTHING_YET:
                    return item
                if stream._closed:
                    break
                if stream._reading:
                    raise _ConcurrentReadError
                if stream._machine.done:
                    await stream._end()
                    break
                # Reads often bring one event each, so this waits for them without a coroutine of its own.
                stream._reading = True
                try:
                    chunk = await (stream._read or stream._reader())()
                except StopAsyncIteration:
                    chunk = None
                finally:
                    stream._reading = False
                stream._accept(chunk)
        except _ConcurrentReadError:
            raise
        except BaseException as error:
            failure = stream._failure(error)
            await stream.aclose()
            if failure is error:
                raise
            if failure is not None:
                raise failure from error
        raise StopAsyncIteration

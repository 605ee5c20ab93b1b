"""Typed streams over HTTP responses: thin drivers around ``StreamMachine``."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from ssejet._http.deadlines import Deadlines
from ssejet._http.exclusive import ConcurrentReadError
from ssejet._http.reader import AsyncReader, Reader
from ssejet._http.response import content_type_of
from ssejet._media_type import is_event_stream
from ssejet.errors import APIConnectionError, request_of
from ssejet.typed._machine import NOTHING_YET, StreamMachine
from ssejet.typed._server_reports import status_error
from ssejet.typed._types import T
from ssejet.typed._refusal import Beginning, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType, UnionType

    from typing_extensions import Self, TypeForm, Unpack

    from ssejet._core import Decoder, ServerSentEvent
    from ssejet._http.response import AsyncByteResponse, ByteResponse
    from ssejet._http_types import HTTPResponse
    from ssejet.metrics._stream import StreamMetrics
    from ssejet.typed._types import CastTo, StreamOptions

__all__ = ["AsyncStream", "Stream"]

Item = TypeVar("Item")


class _BaseStream(Generic[T]):
    """What both drivers share: everything but reading and closing.

    Args:
        response: the response to read; the stream closes it.
        cast_to: what the items are. None: what ``event.json()`` gives. A msgspec Struct, dataclass,
            TypedDict, or a union or generic of such: decoded by msgspec. A pydantic model, or a union or
            generic that holds one: decoded by pydantic-core. Any other callable gets the ``ServerSentEvent``
            and makes the item.
        decoder: a ``Decoder`` of your own, for another ``max_event_size`` or to see comments. An exception of
            its ``on_comment`` leaves the stream open: another loop goes on with the items after the comment.
        done: the sentinel, as the start of an event's data; None if the stream has none.
        require_done: whether input that ends without the sentinel raises ``TruncatedStreamError``.
        idle_timeout: seconds that a wait for bytes may last; None leaves that to the client's read timeout.
        data_timeout: seconds that may be spent waiting between two events. Comments keep ``idle_timeout``
            from passing, not this.
        timeout: seconds in which the stream must end, from now, or from the start of ``metrics``.
        metrics: where to keep what the stream measures; None for a ``StreamMetrics`` of its own. A
            ``TokenMetrics`` times tokens too, and lets ``require_done`` accept a finish reason as the end.

    Attributes:
        response: the response.

    Raises:
        TypeError: the response cannot be read this way, or ``cast_to`` or ``decoder`` is of the wrong kind.
        ValueError: an option has a value that makes no sense.
    """

    _method_names: ClassVar[tuple[str, str]]
    _body_protocol: ClassVar[str]
    _advice: ClassVar[str]
    _reader_class: ClassVar[type[Any]]

    _reader: Any = None  # until __init__ is through

    # Whether nobody else has the response, so that it cannot be closed once this is gone.
    _owns_response = False

    # One overload for each kind of cast_to, as in StreamMachine.
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: None = None,
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: TypeForm[T],
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: Callable[[ServerSentEvent], T],
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: UnionType,
        **options: Unpack[StreamOptions],
    ) -> None: ...
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: CastTo[T] | UnionType = None,
        decoder: Decoder | None = None,
        done: str | None = "[DONE]",
        require_done: bool = False,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
        timeout: float | None = None,
        metrics: StreamMetrics | None = None,
    ) -> None:
        self._check_kind(response)
        plain: Any = response
        self.response: HTTPResponse = plain
        self._machine: StreamMachine[T] = StreamMachine(
            cast_to=cast_to,
            decoder=decoder,
            done=done,
            require_done=require_done,
            request=request_of(response),
            metrics=metrics,
        )
        self._deadlines = Deadlines(
            idle=idle_timeout, data=data_timeout, total=timeout, start=self.metrics.started
        )
        content_type = content_type_of(response)
        status = getattr(response, "status_code", None)
        self._refusal: Refusal | None = None
        self._beginning: Beginning | None = None
        # Another label makes an error of a body without events, even if it holds comments.
        self._has_other_label = bool(content_type) and not is_event_stream(content_type)
        if isinstance(status, int) and status >= 400:
            self._refusal = Refusal(response, self._deadlines, status_error)
        else:
            self._beginning = Beginning(response)
        self._is_ordinary = False
        self._reader = self._reader_class(response, self._deadlines)

    @property
    def saw_done(self) -> bool:
        """Whether the sentinel arrived."""
        return self._machine.saw_done

    @property
    def metrics(self) -> StreamMetrics:
        """What the stream measured of itself so far; ``StreamMetrics`` says what that is of which stream."""
        return self._machine.metrics

    def __repr__(self) -> str:
        state = "closed" if self._reader.closed else "open"
        return f"<ssejet.{type(self).__name__} {state}, {self.metrics.events} events, of {self.response!r}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader = self._reader
        if reader is None or reader.closed or sys.is_finalizing():
            return
        if getattr(self.response, "is_closed", False):
            return
        message = f"{self!r} was neither closed nor read to its end: {self._advice}"
        if reader.suspended:
            reader.abandon()  # a cancelled read, which nobody can go on with
        elif self._owns_response or not reader.leave_to_owner(message):
            with suppress(Exception):
                reader.abandon()
            _warn(message, ResourceWarning, source=self)

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

    def _accept(self, chunk: bytes | None) -> None:
        """Take in what was read; None is the end of the body."""
        if self._is_ordinary and chunk is not None:  # first, as this is what happens at each read
            self._machine.receive(chunk)
        elif self._refusal is not None:
            self._refusal.add(chunk)
        elif chunk is None:
            self._machine.receive_end()
            if self._beginning is not None and not self.metrics.events:
                self._beginning.end()
                if self._has_other_label:
                    raise self._beginning.error()
        else:
            count = self.metrics.events
            self._machine.receive(chunk)
            got_events = self.metrics.events > count
            if self._beginning is not None:
                self._look_at_beginning(self._beginning, chunk, got_events=got_events)
            self._deadlines.end(got_events=got_events)

    def _look_at_beginning(self, beginning: Beginning, chunk: bytes, *, got_events: bool) -> None:
        if got_events:
            self._beginning = None
            is_changed = beginning.settle(self._deadlines)
        else:
            beginning.add(chunk)
            is_changed = beginning.adjust(self._deadlines)
        if is_changed:
            self._reader.change_deadlines()
        self._is_ordinary = got_events and not self._deadlines.limited

    def _is_over(self) -> bool:
        """Whether the exception just raised ends the stream: all do but those of ``on_comment``."""
        return not self._machine.can_go_on()

    def _accept_failure(self, error: APIConnectionError) -> None:
        """Raise the error, or what says more: what has come of a response that is no event stream."""
        try:
            if self._refusal is not None:
                raise self._refusal.error() from error.__cause__
            if self._beginning is not None and self._beginning.is_other:
                raise self._beginning.error() from error.__cause__
            raise error
        finally:
            del error  # which holds this frame by its traceback


class Stream(_BaseStream[T]):
    """The items of a synchronous response, as they arrive.

    ::

        with client.stream("POST", url, json=body) as response:
            for chunk in Stream(response, cast_to=Chunk):
                ...

    Iterating closes the response when the stream ends, by an error too. A loop that is left early can be
    resumed by another loop or by ``next()``; leave the ``with`` block of the stream or of the response, or
    call ``close()``, when done with it. A response that nobody has closed when it is garbage-collected gives
    a ``ResourceWarning``.

    After the sentinel the body is read to its end, within bounds, if that lets the connection be used again.

    Items raise, besides what ``cast_to`` raises of itself:

    * ``APIStatusError`` before the first item, if the HTTP status is 400 or more;
    * ``APIError``, if the server reports an error inside the stream, or as JSON in place of it;
    * ``InvalidJSONError``, if an event's data cannot be decoded;
    * ``APITimeoutError`` or another ``APIConnectionError``, if httpx or httpx2 fails; what other clients
      raise is passed on;
    * ``EventTooLargeError``, after the items before it;
    * ``TruncatedStreamError`` at the end, with ``require_done``;
    * ``ContentTypeError`` at the end of a body that holds something else than an event stream, such as HTML,
      or that has no event and another content type.

    The timeouts interrupt the reads of httpx and httpx2 over HTTP/1.1. For other responses ``data_timeout``
    and ``timeout`` are looked at between chunks, and ``idle_timeout`` is up to the client.

    Any thread may call ``close()`` at any time: over HTTP/1 a thread that is reading comes to the end of its
    loop at once.
    """

    _method_names = ("iter_bytes", "close")
    _body_protocol = "__iter__"
    _advice = "use it in a `with` block, or call close()"

    _reader_class = Reader

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
        self._machine.close()
        self._reader.close()

    # A generator, as a `for` loop runs it faster than __next__. All state is in the stream, so that it can be
    # dropped at any time and another one goes on.
    def _run(self, take: Callable[[Callable[[], bool]], Iterator[Item]]) -> Iterator[Item]:
        try:
            yield from take(self._advance)
        except (GeneratorExit, ConcurrentReadError):
            raise
        except BaseException:
            if self._is_over():
                self.close()
            raise

    def begin(self) -> Self:
        """Wait for the first event, which stays to be taken, so that what goes wrong before it shows here.

        Returns:
            The stream itself.

        Raises:
            SSEError: what iterating raises before the first item, or instead of it, if that is an error which
                the server reports.
        """
        try:
            while not self._machine.check_first() and self._advance():
                pass
        except ConcurrentReadError:
            raise
        except BaseException:
            if self._is_over():
                self.close()
            raise
        return self

    def _advance(self) -> bool:
        """Read once; False at the end of the stream, which is then closed."""
        if self._machine.done:
            if self.saw_done:
                self._reader.drain()
            self.close()
            return False
        try:
            chunk = self._reader.read()
        except APIConnectionError as error:
            self._accept_failure(error)
        else:
            if chunk is None and self._reader.closed:
                return False
            self._accept(chunk)
        return True


class AsyncStream(_BaseStream[T]):
    """The items of an asynchronous response, as they arrive, on asyncio and trio.

    ::

        async with client.stream("POST", url, json=body) as response:
            async for chunk in AsyncStream(response, cast_to=Chunk):
                ...

    All that is said of ``Stream`` holds here. The timeouts interrupt the reads of any response. Any task may
    call ``aclose()`` at any time: a task that is reading comes to the end of its loop.

    A read that is cancelled, as by ``asyncio.wait_for(anext(stream), 1)``, loses nothing over HTTP/1.1 with
    httpx and httpx2: the next one goes on where it was. Elsewhere a cancelled read ends the response, and the
    next one raises an ``APIConnectionError`` that says so.
    """

    _method_names = ("aiter_bytes", "aclose")
    _body_protocol = "__aiter__"
    _advice = "use it in an `async with` block, or await aclose()"

    _reader_class = AsyncReader

    def __aiter__(self) -> AsyncIterator[T]:
        return _AsyncItems(self, self._machine.items)

    async def __anext__(self) -> T:
        return await anext(aiter(self))

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the rest of the stream as it came, up to the sentinel, which is given as well.

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
        """Close the response and drop what was not taken; once is enough, more does no harm."""
        self._machine.close()
        await self._reader.aclose()

    close = aclose  # the name in openai-python

    async def begin(self) -> Self:
        """Wait for the first event, which stays to be taken; see ``Stream``'s method of this name."""
        try:
            while not self._machine.check_first() and await self._advance():
                pass
        except ConcurrentReadError:
            raise
        except BaseException:
            # A client that begins a stream has not given it to anybody who could go on.
            if self._is_over() and (not self._reader.interrupted or self._owns_response):
                await self.aclose()
            raise
        return self

    async def _advance(self) -> bool:
        """Read once; False at the end of the stream."""
        if self._machine.done:
            return False
        try:
            chunk = await self._reader.read()
        except APIConnectionError as error:
            self._accept_failure(error)
        else:
            if self._reader.closed:
                return False
            self._accept(chunk)
        return True

    def _fail(self, error: Exception) -> None:
        """Raise what the error of a read comes to, unless it only shows that the stream was closed."""
        try:
            self._reader.fail(error)
        except APIConnectionError as failure:
            self._accept_failure(failure)
        finally:
            del error  # which holds this frame by its traceback

    async def _end(self) -> None:
        if self.saw_done:
            await self._reader.drain()
        await self.aclose()


class _AsyncItems(Generic[Item]):
    """One loop over an ``AsyncStream``.

    Not an async generator, as one that is suspended in a read can be closed by nobody but its reader, and one
    that was left early by the garbage collector only. All state is in the stream, so that this can be dropped
    at any time and another one goes on.
    """

    def __init__(self, stream: AsyncStream[Any], take: Callable[..., Iterator[Item]]) -> None:
        self._stream = stream
        self._take = take
        self._ready = take(waits=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        stream = self._stream
        reader = stream._reader
        try:
            for item in self._ready:
                if item is not NOTHING_YET:
                    return item
                if stream._machine.done:
                    await stream._end()
                    break
                # Reads often bring one event each, so this waits for them without a coroutine of its own.
                fetch = reader.begin()
                try:
                    chunk = await fetch()
                except StopAsyncIteration:
                    chunk = None
                except Exception as error:
                    stream._fail(error)
                    break
                except BaseException:
                    reader.reading = False
                    await reader.on_cancelled()
                    raise
                finally:
                    reader.reading = False
                    if reader.closed:
                        await reader.aclose_chunks()
                if reader.closed:
                    break
                stream._accept(chunk)
        except ConcurrentReadError:
            raise
        except BaseException:
            if not stream._is_over():  # a generator ends where it raises
                self._ready = self._take(waits=True)
            elif not reader.interrupted:
                await stream.aclose()
            raise
        raise StopAsyncIteration

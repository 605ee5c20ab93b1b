"""Event streams to send: iterators around ``EmitMachine``."""

from __future__ import annotations

import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from ssejet._http.deadlines import check_seconds
from ssejet.emit._closing import aclose, close
from ssejet.emit._emit_machine import Codec, EmitMachine, OnError, State
from ssejet.emit._fault_injection import Failure, Faults
from ssejet.emit._heartbeats import AsyncHeartbeatSource, HeartbeatSource
from ssejet.emit._item_encoder import DONE, ItemEncoder
from ssejet.errors import StreamError

if TYPE_CHECKING:
    from random import Random

    import typing_extensions
    from typing_extensions import Unpack

    T = typing_extensions.TypeVar("T", default=Any)

    class EventStreamOptions(typing_extensions.TypedDict, total=False):
        """The options of an event stream."""

        done: Any
        dict_events: bool
        heartbeat: float | None
        on_error: OnError
        delay: float
        cut: int | Random | None
        fail_after: int | Failure | None
else:
    from typing import TypeVar

    T = TypeVar("T")

_ENDED = State.ENDED

__all__ = ["AsyncEventStream", "EventStream", "any_event_stream_of", "event_stream_of", "next_pieces"]


@dataclass(frozen=True)
class _Options:
    done: Any = DONE
    dict_events: bool = False
    heartbeat: float | None = None
    on_error: OnError = "raise"
    delay: float = 0.0
    cut: int | Random | None = None
    failure: Failure | None = None


class _BaseEventStream(Generic[T]):
    """The options and the items of an event stream, sync or async.

    Items may be models, dicts, text, ``ServerSentEvent`` objects or others with ``event`` and ``data``: see
    ``ssejet.emit._item_encoder.ItemEncoder`` and ``ssejet.encode``.

    Args:
        items: the items, if ``generate`` is not overridden.
        done: the last item: by default ``event: done`` with the data ``[DONE]``. A str is sent as data
            without a type. None for no such item.
        dict_events: whether a dict is an event with the keys ``data``, ``event``, ``id``, ``retry`` and
            ``comment``. By default a dict is data, which is sent as JSON.
        heartbeat: the seconds of silence after which a comment is sent between two events; None for never.
        on_error: how to handle an exception. ``"raise"`` raises it, so that the server cuts the connection.
            ``"event"`` logs it and sends a last event of type ``error``: with the other server's error if it
            is an ``APIError``, without details if not. A callable gets the exception and returns the last
            item. Within a relayed event, which another event would break, an exception is always raised.
        delay: the seconds to wait before each item.
        cut: the size of the pieces in bytes, wherever events end, or a ``random.Random`` for pieces of
            random sizes. A piece is sent when it is full or the stream ends.
        fail_after: the number of events after which the connection breaks with ``ConnectionResetError``, or
            a ``Failure`` with more details.

    Raises:
        TypeError: ``items`` is one item, or cannot be iterated, or an option has a wrong type.
        ValueError: an option has a value that makes no sense.
    """

    _iterables: ClassVar[tuple[type, ...]]
    _other_kind: ClassVar[str]

    # Defaults for subclasses whose __init__ does not call this one.
    _items: Any = None
    _options = _Options()

    def __init__(
        self,
        items: AsyncIterable[T] | Iterable[T] | None = None,
        *,
        done: Any = DONE,
        dict_events: bool = False,
        heartbeat: float | None = None,
        on_error: OnError = "raise",
        delay: float = 0.0,
        cut: int | Random | None = None,
        fail_after: int | Failure | None = None,
    ) -> None:
        name = type(items).__name__
        if isinstance(items, (str, bytes, Mapping)):
            raise TypeError(f"items must be an iterable of items, not one {name}: pass a list of it")
        if items is not None and not isinstance(items, self._iterables):
            raise TypeError(f"items must be an iterable, not {name}; {self._other_kind}")
        check_seconds(heartbeat=heartbeat)
        if not delay >= 0:
            raise ValueError(f"delay must be 0 or more seconds; got {delay!r}")
        if on_error not in ("raise", "event") and not callable(on_error):
            raise ValueError(f"on_error must be 'raise', 'event' or a callable; got {on_error!r}")
        failure = Failure(events=fail_after) if isinstance(fail_after, int) else fail_after
        Faults(cut=cut, failure=failure)  # raises now rather than when the stream begins
        self._items = items
        self._options = _Options(done, dict_events, heartbeat, on_error, delay, cut, failure)

    def machine(self) -> EmitMachine:
        """Return a machine for one iteration of this stream."""
        options = self._options
        faults = None
        if options.cut is not None or options.failure is not None:
            faults = Faults(cut=options.cut, failure=options.failure)
        return EmitMachine(self._codec(), on_error=options.on_error, faults=faults)

    @property
    def heartbeat(self) -> float | None:
        """The seconds of silence after which a comment is sent, None for never."""
        return self._options.heartbeat

    @property
    def name(self) -> str:
        """The name of the source in the log."""
        source = self if self._items is None else self._items
        return str(getattr(source, "__qualname__", type(source).__qualname__))

    def _codec(self) -> Codec:
        return ItemEncoder(self._options.done, dict_events=self._options.dict_events)

    def _given_items(self) -> Any:
        if self._items is None:
            raise NotImplementedError(
                f"{type(self).__name__} has nothing to send: pass an iterable of items or override generate()"
            )
        return self._items


class EventStream(_BaseEventStream[T]):
    """Makes the bytes of an event stream from items.

    Pass an iterable, or inherit and override ``generate``. Iterate to get the bytes, for the ``content=`` of
    a response of httpx or httpx2, or for the body of a WSGI response. Each iteration calls ``generate``.

    ::

        class Greeting(EventStream[ChatCompletionChunk]):
            def generate(self):
                yield ChatCompletionChunk(...)
                yield ChatCompletionChunk(...)

        httpx.Response(200, content=Greeting())

    With ``heartbeat``, each iteration makes its items in a thread of its own.
    """

    if TYPE_CHECKING:  # items of this class cannot be async

        def __init__(
            self, items: Iterable[T] | None = None, **options: Unpack[EventStreamOptions]
        ) -> None: ...

    _iterables = (Iterable,)
    _other_kind = "async iterables are for AsyncEventStream"

    _pieces: Any = None
    _heartbeat_source: HeartbeatSource[Any] | None = None

    def generate(self) -> Iterable[T]:
        """Return the items, by default those that were passed; a generator is closed at the end."""
        items: Iterable[T] = self._given_items()
        return items

    def __iter__(self) -> Generator[bytes, None, None]:
        self._pieces = pieces = _drive(self.machine(), self._items_with_heartbeats())
        return pieces

    def close(self) -> None:
        """End the latest iteration, if there is one, and close the items that were passed."""
        if self._pieces is not None:
            self._pieces.close()
        if self._heartbeat_source is None or not self._heartbeat_source.started:
            close(self._items)

    def open(self) -> Iterator[T]:
        """Return an iterator that makes the items."""
        items = iter(self.generate())
        return _delayed(items, self._options.delay) if self._options.delay else items

    def interrupt(self) -> None:
        """End the wait of the source, if it can be ended. Another thread calls this."""

    def _items_with_heartbeats(self) -> Iterator[Any]:
        if self.heartbeat is None:
            return self.open()
        # Only the thread can close the items, because it may be making one.
        self._heartbeat_source = HeartbeatSource(
            self.open,
            silence=self.heartbeat,
            interrupt=self.interrupt,
            after=partial(close, self._items),
        )
        return self._heartbeat_source


class AsyncEventStream(_BaseEventStream[T]):
    """Does what ``EventStream`` does, for async clients and ASGI.

    The iterable may be async or not, and so may the generator ``generate``, which may also be named
    ``agenerate``. One that is not async must not block.

    A read that is cancelled closes the source, and the next read raises ``StreamError``. Heartbeats need
    asyncio, unless ``ssejet.emit.starlette.EventStreamResponse`` sends the stream.
    """

    _iterables = (Iterable, AsyncIterable)
    _other_kind = "async or not"

    _pieces: _AsyncPieces | None = None

    def generate(self) -> AsyncIterable[T] | Iterable[T]:
        """Return the items, by default those that were passed; a generator is closed at the end."""
        items: AsyncIterable[T] | Iterable[T] = self._given_items()
        return items

    def agenerate(self) -> AsyncIterable[T] | Iterable[T]:
        """Return the items, by default those of ``generate``."""
        return self.generate()

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        self._pieces = _AsyncPieces(self.machine(), self._items_with_heartbeats())
        return self._pieces

    async def aclose(self) -> None:
        """End the latest iteration, if there is one, and close the items that were passed."""
        if self._pieces is not None and not self._pieces.is_running:
            await self._pieces.aclose()
        await aclose(self._items)

    def open(self) -> AsyncIterator[T]:
        """Return an iterator that makes the items."""
        items = self.agenerate()
        iterator = aiter(items) if isinstance(items, AsyncIterable) else _stepwise(iter(items))
        return _adelayed(iterator, self._options.delay) if self._options.delay else iterator

    def _items_with_heartbeats(self) -> AsyncIterator[Any]:
        if self.heartbeat is None:
            return self.open()
        return AsyncHeartbeatSource(self.open(), silence=self.heartbeat)


def event_stream_of(content: Iterable[Any], **options: Any) -> EventStream[Any]:
    """Return an event stream of the content, or the content itself if it is one: it has its own options."""
    return content if isinstance(content, EventStream) else EventStream(content, **options)


def any_event_stream_of(
    content: AsyncIterable[Any] | Iterable[Any], **options: Any
) -> AsyncEventStream[Any] | EventStream[Any]:
    """Do what ``event_stream_of`` does, for items that may be async."""
    if isinstance(content, AsyncEventStream):
        return content
    if isinstance(content, AsyncIterable):
        return AsyncEventStream(content, **options)
    return event_stream_of(content, **options)


def _drive(machine: EmitMachine, items: Iterator[Any]) -> Generator[bytes, None, None]:
    """Yield the pieces that the machine makes of the items, and close the items at the end."""
    try:
        yield from machine.start()
        while machine.state is not _ENDED:
            pieces: Iterable[bytes]
            try:
                item = next(items)
            except StopIteration:
                pieces = machine.finish()
            except Exception as error:
                pieces = machine.fail(error)
            else:
                pieces = machine.feed(item)
            yield from pieces
    finally:
        close(items)


class _AsyncPieces(AsyncGenerator[bytes, None]):
    """Does what ``_drive`` does, for async items.

    A cancelled read closes the items. The next read raises an error, because otherwise the stream
    would seem to be complete.
    """

    def __init__(self, machine: EmitMachine, items: AsyncIterator[Any]) -> None:
        self._machine = machine
        self._items = items
        self._was_cancelled = False
        self._pieces: Any = self._run()

    @property
    def is_running(self) -> bool:
        """Whether a read waits."""
        return bool(self._pieces.ag_running)

    def __anext__(self) -> Any:
        if self._was_cancelled:
            raise StreamError(
                "an earlier read of this event stream was cancelled, which closed its source: the rest is "
                "lost. To limit a wait, read in a task and pass it to asyncio.wait(), which cancels nothing"
            )
        return self._pieces.__anext__()

    def asend(self, value: None) -> Any:
        return self.__anext__()

    def athrow(self, *error: Any) -> Any:
        return self._pieces.athrow(*error)

    def aclose(self) -> Any:
        return self._pieces.aclose()

    async def _run(self) -> AsyncGenerator[bytes, None]:
        machine, items = self._machine, self._items
        try:
            for piece in machine.start():
                yield piece
            while machine.state is not _ENDED:
                for piece in await next_pieces(machine, items):
                    yield piece
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            self._was_cancelled = True
            raise
        finally:
            await aclose(items)


async def next_pieces(machine: EmitMachine, items: Any) -> Iterable[bytes]:
    """Wait for the next item, the end or an exception, and return the pieces that the machine makes of it."""
    try:
        item = await items.__anext__()
    except StopAsyncIteration:
        return machine.finish()
    except Exception as error:
        return machine.fail(error)
    return machine.feed(item)


def _delayed(items: Iterator[T], delay: float) -> Iterator[T]:
    try:
        for item in items:
            time.sleep(delay)
            yield item
    finally:
        close(items)


async def _adelayed(items: AsyncIterator[T], delay: float) -> AsyncIterator[T]:
    from anyio import sleep

    try:
        async for item in items:
            await sleep(delay)
            yield item
    finally:
        await aclose(items)


async def _stepwise(items: Iterator[T]) -> AsyncIterator[T]:
    try:
        for item in items:
            yield item
    finally:
        close(items)

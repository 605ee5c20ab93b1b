"""The drivers of all streams of events, sync and async: they take items from a source, and give out events.

A stream is also its own manager. If its source is one that is opened later, then all of these send the
request, and the source is closed at the end of the stream::

    with stream: ...                    async with stream: ...
    for event in stream: ...            async with await stream: ...
    stream.until_done()                 await stream
"""

from __future__ import annotations

import inspect
from itertools import chain
from operator import length_hint
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ssejet._answers.callbacks import bind
from ssejet._answers.opening import AsyncOpenedLater, OpenedLater
from ssejet.errors import SSEError, request_of
from ssejet.typed._base_stream import BaseStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._http_types import HTTPResponse
    from ssejet.metrics._stream_metrics import StreamMetrics

__all__ = ["AnswerStream", "AsyncAnswerStream", "BaseAnswerStream", "Machine"]

EventT = TypeVar("EventT")

# Stands for the end of a source, because None may be an item.
_NOTHING: Any = object()


class Machine(Generic[EventT]):
    """What a stream feeds with items: a state, and the callbacks.

    It is not the stream itself, so that a stream and its generator do not refer to each other.

    Args:
        handle: adds an item to the state, and returns its events.
        finish: ends the state, and returns the last events.
        partial: what had arrived; None if nothing had.

    Attributes:
        handle: the argument.
        finish: the argument.
        callbacks: by the type of the events.
        pending: the events of the latest item that are not given out yet.
    """

    def __init__(
        self,
        handle: Callable[[Any], Sequence[EventT]],
        finish: Callable[[], Sequence[EventT]],
        partial: Callable[[], Any],
    ) -> None:
        self.handle: Callable[[Any], Sequence[EventT]] = handle
        self.finish: Callable[[], Sequence[EventT]] = finish
        self.callbacks: dict[str, list[Callable[[Any], Any]]] = {}
        self.pending: Iterator[EventT] = iter(())
        self._partial = partial

    def add_callback(self, event_type: str, callback: Callable[[Any], Any]) -> None:
        """Call a function for each event of a type that is not given out yet."""
        if not self.callbacks:
            # The sync stream may be giving out pending events without a look at the callbacks.
            self.pending = iter([*self.pending])
        self.callbacks.setdefault(event_type, []).append(callback)

    def keep_partial(self, error: SSEError) -> None:
        """Store what had arrived in an error."""
        if error.partial is None:
            error.partial = self._partial()


class BaseAnswerStream(Generic[EventT]):
    """What both streams share: all but iterating and closing. A protocol adds its state.

    Attributes:
        _event_types: the classes of events, by their type.
        _text_delta: the class of the events with a piece of the answer's text.
    """

    _awaits_callbacks: ClassVar[bool]
    _iterated_by: ClassVar[str]
    _event_types: ClassVar[Mapping[str, type[Any]]]
    _text_delta: ClassVar[type[Any]]

    def _begin(self, source: Any, state: Any, machine: Machine[EventT]) -> None:
        """Take what the stream is made of.

        Args:
            source: the items.
            state: gets the source's HTTP request as its ``_request``.
            machine: takes the items.

        Raises:
            TypeError: the source cannot be iterated over in this way.
        """
        self._source = source
        self._machine = machine
        if isinstance(source, (OpenedLater, AsyncOpenedLater)):
            source.when_open(lambda opened: setattr(state, "_request", request_of(opened.response)))
            source.when_open(_forget_input)
        elif not hasattr(source, self._iterated_by):
            stream = "AsyncStream" if self._awaits_callbacks else "Stream"
            raise TypeError(
                f"{type(self).__name__} takes an iterable with {self._iterated_by}(), such as "
                f"{stream}(response, cast_to=…), not {type(source).__name__}"
            )
        else:
            state._request = request_of(self.response)
            _forget_input(source)

    @property
    def metrics(self) -> StreamMetrics | None:
        """The metrics of the source; None if it has none, or before the request is sent.

        The streams of ``Client`` have ``TokenMetrics``, which also time tokens.
        """
        return getattr(self._source, "metrics", None)

    @property
    def response(self) -> HTTPResponse | None:
        """The HTTP response that the items come from; None if the source has none, or before the request."""
        return getattr(self._source, "response", None)

    def on(self, event_type: str, callback: Callable[..., Any]) -> Self:
        """Call a function for each event of a type, before the iteration yields the event.

        Args:
            event_type: the ``type`` of the events.
            callback: gets the event's fields that its parameters name, and the event for a parameter
                ``event``. The async class awaits what it returns, if that is awaitable.

        Raises:
            TypeError: the callback has a parameter that is not a field of the event, or is async in the sync
                class.
            ValueError: no event has this type.
        """
        if inspect.iscoroutinefunction(callback) and not self._awaits_callbacks:
            name = type(self).__name__
            raise TypeError(f"a {name} cannot await callbacks; use an Async{name}")
        self._machine.add_callback(event_type, bind(self._event_types, event_type, callback))
        return self


def _forget_input(source: Any) -> None:
    """Tell a stream of ssejet that it need not keep its input: the machine adds what arrived to errors."""
    if isinstance(source, BaseStream):
        source._forget_input()


class AnswerStream(BaseAnswerStream[EventT]):
    """The sync driver."""

    _awaits_callbacks = False
    _iterated_by = "__iter__"
    _events: Iterator[EventT] | None = None

    def __iter__(self) -> Iterator[EventT]:
        # chain gives out the events of an item without running Python code for each.
        if self._events is None:
            self._events = chain.from_iterable(_batches(self._source, self._machine))
        return self._events

    def __next__(self) -> EventT:
        return next(iter(self))

    def __enter__(self) -> Self:
        if isinstance(self._source, OpenedLater):
            self._source.open()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the source, if it can be closed. What has arrived stays."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def text_deltas(self) -> Iterator[str]:
        """Iterate over the new pieces of the answer's text only."""
        text_delta: Any = self._text_delta
        events: Iterator[Any] = iter(self)
        return (event.delta for event in events if type(event) is text_delta)

    def until_done(self) -> Self:
        """Read the stream to its end."""
        for _ in self:
            pass
        return self


def _batches(source: Iterable[Any], machine: Machine[EventT]) -> Iterator[Iterator[EventT]]:
    """For each item, and for the end, an iterator over the events."""
    callbacks = machine.callbacks
    handle = machine.handle
    try:
        for item in chain(source, (_NOTHING,)):
            events = machine.finish() if item is _NOTHING else handle(item)
            machine.pending = pending = iter(events)
            if not callbacks:
                yield pending
            # The first callback may be registered, or a callback may raise, before all are given out.
            while callbacks and length_hint(machine.pending):
                yield _with_callbacks(machine)
    except SSEError as error:
        machine.keep_partial(error)
        if isinstance(source, OpenedLater):  # no other code can close it
            source.close()
        raise


def _with_callbacks(machine: Machine[EventT]) -> Iterator[EventT]:
    """The pending events; the callbacks of each are called first."""
    try:
        for event in machine.pending:
            kind: Any = event
            for callback in machine.callbacks.get(kind.type, ()):
                callback(event)
            yield event
    except SSEError as error:
        machine.keep_partial(error)
        raise


class AsyncAnswerStream(BaseAnswerStream[EventT]):
    """The async driver."""

    _awaits_callbacks = True
    _iterated_by = "__aiter__"
    _items: AsyncIterator[Any] | None = None
    _ended = False

    def __aiter__(self) -> Self:
        return self

    # This is not an async generator, because a generator that is not exhausted must be closed.
    async def __anext__(self) -> EventT:
        machine = self._machine
        try:
            while True:
                for event in machine.pending:
                    if machine.callbacks:
                        kind: Any = event
                        for callback in machine.callbacks.get(kind.type, ()):
                            result = callback(event)
                            if inspect.isawaitable(result):
                                await result
                    return event
                if self._ended:
                    raise StopAsyncIteration
                try:
                    item = await anext(self._items or await self._first(), _NOTHING)
                    self._ended = item is _NOTHING
                    machine.pending = iter(machine.finish() if self._ended else machine.handle(item))
                except SSEError:
                    self._ended = True
                    if isinstance(self._source, AsyncOpenedLater):  # no other code can close it
                        await self._source.aclose()
                    raise
        except SSEError as error:
            machine.keep_partial(error)
            raise

    async def _first(self) -> AsyncIterator[Any]:
        """The iterator over the source, which is opened if need be."""
        source = self._source
        if isinstance(source, AsyncOpenedLater):
            source = await source.open()
        self._items = _nothing() if source is None else aiter(source)
        return self._items

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        if isinstance(self._source, AsyncOpenedLater):
            await self._source.open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the source, if it can be closed. What has arrived stays."""
        close = getattr(self._source, "aclose", None) or getattr(self._source, "close", None)
        if close is not None:
            result = close()
            if inspect.isawaitable(result):
                await result

    close = aclose  # the name in openai-python

    def text_deltas(self) -> AsyncIterator[str]:
        """Iterate over the new pieces of the answer's text only."""
        return _AsyncTextDeltas(self, self._text_delta)

    async def until_done(self) -> Self:
        """Read the stream to its end."""
        async for _ in self:
            pass
        return self


class _AsyncTextDeltas:
    def __init__(self, events: AsyncIterator[Any], text_delta: type[Any]) -> None:
        self._events = events
        self._text_delta = text_delta

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            event = await anext(self._events)
            if type(event) is self._text_delta:
                delta: str = event.delta
                return delta


async def _nothing() -> AsyncIterator[Any]:
    return
    yield

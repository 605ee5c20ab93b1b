"""Chat streams, sync and async: they take chunks from any source, and give out events."""

from __future__ import annotations

import inspect
from itertools import chain
from operator import length_hint
from typing import TYPE_CHECKING, Any, ClassVar, Generic, overload

from ssejet.chat._callbacks import bind
from ssejet.chat._events import ContentDeltaEvent
from ssejet.chat._models import ResponseFormatT
from ssejet.chat._state import ChatCompletionStreamState
from ssejet.errors import SSEError, TruncatedStreamError, request_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self, TypedDict, Unpack

    from ssejet._http_types import HTTPResponse
    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._models import ParsedChatCompletion
    from ssejet.metrics._stream_metrics import StreamMetrics

    class _Options(TypedDict, total=False):
        """The options of a stream other than ``response_format``, for its overloads."""

        input_tools: Iterable[Any] | None
        require_finish: bool


__all__ = ["AsyncChatCompletionStream", "ChatCompletionStream"]

# Stands for the end of a source, because None may be an item.
_NOTHING: Any = object()


class _Machine(Generic[ResponseFormatT]):
    """What a stream feeds with chunks: a state, the callbacks, and the check at the end.

    It is not the stream itself, so that a stream and its generator do not refer to each other.

    Attributes:
        state: takes the chunks.
        callbacks: by the type of the events.
        pending: the events of the latest chunk that are not given out yet.
    """

    def __init__(self, state: ChatCompletionStreamState[ResponseFormatT], *, require_finish: bool) -> None:
        self.state = state
        self.callbacks: dict[str, list[Callable[[Any], Any]]] = {}
        self.pending: Iterator[ChatCompletionStreamEvent[ResponseFormatT]] = iter(())
        self._require_finish = require_finish

    def add_callback(self, event_type: str, callback: Callable[[Any], Any]) -> None:
        """Call a function for each event of a type that is not given out yet."""
        if not self.callbacks:
            # The sync stream may be giving out pending events without a look at the callbacks.
            self.pending = iter([*self.pending])
        self.callbacks.setdefault(event_type, []).append(callback)

    def finish(self) -> Sequence[ChatCompletionStreamEvent[ResponseFormatT]]:
        """End the stream, and return the last events."""
        if self._require_finish and not self.state.is_finished:
            raise TruncatedStreamError("the stream ended before the answer had a finish reason")
        return self.state.finish()

    def keep_partial(self, error: SSEError) -> None:
        """Store what had arrived in an error."""
        if error.partial is None and self.state.has_started:
            error.partial = self.state.current_completion_snapshot


class _BaseChatStream(Generic[ResponseFormatT]):
    """What both streams share: all but iterating and closing.

    Args:
        source: the chunks: a stream of ssejet's or openai-python's, or any other iterable of them.
        response_format: the type of the answer: a pydantic model, a msgspec Struct, a dataclass or a
            TypedDict. OpenAI's dict form is accepted too, but then the answer is not parsed.
        input_tools: the request's ``tools``, in OpenAI's form or as types. The arguments of strict ones
            are parsed.
        require_finish: whether it is an error if the source ends before each choice has a finish reason.

    Raises:
        TypeError: the format or a tool is none of these.
    """

    _awaits_callbacks: ClassVar[bool]

    def __init__(
        self,
        source: Any,
        *,
        response_format: type[ResponseFormatT] | Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
        require_finish: bool = False,
    ) -> None:
        self._source = source
        self._state: ChatCompletionStreamState[ResponseFormatT] = ChatCompletionStreamState(
            response_format=response_format, input_tools=input_tools
        )
        self._state._request = request_of(self.response)
        self._machine = _Machine(self._state, require_finish=require_finish)

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion so far; see ``ChatCompletionStreamState``."""
        return self._state.current_completion_snapshot

    @property
    def metrics(self) -> StreamMetrics | None:
        """The metrics of the source; None if it has none.

        The streams of ``Client`` have ``ChatMetrics``, which also times tokens. So has a stream that you make
        with ``metrics=ChatMetrics()``.
        """
        return getattr(self._source, "metrics", None)

    @property
    def response(self) -> HTTPResponse | None:
        """The HTTP response that the chunks come from; None if the source has none."""
        return getattr(self._source, "response", None)

    def on(self, event_type: str, callback: Callable[..., Any]) -> Self:
        """Call a function for each event of a type, before the iteration yields the event.

        ::

            stream.on("content.delta", lambda delta, snapshot: print(delta, end=""))

        Args:
            event_type: such as ``"content.delta"``.
            callback: gets the event's fields that its parameters name, and the event for a parameter
                ``event``. The async class awaits what it returns, if that is awaitable.

        Raises:
            TypeError: the callback has a parameter that is not a field of the event, or is async in the sync
                class.
            ValueError: no event has this type.
        """
        if inspect.iscoroutinefunction(callback) and not self._awaits_callbacks:
            raise TypeError("a ChatCompletionStream cannot await callbacks; use an AsyncChatCompletionStream")
        bound = bind(event_type, callback)
        self._machine.add_callback(event_type, bound)
        return self


class ChatCompletionStream(_BaseChatStream[ResponseFormatT]):
    """The events of a chat completion, as they arrive, and the completion that they make up.

    ::

        with ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk)) as stream:
            for event in stream:
                if event.type == "content.delta":
                    print(event.delta, end="")
            completion = stream.get_final_completion()

    If a loop ends early, or a callback raises, another loop goes on with the next event. Iterating raises the
    errors of the source; an ``SSEError`` has what had arrived as its ``partial``. It also raises:

    * ``LengthFinishReasonError`` and ``ContentFilterFinishReasonError``, if the answer must be parsed but was
      cut short;
    * ``StreamError``, if a tool-call fragment without an index could belong to several calls, or if a
      chunk's choices are neither a list nor an object;
    * ``TruncatedStreamError``, with ``require_finish``.
    """

    _awaits_callbacks = False
    _events: Iterator[ChatCompletionStreamEvent[ResponseFormatT]] | None = None

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, source: Any, *, response_format: type[ResponseFormatT], **options: Unpack[_Options]
        ) -> None: ...
        @overload
        def __init__(
            self: ChatCompletionStream[None],
            source: Any,
            *,
            response_format: Mapping[str, Any] | None = None,
            **options: Unpack[_Options],
        ) -> None: ...
        @overload
        def __init__(
            self,
            source: Any,
            *,
            response_format: type[ResponseFormatT] | Mapping[str, Any] | None,
            **options: Unpack[_Options],
        ) -> None: ...
        def __init__(self, source: Any, **options: Any) -> None: ...

    def __iter__(self) -> Iterator[ChatCompletionStreamEvent[ResponseFormatT]]:
        # chain gives out the events of a chunk without running Python code for each.
        if self._events is None:
            self._events = chain.from_iterable(_batches(self._source, self._machine))
        return self._events

    def __next__(self) -> ChatCompletionStreamEvent[ResponseFormatT]:
        return next(iter(self))

    def __enter__(self) -> Self:
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
        return (event.delta for event in self if type(event) is ContentDeltaEvent)

    def until_done(self) -> Self:
        """Read the stream to its end."""
        for _ in self:
            pass
        return self

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Read the stream to its end, and return the completion; see ``ChatCompletionStreamState``."""
        return self.until_done()._state.get_final_completion()


def _batches(
    source: Iterable[Any], machine: _Machine[ResponseFormatT]
) -> Iterator[Iterator[ChatCompletionStreamEvent[ResponseFormatT]]]:
    """For each chunk, and for the end, an iterator over the events."""
    callbacks = machine.callbacks
    handle_chunk = machine.state.handle_chunk
    try:
        for chunk in chain(source, (_NOTHING,)):
            events = machine.finish() if chunk is _NOTHING else handle_chunk(chunk)
            machine.pending = pending = iter(events)
            if not callbacks:
                yield pending
            # The first callback may be registered, or a callback may raise, before all are given out.
            while callbacks and length_hint(machine.pending):
                yield _with_callbacks(machine)
    except SSEError as error:
        machine.keep_partial(error)
        raise


def _with_callbacks(
    machine: _Machine[ResponseFormatT],
) -> Iterator[ChatCompletionStreamEvent[ResponseFormatT]]:
    """The pending events; the callbacks of each are called first."""
    try:
        for event in machine.pending:
            for callback in machine.callbacks.get(event.type, ()):
                callback(event)
            yield event
    except SSEError as error:
        machine.keep_partial(error)
        raise


class AsyncChatCompletionStream(_BaseChatStream[ResponseFormatT]):
    """The events of a chat completion, as they arrive, and the completion that they make up.

    ::

        async with AsyncChatCompletionStream(AsyncStream(response, cast_to=ChatCompletionChunk)) as stream:
            async for event in stream:
                if event.type == "content.delta":
                    print(event.delta, end="")
            completion = await stream.get_final_completion()

    It does what ``ChatCompletionStream`` does.
    """

    _awaits_callbacks = True
    _chunks: AsyncIterator[Any] | None = None
    _ended = False

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, source: Any, *, response_format: type[ResponseFormatT], **options: Unpack[_Options]
        ) -> None: ...
        @overload
        def __init__(
            self: AsyncChatCompletionStream[None],
            source: Any,
            *,
            response_format: Mapping[str, Any] | None = None,
            **options: Unpack[_Options],
        ) -> None: ...
        @overload
        def __init__(
            self,
            source: Any,
            *,
            response_format: type[ResponseFormatT] | Mapping[str, Any] | None,
            **options: Unpack[_Options],
        ) -> None: ...
        def __init__(self, source: Any, **options: Any) -> None: ...

    def __aiter__(self) -> Self:
        return self

    # This is not an async generator, because a generator that is not exhausted must be closed.
    async def __anext__(self) -> ChatCompletionStreamEvent[ResponseFormatT]:
        machine = self._machine
        try:
            while True:
                for event in machine.pending:
                    if machine.callbacks:
                        for callback in machine.callbacks.get(event.type, ()):
                            result = callback(event)
                            if inspect.isawaitable(result):
                                await result
                    return event
                if self._ended:
                    raise StopAsyncIteration
                if self._chunks is None:
                    self._chunks = aiter(self._source)
                try:
                    chunk = await anext(self._chunks, _NOTHING)
                    self._ended = chunk is _NOTHING
                    machine.pending = iter(
                        machine.finish() if self._ended else machine.state.handle_chunk(chunk)
                    )
                except SSEError:
                    self._ended = True
                    raise
        except SSEError as error:
            machine.keep_partial(error)
            raise

    async def __aenter__(self) -> Self:
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
        return _AsyncTextDeltas(self)

    async def until_done(self) -> Self:
        """Read the stream to its end."""
        async for _ in self:
            pass
        return self

    async def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Read the stream to its end, and return the completion; see ``ChatCompletionStreamState``."""
        return (await self.until_done())._state.get_final_completion()


class _AsyncTextDeltas:
    def __init__(self, events: AsyncIterator[ChatCompletionStreamEvent[Any]]) -> None:
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            event = await anext(self._events)
            if type(event) is ContentDeltaEvent:
                return event.delta

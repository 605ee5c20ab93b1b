"""Chat streams, sync and async: they take chunks from any source, and give out events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, overload

from ssejet._answers.streams import AnswerStream, AsyncAnswerStream, BaseAnswerStream, Machine
from ssejet.chat._events import EVENT_TYPES, ChatCompletionStreamEvent, ContentDeltaEvent
from ssejet.chat._models import ChatCompletionChunk, Completion, ResponseFormatT
from ssejet.chat._state import ChatCompletionStreamState
from ssejet.chat._text_completions import collect_texts
from ssejet.errors import TruncatedStreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import TypedDict, Unpack

    from ssejet.chat._models import ParsedChatCompletion

    class _Options(TypedDict, total=False):
        """The options of a stream other than ``response_format``, for its overloads."""

        input_tools: Iterable[Any] | None
        require_finish: bool


__all__ = ["AsyncChatCompletionStream", "ChatCompletionStream"]


def _finish(
    state: ChatCompletionStreamState[ResponseFormatT], *, require_finish: bool
) -> Sequence[ChatCompletionStreamEvent[ResponseFormatT]]:
    """End a stream, and return the last events."""
    if require_finish and not state.is_finished:
        raise TruncatedStreamError(
            "the stream ended before the answer had a finish reason: it may be incomplete"
        )
    return state.finish()


def _partial_of(state: ChatCompletionStreamState[Any]) -> Any:
    """What had arrived; None if nothing had."""
    return state.current_completion_snapshot if state.has_started else None


def _collect() -> tuple[Callable[[Any], object], Callable[[], Any]]:
    """What takes chunks, and what gives the part of the answer that they make up."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    return state.handle_chunk, partial(_partial_of, state)


# The errors of typed streams of chunks carry it.
ChatCompletionChunk.collect = _collect
Completion.collect = collect_texts


class _ChatStream(BaseAnswerStream[ChatCompletionStreamEvent[ResponseFormatT]], Generic[ResponseFormatT]):
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

    _event_types: ClassVar[Mapping[str, type[Any]]] = EVENT_TYPES
    _text_delta: ClassVar[type[Any]] = ContentDeltaEvent

    def __init__(
        self,
        source: Any,
        *,
        response_format: type[ResponseFormatT] | Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
        require_finish: bool = False,
    ) -> None:
        self._state: ChatCompletionStreamState[ResponseFormatT] = ChatCompletionStreamState(
            response_format=response_format, input_tools=input_tools
        )
        state = self._state
        finish = partial(_finish, state, require_finish=require_finish)
        self._begin(source, state, Machine(state.handle_chunk, finish, partial(_partial_of, state)))

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion so far; see ``ChatCompletionStreamState``."""
        return self._state.current_completion_snapshot


class ChatCompletionStream(
    _ChatStream[ResponseFormatT], AnswerStream[ChatCompletionStreamEvent[ResponseFormatT]]
):
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

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Read the stream to its end, and return the completion; see ``ChatCompletionStreamState``."""
        return self.until_done()._state.get_final_completion()


class AsyncChatCompletionStream(
    _ChatStream[ResponseFormatT], AsyncAnswerStream[ChatCompletionStreamEvent[ResponseFormatT]]
):
    """The events of a chat completion, as they arrive, and the completion that they make up.

    ::

        async with AsyncChatCompletionStream(AsyncStream(response, cast_to=ChatCompletionChunk)) as stream:
            async for event in stream:
                if event.type == "content.delta":
                    print(event.delta, end="")
            completion = await stream.get_final_completion()

    It does what ``ChatCompletionStream`` does.
    """

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

    async def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Read the stream to its end, and return the completion; see ``ChatCompletionStreamState``."""
        return (await self.until_done())._state.get_final_completion()

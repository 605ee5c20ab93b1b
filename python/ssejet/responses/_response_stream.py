"""Streams of the Responses API, sync and async: they take events, and put the response together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, overload

from ssejet._answers.streams import AnswerStream, AsyncAnswerStream, BaseAnswerStream, Machine
from ssejet.errors import TruncatedStreamError
from ssejet.responses._base import TextFormatT
from ssejet.responses._events import EVENT_TYPES, ResponseEvent, ResponseStreamEvent, ResponseTextDeltaEvent
from ssejet.responses._state import ResponseStreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import TypedDict, Unpack

    from ssejet.responses._response import ParsedResponse

    class _Options(TypedDict, total=False):
        """The options of a stream other than ``text_format``, for its overloads."""

        input_tools: Iterable[Any] | None
        require_finish: bool
        starting_after: int | None


__all__ = ["AsyncResponseStream", "ResponseStream"]


def _finish(state: ResponseStreamState[Any], *, require_finish: bool) -> Sequence[Any]:
    """End a stream."""
    if require_finish and not state.is_finished:
        end = ResponseEvent.end
        raise TruncatedStreamError(f"the stream ended before {end}: the response may be incomplete")
    return state.finish()


def _later(
    state: ResponseStreamState[Any], starting_after: int, event: Any
) -> Sequence[ResponseStreamEvent[Any]]:
    """Add an event, and return it if its number is above another."""
    events = state.handle_event(event)
    return [each for each in events if each.sequence_number is None or each.sequence_number > starting_after]


def _partial_of(state: ResponseStreamState[Any]) -> Any:
    """What had arrived; None if nothing had."""
    return state.current_response_snapshot if state.has_started else None


def _collect() -> tuple[Callable[[Any], object], Callable[[], Any]]:
    """What takes events, and what gives the part of the answer that they make up."""
    state: ResponseStreamState[None] = ResponseStreamState()
    return state.handle_event, partial(_partial_of, state)


# The errors of typed streams of events carry it.
ResponseEvent.collect = _collect


class _ResponseStream(BaseAnswerStream[ResponseStreamEvent[TextFormatT]], Generic[TextFormatT]):
    """What both streams share: all but iterating and closing.

    Args:
        source: the events: a stream of ssejet's or openai-python's, or any other iterable of them.
        text_format: the type of the answer: a pydantic model, a msgspec Struct, a dataclass or a TypedDict.
            OpenAI's dict form is accepted too, but then the answer is not parsed.
        input_tools: the request's ``tools``, in OpenAI's form or as types. The arguments of strict ones are
            parsed.
        require_finish: whether it is an error if the source ends before the last event of the response.
        starting_after: the stream gives only events whose ``sequence_number`` is above this; the others
            count for the response. None gives all.

    Raises:
        TypeError: the format or a tool is none of these.
    """

    _event_types: ClassVar[Mapping[str, type[Any]]] = EVENT_TYPES
    _text_delta: ClassVar[type[Any]] = ResponseTextDeltaEvent

    def __init__(
        self,
        source: Any,
        *,
        text_format: type[TextFormatT] | Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
        require_finish: bool = True,
        starting_after: int | None = None,
    ) -> None:
        self._state: ResponseStreamState[TextFormatT] = ResponseStreamState(
            text_format=text_format, input_tools=input_tools
        )
        state = self._state
        handle = state.handle_event if starting_after is None else partial(_later, state, starting_after)
        finish = partial(_finish, state, require_finish=require_finish)
        self._begin(source, state, Machine(handle, finish, partial(_partial_of, state)))

    @property
    def current_response_snapshot(self) -> ParsedResponse[TextFormatT]:
        """The response so far; see ``ResponseStreamState``."""
        return self._state.current_response_snapshot


class ResponseStream(_ResponseStream[TextFormatT], AnswerStream[ResponseStreamEvent[TextFormatT]]):
    """The events of a response, as they arrive, and the response that they make up.

    ::

        with ResponseStream(Stream(response, cast_to=ResponseStreamEvent)) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="")
            response = stream.get_final_response()

    If a loop ends early, or a callback raises, another loop goes on with the next event. Iterating raises the
    errors of the source; an ``SSEError`` has what had arrived as its ``partial``. It also raises:

    * ``APIError``, if the response failed;
    * ``LengthFinishReasonError`` and ``ContentFilterFinishReasonError``, if the answer must be parsed but was
      cut short;
    * ``StreamError``, if an event is not an object;
    * ``TruncatedStreamError``, with ``require_finish``.
    """

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, source: Any, *, text_format: type[TextFormatT], **options: Unpack[_Options]
        ) -> None: ...
        @overload
        def __init__(
            self: ResponseStream[None],
            source: Any,
            *,
            text_format: Mapping[str, Any] | None = None,
            **options: Unpack[_Options],
        ) -> None: ...
        @overload
        def __init__(
            self,
            source: Any,
            *,
            text_format: type[TextFormatT] | Mapping[str, Any] | None,
            **options: Unpack[_Options],
        ) -> None: ...
        def __init__(self, source: Any, **options: Any) -> None: ...

    def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """Read the stream to its end, and return the response; see ``ResponseStreamState``."""
        return self.until_done()._state.get_final_response()


class AsyncResponseStream(_ResponseStream[TextFormatT], AsyncAnswerStream[ResponseStreamEvent[TextFormatT]]):
    """The events of a response, as they arrive, and the response that they make up.

    ::

        async with AsyncResponseStream(AsyncStream(response, cast_to=ResponseStreamEvent)) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="")
            response = await stream.get_final_response()

    It does what ``ResponseStream`` does.
    """

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, source: Any, *, text_format: type[TextFormatT], **options: Unpack[_Options]
        ) -> None: ...
        @overload
        def __init__(
            self: AsyncResponseStream[None],
            source: Any,
            *,
            text_format: Mapping[str, Any] | None = None,
            **options: Unpack[_Options],
        ) -> None: ...
        @overload
        def __init__(
            self,
            source: Any,
            *,
            text_format: type[TextFormatT] | Mapping[str, Any] | None,
            **options: Unpack[_Options],
        ) -> None: ...
        def __init__(self, source: Any, **options: Any) -> None: ...

    async def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """Read the stream to its end, and return the response; see ``ResponseStreamState``."""
        return (await self.until_done())._state.get_final_response()

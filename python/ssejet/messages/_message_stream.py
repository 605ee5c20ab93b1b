"""Messages streams, sync and async: they take a server's events from any source, and give out events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, overload

from ssejet._answers.streams import AnswerStream, AsyncAnswerStream, BaseAnswerStream, Machine
from ssejet.chat._models import ResponseFormatT
from ssejet.errors import TruncatedStreamError
from ssejet.messages._events import EVENT_TYPES, MessageStreamEvent, TextEvent
from ssejet.messages._raw_events import RawEvent
from ssejet.messages._state import MessageStreamState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from ssejet.messages._models import ParsedMessage

__all__ = ["AsyncMessageStream", "MessageStream", "text_of"]


def _finish(
    state: MessageStreamState[ResponseFormatT], *, require_stop: bool
) -> Sequence[MessageStreamEvent[ResponseFormatT]]:
    """End a stream, and return the last events."""
    if require_stop and not state.is_finished:
        raise TruncatedStreamError("the stream ended before message_stop: the message may be incomplete")
    return state.finish()


def _partial_of(state: MessageStreamState[Any]) -> Any:
    """What had arrived; None if nothing had."""
    return state.current_message_snapshot if state.has_started else None


def _collect() -> tuple[Callable[[Any], object], Callable[[], Any]]:
    """What takes events, and what gives the part of the answer that they make up."""
    state: MessageStreamState[None] = MessageStreamState()
    return state.handle_event, partial(_partial_of, state)


# The errors of typed streams of events carry it.
RawEvent.collect = _collect


def text_of(message: ParsedMessage[Any]) -> str:
    """The text of a message.

    Raises:
        ValueError: it has no text block.
    """
    if not any(block.type == "text" for block in message.content):
        kinds = ", ".join(block.type for block in message.content) or "none"
        raise ValueError(
            f"the message has no text: its blocks are {kinds}; get_final_message() returns them all"
        )
    return message.text


class _MessageStream(BaseAnswerStream[MessageStreamEvent[ResponseFormatT]], Generic[ResponseFormatT]):
    """What both streams share: all but iterating and closing.

    Args:
        source: the events of the server: a stream of ssejet's or anthropic's, or any other iterable of them.
        output_format: the type of the answer: a pydantic model, a msgspec Struct, a dataclass or a TypedDict.
        require_stop: whether it is an error if the source ends before ``message_stop``.

    Raises:
        TypeError: the format is none of these.
    """

    _event_types: ClassVar[Mapping[str, type[Any]]] = EVENT_TYPES
    _text_delta: ClassVar[type[Any]] = TextEvent

    def __init__(
        self,
        source: Any,
        *,
        output_format: type[ResponseFormatT] | None = None,
        require_stop: bool = False,
    ) -> None:
        self._state: MessageStreamState[ResponseFormatT] = MessageStreamState(output_format=output_format)
        state = self._state
        finish = partial(_finish, state, require_stop=require_stop)
        self._begin(source, state, Machine(state.handle_event, finish, partial(_partial_of, state)))

    @property
    def current_message_snapshot(self) -> ParsedMessage[ResponseFormatT]:
        """The message so far; see ``MessageStreamState``."""
        return self._state.current_message_snapshot

    @property
    def request_id(self) -> str | None:
        """The header ``request-id`` of the response; None without one."""
        response = self.response
        return None if response is None else response.headers.get("request-id")


class MessageStream(_MessageStream[ResponseFormatT], AnswerStream[MessageStreamEvent[ResponseFormatT]]):
    """The events of a message, as they arrive, and the message that they make up.

    ::

        with MessageStream(Stream(response, cast_to=RawMessageStreamEvent)) as stream:
            for event in stream:
                if event.type == "text":
                    print(event.text, end="")
            message = stream.get_final_message()

    If a loop ends early, another loop can go on. Iterating raises the errors of the source; an
    ``SSEError`` has the message so far as its ``partial``. It also raises:

    * ``APIError``, if the server reports an error;
    * ``LengthFinishReasonError`` and ``ContentFilterFinishReasonError``, if the answer must be parsed but was
      cut short;
    * ``TruncatedStreamError``, with ``require_stop``.
    """

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, source: Any, *, output_format: type[ResponseFormatT], require_stop: bool = False
        ) -> None: ...
        @overload
        def __init__(
            self: MessageStream[None], source: Any, *, output_format: None = None, require_stop: bool = False
        ) -> None: ...
        @overload
        def __init__(
            self, source: Any, *, output_format: type[ResponseFormatT] | None, require_stop: bool = False
        ) -> None: ...
        def __init__(self, source: Any, **options: Any) -> None: ...

    @property
    def text_stream(self) -> Iterator[str]:
        """The new pieces of the text, as ``text_deltas()`` gives them."""
        return self.text_deltas()

    def get_final_message(self) -> ParsedMessage[ResponseFormatT]:
        """Read the stream to its end, and return the message; see ``MessageStreamState``."""
        return self.until_done()._state.get_final_message()

    def get_final_text(self) -> str:
        """Read the stream to its end, and return the text of all text blocks.

        Raises:
            ValueError: the message has no text block.
        """
        return text_of(self.get_final_message())


class AsyncMessageStream(
    _MessageStream[ResponseFormatT], AsyncAnswerStream[MessageStreamEvent[ResponseFormatT]]
):
    """The events of a message, as they arrive, and the message that they make up.

    ::

        async with AsyncMessageStream(AsyncStream(response, cast_to=RawMessageStreamEvent)) as stream:
            async for event in stream:
                if event.type == "text":
                    print(event.text, end="")
            message = await stream.get_final_message()

    It does what ``MessageStream`` does.
    """

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, source: Any, *, output_format: type[ResponseFormatT], require_stop: bool = False
        ) -> None: ...
        @overload
        def __init__(
            self: AsyncMessageStream[None],
            source: Any,
            *,
            output_format: None = None,
            require_stop: bool = False,
        ) -> None: ...
        @overload
        def __init__(
            self, source: Any, *, output_format: type[ResponseFormatT] | None, require_stop: bool = False
        ) -> None: ...
        def __init__(self, source: Any, **options: Any) -> None: ...

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The new pieces of the text, as ``text_deltas()`` gives them."""
        return self.text_deltas()

    async def get_final_message(self) -> ParsedMessage[ResponseFormatT]:
        """Read the stream to its end, and return the message; see ``MessageStreamState``."""
        return (await self.until_done())._state.get_final_message()

    async def get_final_text(self) -> str:
        """Read the stream to its end, and return the text of all text blocks.

        Raises:
            ValueError: the message has no text block.
        """
        return text_of(await self.get_final_message())

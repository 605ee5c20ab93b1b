"""The events of a ``MessageStream``: the server's, and Anthropic's helper events, under Anthropic's names.

An event holds what is new. What came before, such as the text so far and the input so far, is computed when
it is read, and is always as it was at the event. Only ``MessageStopEvent.message`` and
``ContentBlockStopEvent.content_block`` are the newest ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeAlias

from ssejet._answers.text import parse_prefix
from ssejet.chat._events import Event
from ssejet.chat._models import ResponseFormatT
from ssejet.messages._raw_events import (
    PingEvent,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
)

if TYPE_CHECKING:
    from ssejet._answers.text import Text
    from ssejet.messages._models import ParsedContentBlock, ParsedMessage, TextCitation

__all__ = [
    "EVENT_TYPES",
    "CitationEvent",
    "CompactionEvent",
    "ContentBlockStopEvent",
    "InputJsonEvent",
    "MessageStopEvent",
    "MessageStreamEvent",
    "SignatureEvent",
    "TextEvent",
    "ThinkingEvent",
]


class TextEvent(Event, frozen=True):
    """More text. ``text`` is new, ``snapshot`` is the text of the block so far."""

    type: ClassVar[Literal["text"]] = "text"
    fields: ClassVar[tuple[str, ...]] = ("text", "snapshot")

    _all: Text
    _end: int
    text: str

    @property
    def delta(self) -> str:
        """The same as ``text``, under its name in ``ssejet.chat``."""
        return self.text

    @property
    def snapshot(self) -> str:
        """The text of the block so far."""
        return self._all.prefix(self._end)

    def parsed_snapshot(self) -> Any:
        """The JSON value of the text so far, with an unfinished string at its end as far as it goes.

        Each call parses the text from its beginning. None if there is no value, or if the text is not JSON.
        """
        return parse_prefix(self.snapshot, trailing_strings=True)


class ThinkingEvent(Event, frozen=True):
    """More thinking. ``thinking`` is new, ``snapshot`` is the thinking of the block so far."""

    type: ClassVar[Literal["thinking"]] = "thinking"
    fields: ClassVar[tuple[str, ...]] = ("thinking", "snapshot")

    _all: Text
    _end: int
    thinking: str

    @property
    def snapshot(self) -> str:
        """The thinking of the block so far."""
        return self._all.prefix(self._end)


class SignatureEvent(Event, frozen=True):
    """The signature of a thinking block."""

    type: ClassVar[Literal["signature"]] = "signature"
    fields: ClassVar[tuple[str, ...]] = ("signature",)

    signature: str


class HasInput(Protocol):
    """A block that reads its input from JSON text."""

    def input_at(self, end: int, fragment: str = "") -> Any:
        """The input that the first ``end`` characters give."""


class InputJsonEvent(Event, frozen=True):
    """More of a tool's input.

    Attributes:
        partial_json: the new JSON text.
        snapshot: the value of the input so far. An unfinished string, number or literal is left out. Do not
            change it: later events share its finished parts.
    """

    type: ClassVar[Literal["input_json"]] = "input_json"
    fields: ClassVar[tuple[str, ...]] = ("partial_json", "snapshot")

    _block: HasInput
    _end: int
    partial_json: str

    @property
    def snapshot(self) -> Any:
        """The value of the input so far."""
        return self._block.input_at(self._end, self.partial_json)


class CitationEvent(Event, frozen=True):
    """One more citation. ``snapshot`` has all citations of the block so far."""

    type: ClassVar[Literal["citation"]] = "citation"
    fields: ClassVar[tuple[str, ...]] = ("citation", "snapshot")

    citation: TextCitation
    _all: list[TextCitation]
    _end: int

    @property
    def snapshot(self) -> list[TextCitation]:
        """All citations of the block so far."""
        return self._all[: self._end]


class CompactionEvent(Event, frozen=True):
    """The content of a compaction block."""

    type: ClassVar[Literal["compaction"]] = "compaction"
    fields: ClassVar[tuple[str, ...]] = ("content", "encrypted_content")

    content: str | None
    encrypted_content: str | None


class HasBlock(Protocol[ResponseFormatT]):
    """What puts one block together."""

    def to_model(self) -> ParsedContentBlock[ResponseFormatT]:
        """The block so far."""


class ContentBlockStopEvent(Event, Generic[ResponseFormatT], frozen=True):
    """A block is complete: ``content_block``. ``index`` is its place in the message's content."""

    type: ClassVar[Literal["content_block_stop"]] = "content_block_stop"
    fields: ClassVar[tuple[str, ...]] = ("index", "content_block")

    index: int
    _block: HasBlock[ResponseFormatT]

    @property
    def content_block(self) -> ParsedContentBlock[ResponseFormatT]:
        """The block."""
        return self._block.to_model()


class HasSnapshot(Protocol[ResponseFormatT]):
    """What puts a message together."""

    @property
    def current_message_snapshot(self) -> ParsedMessage[ResponseFormatT]:
        """The message so far."""


class MessageStopEvent(Event, Generic[ResponseFormatT], frozen=True):
    """The message is complete: ``message``."""

    type: ClassVar[Literal["message_stop"]] = "message_stop"
    fields: ClassVar[tuple[str, ...]] = ("message",)

    _state: HasSnapshot[ResponseFormatT]

    @property
    def message(self) -> ParsedMessage[ResponseFormatT]:
        """The message as it is now."""
        return self._state.current_message_snapshot


# Generic in the output format; without one, it is any.
MessageStreamEvent: TypeAlias = (
    TextEvent
    | CitationEvent
    | ThinkingEvent
    | SignatureEvent
    | InputJsonEvent
    | CompactionEvent
    | RawMessageStartEvent
    | RawMessageDeltaEvent
    | MessageStopEvent[ResponseFormatT]
    | RawContentBlockStartEvent
    | RawContentBlockDeltaEvent
    | ContentBlockStopEvent[ResponseFormatT]
    | PingEvent
)

EVENT_TYPES: dict[str, type[Any]] = {
    event.type: event for event in (getattr(each, "__origin__", each) for each in MessageStreamEvent.__args__)
}
"""The class of each type of event."""

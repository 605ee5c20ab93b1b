"""The events of a Messages stream as the server sends them, under Anthropic's names."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (msgspec reads the annotations)
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from ssejet._answers.base import Response
from ssejet.messages._lenient import documented_event
from ssejet.messages._models import (
    ContentBlock,
    ContentBlockDelta,
    Message,
    MessageDelta,
    MessageDeltaUsage,
    TextBlock,
    TextDelta,
    class_named,
    register,
)

if TYPE_CHECKING:
    from ssejet.chat._models import Documented
else:
    Documented = staticmethod

__all__ = [
    "PingEvent",
    "RawContentBlockDeltaEvent",
    "RawContentBlockStartEvent",
    "RawContentBlockStopEvent",
    "RawEvent",
    "RawMessageDeltaEvent",
    "RawMessageStartEvent",
    "RawMessageStopEvent",
    "RawMessageStreamEvent",
    "UnknownEvent",
]


class RawEvent(Response, frozen=True, tag_field="type"):
    """The base of all events of a server. Typed streams decode to it: each item has its own subclass."""

    type: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    mark: ClassVar[str] = ""
    end: ClassVar[str] = "message_stop"
    default_metrics: ClassVar[Any] = None
    # In a union of events, it stands for all.
    event_class: ClassVar[Any]
    members: ClassVar[Mapping[str, Any]]
    unknown: ClassVar[Any]

    documented: ClassVar[Documented] = staticmethod(documented_event)

    @classmethod
    def decoded_type(cls) -> Any:
        """The union of all events."""
        return _AnyEvent

    @classmethod
    def class_for(cls, data: Mapping[str, Any], /) -> Any:
        """The event that the data is."""
        return class_named(cls, data)

    @classmethod
    def is_answer(cls, data: Mapping[str, Any]) -> bool:
        """Whether decoded JSON, the ``data``, is an event of a known type."""
        return data.get("type") in cls.members

    @classmethod
    def from_json(cls, text: str | bytes) -> Any:
        """Read the JSON text of an event; see ``Response.from_json``."""
        return super().from_json(text)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Any:
        """Build the event that the data is; see ``Response.from_dict``."""
        return super().from_dict(data)


class RawMessageStartEvent(RawEvent, frozen=True, tag="message_start"):
    """The message begins. Its content is empty."""

    type: ClassVar[Literal["message_start"]] = "message_start"
    message: Message = Message()


class RawContentBlockStartEvent(RawEvent, frozen=True, tag="content_block_start"):
    """A block begins."""

    type: ClassVar[Literal["content_block_start"]] = "content_block_start"
    index: int | None = None
    content_block: ContentBlock = TextBlock()


class RawContentBlockDeltaEvent(RawEvent, frozen=True, tag="content_block_delta"):
    """More of a block. A server may omit the index."""

    type: ClassVar[Literal["content_block_delta"]] = "content_block_delta"
    index: int | None = None
    delta: ContentBlockDelta = TextDelta()


class RawContentBlockStopEvent(RawEvent, frozen=True, tag="content_block_stop"):
    """A block ends."""

    type: ClassVar[Literal["content_block_stop"]] = "content_block_stop"
    index: int | None = None


class RawMessageDeltaEvent(RawEvent, frozen=True, tag="message_delta"):
    """The end of the message: why it stopped, and its usage."""

    type: ClassVar[Literal["message_delta"]] = "message_delta"
    delta: MessageDelta = MessageDelta()
    usage: MessageDeltaUsage | None = None
    context_management: dict[str, Any] | None = None
    input_transformations: list[Any] | None = None


class RawMessageStopEvent(RawEvent, frozen=True, tag="message_stop"):
    """The message is complete."""

    type: ClassVar[Literal["message_stop"]] = "message_stop"


class PingEvent(RawEvent, frozen=True, tag="ping"):
    """The server is alive."""

    type: ClassVar[Literal["ping"]] = "ping"


class UnknownEvent(Response, frozen=True):
    """An event of a type that is not known. All its fields are in ``extra``."""

    type: str = ""


_AnyEvent: TypeAlias = (
    RawMessageStartEvent
    | RawMessageDeltaEvent
    | RawMessageStopEvent
    | RawContentBlockStartEvent
    | RawContentBlockDeltaEvent
    | RawContentBlockStopEvent
    | PingEvent
)
register(RawEvent, UnknownEvent, _AnyEvent.__args__)
RawEvent.event_class = RawEvent
for _event in _AnyEvent.__args__:
    _event.fields = _event.__struct_fields__  # what callbacks may ask for

# At run time it is a class, for typed streams.
if TYPE_CHECKING:
    RawMessageStreamEvent: TypeAlias = _AnyEvent
else:
    RawMessageStreamEvent = RawEvent

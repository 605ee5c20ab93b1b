"""The events of a log: their ids, and the bytes that followers get."""

from __future__ import annotations

import re
from enum import Enum
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

from ssejet._core import Decoder, ServerSentEvent, encode
from ssejet._json import dumps
from ssejet.emit._encoded_event import EncodedEvent
from ssejet.emit._item_encoder import ItemEncoder

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RESERVED_TYPES", "Draft", "Entry", "EventId", "Kind", "drafts_of", "end_draft", "new_incarnation"]

RESERVED_TYPES = {"end": "item-end", "gap": "item-gap"}
"""The event types that the hub itself sends, and what an item of that type becomes."""

_RESERVED_STARTS = tuple(b"event: %s\n" % type.encode() for type in RESERVED_TYPES)

# Lua's numbers are exact below 2**53, which has 16 digits.
_ID = re.compile(r"([0-9a-f]{1,32})-([0-9]{1,15})", re.ASCII)


def new_incarnation() -> str:
    """Return a name for a log that no other log has."""
    return token_hex(5)


class EventId(NamedTuple):
    """The id of an event.

    Attributes:
        incarnation: the name of the log that has the event. A key that expires gets another one later.
        position: the number of the event in the log, from 1.
    """

    incarnation: str
    position: int

    @classmethod
    def parse(cls, text: str) -> EventId | None:
        """Read an id that a client sent; None if it is not an id of a hub."""
        match = _ID.fullmatch(text)
        return cls(match[1], int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.incarnation}-{self.position}"


class Kind(str, Enum):
    """What an entry of a log is. The values are those in Redis."""

    ITEM = "m"
    END = "z"
    GAP = "g"
    """Only followers get this: it is in no log."""
    OPENED = "o"
    """A producer has begun. Followers do not get this."""
    LOST = "r"
    """Events before this one were lost, and the log has another incarnation from here on."""


class Draft(NamedTuple):
    """An event that is not in a log yet.

    Attributes:
        kind: what it is.
        frame: its bytes, without an id.
    """

    kind: Kind
    frame: bytes


class Entry:
    """An event of a log, encoded once for all followers.

    Attributes:
        id: its id; that of a gap is the id of the last event before those that follow.
        kind: what it is.
        frame: its bytes, without the id.
        wire: its bytes as they are sent.
    """

    __slots__ = ("_event", "frame", "id", "kind", "position", "wire")

    def __init__(self, id: EventId, kind: Kind, frame: bytes) -> None:
        self.id = id
        self.position = id.position
        self.kind = kind
        self.frame = frame
        self.wire = b"id: %s-%d\n%s" % (id.incarnation.encode(), id.position, frame)
        self._event: ServerSentEvent | None = None

    @property
    def event(self) -> ServerSentEvent:
        """The event, decoded when it is first asked for."""
        if self._event is None:
            (self._event,) = Decoder(max_event_size=None).feed(self.wire)
        return self._event

    def __repr__(self) -> str:
        return f"Entry({self.wire!r})"


def drafts_of(item: Any, event: str | None = None) -> list[Draft]:
    """Encode an item as the events that it stands for: one, unless it is encoded already.

    Ids are left out, because the log has its own. An item whose own type is one of the hub's gets another
    type, as a source may pass on what it does not choose.

    Raises:
        TypeError, ValueError: as ``ssejet.encode``; or ``event`` is one of the hub's types.
    """
    if event in RESERVED_TYPES:
        raise ValueError(f"the hub itself sends events of the type {event!r}: choose another type")
    if event is None and item.__class__ in (str, dict):
        return [Draft(Kind.ITEM, encode(item))]
    if isinstance(item, ServerSentEvent):
        return [_draft(item, event)]
    if isinstance(item, EncodedEvent):
        return _drafts(item.raw, event)
    if event is not None:
        return [Draft(Kind.ITEM, encode(item, event=event))]
    raw = ItemEncoder(None).encode(item)
    if raw.startswith(_RESERVED_STARTS):
        return _drafts(raw, None)
    if raw.startswith(b"data:") or (raw.startswith(b"event:") and b"\nid:" not in raw):
        return [Draft(Kind.ITEM, raw)]
    return _drafts(raw, None)


def _drafts(raw: bytes, event: str | None) -> list[Draft]:
    return [_draft(each, event) for each in Decoder(max_event_size=None).feed(raw)]


def _draft(item: ServerSentEvent, event: str | None) -> Draft:
    type = event or item.event
    if type == "message":
        type = None
    elif type and "\0" in type:
        type = type.replace("\0", "\ufffd")
    return Draft(Kind.ITEM, encode(item.data, event=RESERVED_TYPES.get(type or "", type), retry=item.retry))


def hub_event(type: str, **data: Any) -> bytes:
    """Encode an event of the hub's own."""
    return encode(dumps(data).decode(), event=type)


def end_draft(reason: str) -> Draft:
    """Make the end of a log.

    Args:
        reason: ``"finished"``, ``"stopped"``, ``"failed"`` or ``"abandoned"``.
    """
    return Draft(Kind.END, hub_event("end", reason=reason))


def wire_of(entries: Iterable[Entry]) -> bytes:
    """The bytes of some entries."""
    return b"".join([entry.wire for entry in entries])

"""Encodes the items that a server yields as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from ssejet._core import ServerSentEvent, encode
from ssejet._json import dumps, field_names
from ssejet._pydantic import is_sdk_model, model_fields
from ssejet.emit._encoded_event import EncodedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DONE", "ItemEncoder"]

DONE = ServerSentEvent(event="done", data="[DONE]")
"""The end of a stream. OpenAI's clients look for its data, browsers for its type."""

_HEARTBEAT = encode(None, comment="keep-alive")

# An event without any field is sent like this, as FastAPI and sse-starlette do. Clients ignore it.
_NOTHING = b"\n"

_OTHER_FIELDS = ("id", "retry", "comment")
_EVENT_KEYS = frozenset({"data", "event", *_OTHER_FIELDS})


class ItemEncoder:
    """Encodes items one by one.

    An item may be:

    * a ``ServerSentEvent``; its id is written only if it differs from the last one, which clients keep, and
      ``""`` counts as no id;
    * an ``EncodedEvent``, whose bytes are sent unchanged;
    * any other object with ``event`` (str or None) and ``data``, and perhaps ``id``, ``retry`` and
      ``comment``, such as OpenAI's assistant events and the events of FastAPI, sse-starlette and httpx-sse;
      data that is not text is sent as JSON; if the object has ``raw_data`` too, as FastAPI's events have,
      text in ``data`` is sent as JSON as well;
    * a model of the Anthropic or OpenAI SDK with a ``type``, which is sent as the event type too, as their
      servers do;
    * anything else that ``ssejet.encode`` takes as data. Plain ``bytes`` are data, even if they look like an
      event.

    Args:
        done: the item that ends a stream, None for none.
        dict_events: whether a dict is an event with the keys ``data``, ``event``, ``id``, ``retry`` and
            ``comment``, as in sse-starlette. A key ``sep`` has no effect. Otherwise a dict is data,
            which is sent as JSON.
    """

    between_events = True

    def __init__(self, done: Any, *, dict_events: bool = False) -> None:
        self._done = done
        self._dict_events = dict_events
        self._last_id = ""

    def feed(self, item: Any) -> tuple[bytes]:
        """Encode an item.

        Raises:
            TypeError, ValueError: as ``ssejet.encode``.
        """
        # Most items are dicts and text, so these are checked first.
        if item.__class__ is str or (item.__class__ is dict and not self._dict_events):
            return (encode(item),)
        return (self.encode(item),)

    def finish(self) -> Iterable[bytes]:
        """Encode the end."""
        return () if self._done is None else (self.encode(self._done),)

    def encode(self, item: Any) -> bytes:
        """Encode an item.

        Raises:
            TypeError, ValueError: as ``ssejet.encode``; or a dict has a key that is not a field of an event.
        """
        if isinstance(item, (dict, str, bytes)):
            return self._encode_dict(item) if self._dict_events and isinstance(item, dict) else encode(item)
        if isinstance(item, EncodedEvent):
            self._last_id = ""  # The bytes may hold an id, so the next id is always written.
            return item.raw
        if isinstance(item, ServerSentEvent):
            return self._encode_event(item.event, item.data, item.id or None, item.retry)
        names = _names(item.__class__)
        if _is_event(item, names.fields):
            return self._encode_foreign(item)
        kind = item.type if names.is_typed else None
        return encode(item, event=kind if isinstance(kind, str) else None)

    def heartbeat(self) -> bytes:
        """Encode a comment."""
        return _HEARTBEAT

    def pass_on(self, event: ServerSentEvent) -> bytes:
        """Encode an event of another stream unchanged, even if it resets the last id to ``""``.

        A NUL in its type becomes U+FFFD: the standard allows it there, but ``encode`` does not.
        """
        event_type = event.event
        if event_type and "\0" in event_type:
            event_type = event_type.replace("\0", "\ufffd")
        return self._encode_event(event_type, event.data, event.id, event.retry)

    def _encode_event(
        self, event: str | None, data: Any, id: Any, retry: int | None, comment: str | None = None
    ) -> bytes:
        if event == "message":
            event = None
        if isinstance(id, int) and not isinstance(id, bool):
            id = str(id)
        if id == self._last_id:
            id = None
        if data is None and event is None and id is None and retry is None and comment is None:
            return _NOTHING
        encoded = encode(data, event=event, id=id, retry=retry, comment=comment)
        if id is not None:
            self._last_id = id
        return encoded

    def _encode_dict(self, item: dict[str, Any]) -> bytes:
        unknown = item.keys() - _EVENT_KEYS - {"sep"}
        if unknown:
            raise TypeError(
                f"a dict is an event here, and an event has no {min(map(repr, unknown))}, only "
                f"{', '.join(sorted(_EVENT_KEYS))}: to send the dict as JSON, yield {{'data': the dict}}"
            )
        get = item.get
        return self._encode_event(get("event"), get("data"), get("id"), get("retry"), get("comment"))

    def _encode_foreign(self, item: Any) -> bytes:
        data = item.data
        raw_data = getattr(item, "raw_data", ...)
        if raw_data is not ...:
            if raw_data is not None:
                data = raw_data
            elif isinstance(data, str):  # FastAPI sends text as JSON, in quotes
                data = dumps(data)
        return self._encode_event(item.event, data, *(getattr(item, name, None) for name in _OTHER_FIELDS))


def _is_event(item: Any, names: frozenset[str] | None) -> bool:
    # Attributes that __init__ sets are not in the class, so look at the instance too.
    if names is not None and not {"event", "data"} <= names:
        return False
    event = getattr(item, "event", ...)
    return (event is None or isinstance(event, str)) and hasattr(item, "data")


class _Names(NamedTuple):
    """The attributes of a class of items.

    Attributes:
        fields: the attributes of a model, whose instances are slow to ask; None for any other class.
        is_typed: whether it is a model of an SDK with a ``type``.
    """

    fields: frozenset[str] | None
    is_typed: bool


# The classes of the items that were sent. The keys are weak, so this keeps no class alive.
_known: WeakKeyDictionary[type, _Names] = WeakKeyDictionary()


def _names(cls: type) -> _Names:
    known = _known.get(cls)
    if known is None:
        known = _known[cls] = _find_names(cls)
    return known


def _find_names(cls: type) -> _Names:
    fields = model_fields(cls) or field_names(cls)
    if not fields:
        return _Names(None, is_typed=False)
    names = frozenset(fields).union(dir(cls))
    return _Names(names, is_typed="type" in names and is_sdk_model(cls))

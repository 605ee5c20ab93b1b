"""What a server yields, as the bytes of events."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent, encode
from ssejet._dumps import dumps
from ssejet.emit.encoded import EncodedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DONE", "ItemEncoder"]

DONE = ServerSentEvent(event="done", data="[DONE]")
"""The end of a stream, as OpenAI's clients know it: they look at the data, browsers at the type."""

_HEARTBEAT = encode(None, comment="keep-alive")

_OTHER_FIELDS = ("id", "retry", "comment")
_EVENT_KEYS = frozenset({"data", "event", *_OTHER_FIELDS})


class ItemEncoder:
    """Encodes items one by one.

    An item may be:

    * a ``ServerSentEvent``; its id is written where it is a new one, as ids persist, and ``""`` is none;
    * an ``EncodedEvent``, whose bytes are sent as they are;
    * any other object with ``event`` (str or None) and ``data``, and perhaps ``id``, ``retry`` and
      ``comment``, such as OpenAI's assistant events and the events of FastAPI, sse-starlette and httpx-sse;
      data that is not text goes as JSON; if it has ``raw_data`` too, as FastAPI's, all its ``data`` goes as
      JSON;
    * a model of the Anthropic or OpenAI SDK with a ``type``, which becomes the event type as well, as their
      servers have it;
    * whatever else ``ssejet.encode`` takes as data. Plain ``bytes`` are data, even if they look like an
      event.

    Args:
        done: the item that ends a stream, None for none.
        dict_events: a dict is an event, with the keys ``data``, ``event``, ``id``, ``retry`` and ``comment``,
            as users of sse-starlette write it. Otherwise a dict is data, and sent as JSON.
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
        # Most items are dicts and text: they are worth a shorter way.
        if item.__class__ is str or (item.__class__ is dict and not self._dict_events):
            return (encode(item),)
        return (self.encode(item),)

    def finish(self) -> Iterable[bytes]:
        """Encode the end."""
        return () if self._done is None else (self.encode(self._done),)

    def encode(self, item: Any) -> bytes:
        """Encode an item.

        Raises:
            TypeError, ValueError: as ``ssejet.encode``; or a dict has a key that no event has.
        """
        if isinstance(item, (dict, str, bytes)):
            return self._encode_dict(item) if self._dict_events and isinstance(item, dict) else encode(item)
        if isinstance(item, EncodedEvent):
            self._last_id = ""  # The bytes may hold an id, so the next id is always written.
            return item.raw
        if isinstance(item, ServerSentEvent):
            return self._encode_event(item.event, item.data, item.id or None, item.retry)
        if _is_event(item):
            return self._encode_foreign(item)
        kind = item.type if _is_typed(item.__class__) else None
        return encode(item, event=kind if isinstance(kind, str) else None)

    def heartbeat(self) -> bytes:
        """Encode a comment."""
        return _HEARTBEAT

    def pass_on(self, event: ServerSentEvent) -> bytes:
        """Encode a decoded event, which arrives as it was, even if its stream has taken back the last id.

        A NUL in its type, which the standard lets pass and nobody sends on purpose, becomes U+FFFD.
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
        encoded = encode(data, event=event, id=id, retry=retry, comment=comment)
        if id is not None:
            self._last_id = id
        return encoded

    def _encode_dict(self, item: dict[str, Any]) -> bytes:
        unknown = item.keys() - _EVENT_KEYS
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
            elif isinstance(data, str):  # FastAPI sends text as JSON too, in quotes
                data = dumps(data)
        return self._encode_event(item.event, data, *(getattr(item, name, None) for name in _OTHER_FIELDS))


def _is_event(item: Any) -> bool:
    names = _names(item.__class__)
    # Only an instance knows the attributes that its __init__ sets.
    if names is not None and not {"event", "data"} <= names:
        return False
    event = getattr(item, "event", ...)
    return (event is None or isinstance(event, str)) and hasattr(item, "data")


@lru_cache(maxsize=256)
def _is_typed(cls: type) -> bool:
    return "type" in (_names(cls) or ()) and hasattr(cls, "to_json") and hasattr(cls, "model_dump_json")


@lru_cache(maxsize=256)
def _names(cls: type) -> frozenset[str] | None:
    """The attributes of a model, for which asking an instance is slow; None for any other class."""
    for attribute in ("model_fields", "__struct_fields__", "__dataclass_fields__"):
        fields: Iterable[str] | None = getattr(cls, attribute, None)
        if fields is not None:
            return frozenset(fields).union(dir(cls))
    return None

"""What a server yields, as the bytes of events."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DONE", "ItemEncoder"]

DONE = ServerSentEvent(event="done", data="[DONE]")
"""The end of a stream, as OpenAI's clients know it: they look at the data, browsers at the type."""

_HEARTBEAT = encode(None, comment="keep-alive")


class ItemEncoder:
    """Encodes items one by one.

    An item may be:

    * a ``ServerSentEvent``; its id is written where it is a new one, as ids persist, and ``""`` is none;
    * any other object with ``event`` (str or None) and ``data``, and perhaps ``id`` and ``retry``, such as
      OpenAI's assistant events and the events of other packages; data that is not text goes as JSON;
    * a model of the Anthropic or OpenAI SDK with a ``type``, which becomes the event type as well, as their
      servers have it;
    * whatever else ``ssejet.encode`` takes as data.

    Args:
        done: the item that ends a stream, None for none.
    """

    between_events = True

    def __init__(self, done: Any) -> None:
        self._done = done
        self._last_id = ""

    def feed(self, item: Any) -> Iterator[bytes]:
        """Encode an item.

        Raises:
            TypeError, ValueError: as ``ssejet.encode``.
        """
        yield self.encode(item)

    def finish(self) -> Iterator[bytes]:
        """Encode the end."""
        if self._done is not None:
            yield self.encode(self._done)

    def encode(self, item: Any) -> bytes:
        """Encode an item.

        Raises:
            TypeError, ValueError: as ``ssejet.encode``.
        """
        if isinstance(item, (dict, str, bytes)):
            return encode(item)
        if isinstance(item, ServerSentEvent) or _is_event(item):
            return self._encode_event(item, getattr(item, "id", None) or None)
        kind = item.type if _is_typed(item.__class__) else None
        return encode(item, event=kind if isinstance(kind, str) else None)

    def heartbeat(self) -> bytes:
        """Encode a comment."""
        return _HEARTBEAT

    def pass_on(self, event: ServerSentEvent) -> bytes:
        """Encode a decoded event, which arrives as it was, even if its stream has taken back the last id.

        A NUL in its type, which the standard lets pass and nobody sends on purpose, becomes U+FFFD.
        """
        if event.event and "\0" in event.event:
            event = event.__replace__(event=event.event.replace("\0", "\ufffd"))
        return self._encode_event(event, event.id)

    def _encode_event(self, item: Any, id: Any) -> bytes:
        event = None if item.event == "message" else item.event
        if id == self._last_id or not isinstance(id, str):
            id = None
        encoded = encode(item.data, event=event, id=id, retry=getattr(item, "retry", None))
        if id is not None:
            self._last_id = id
        return encoded


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

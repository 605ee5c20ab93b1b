"""httpx-sse itself, with ssejet's decoder in it."""

from __future__ import annotations

from httpx_sse import EventSource, ServerSentEvent, SSEError

from ssejet import _core
from ssejet.errors import EventTooLargeError
from ssejet.swap.events import asynchronous, synchronous
from ssejet.swap.support import Patch, UnsupportedError

__all__ = ["PATCHES", "check"]

_new = object.__new__


def _make(event: _core.ServerSentEvent) -> ServerSentEvent:
    made = _new(ServerSentEvent)
    made.__dict__ = {"_event": event.event, "_data": event.data, "_id": event.id, "_retry": event.retry}
    return made


def _too_large(_: object, limit: int) -> SSEError:
    return SSEError(str(EventTooLargeError(limit)))


PATCHES = [
    Patch(
        EventSource, "iter_sse", synchronous("httpx-sse", EventSource._check_content_type, _too_large, _make)
    ),
    Patch(
        EventSource,
        "aiter_sse",
        asynchronous("httpx-sse", EventSource._check_content_type, _too_large, _make),
    ),
]


def check() -> None:
    """Try whether this version of httpx-sse is one that is known.

    Raises:
        UnsupportedError: it is not.
    """
    stock = ServerSentEvent("a", "b", "c", 1)
    if vars(stock) != vars(_make(_core.ServerSentEvent(event="a", data="b", id="c", retry=1))):
        raise UnsupportedError("its events have other attributes")

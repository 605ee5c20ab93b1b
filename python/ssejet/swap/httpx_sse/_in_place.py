"""Patches httpx-sse to use ssejet's decoder."""

from __future__ import annotations

from httpx_sse import EventSource, ServerSentEvent, SSEError

from ssejet._core import ServerSentEvent as Event
from ssejet.errors import EventTooLargeError
from ssejet.swap._event_iteration import asynchronous, synchronous
from ssejet.swap._support import Patch, UnsupportedError

__all__ = ["PATCHES", "check"]

_new = object.__new__


def _make(event: Event) -> ServerSentEvent:
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
    """Check that this version of httpx-sse works as expected.

    Raises:
        UnsupportedError: it does not.
    """
    stock = ServerSentEvent("a", "b", "c", 1)
    if vars(stock) != vars(_make(Event(event="a", data="b", id="c", retry=1))):
        raise UnsupportedError("its events have other attributes")

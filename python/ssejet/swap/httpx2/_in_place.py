"""Patches httpx2 to use ssejet's decoder."""

from __future__ import annotations

from typing import Any

import httpx2

from ssejet._core import ServerSentEvent as Event
from ssejet.swap._event_iteration import asynchronous, synchronous
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap.httpx2 import too_large

__all__ = ["PATCHES", "check"]

if not hasattr(httpx2, "EventSource"):
    raise UnsupportedError("it has no event sources")

from httpx2 import EventSource, ServerSentEvent, SSEError

_new = object.__new__
_set = object.__setattr__


def _check_content_type(source: EventSource) -> None:
    try:
        source._check_content_type()
    except SSEError as error:
        error.request = source.response.request
        raise


def _make(event: Any) -> ServerSentEvent:
    made = _new(ServerSentEvent)
    values = {"event": event.event, "data": event.data, "id": event.id, "retry": event.retry}
    _set(made, "__dict__", values)  # the class is frozen
    return made


PATCHES = [
    Patch(EventSource, "__iter__", synchronous("httpx2", _check_content_type, too_large, _make)),
    Patch(EventSource, "__aiter__", asynchronous("httpx2", _check_content_type, too_large, _make)),
]


def check() -> None:
    """Check that this version of httpx2 works as expected.

    Raises:
        UnsupportedError: it does not.
    """
    event = Event(event="a", data="b", id="c", retry=1)
    if ServerSentEvent("a", "b", "c", 1) != _make(event):
        raise UnsupportedError("its events have other attributes")

"""Event streams as providers send them: with pings and errors, and with event types."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssejet.emit import AsyncEventStream, EventStream
from ssejet.emit._closing import aclose, close
from ssejet.emit._item_encoder import DONE, ItemEncoder
from ssejet.testing._endpoints.base import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["RawEventStream", "with_event_names"]


class RawEventStream(EventStream[Any]):
    """An event stream whose items may be bytes, which are sent as they are."""

    def _codec(self) -> Any:
        return _RawItemEncoder(self._options.done)


class _RawItemEncoder(ItemEncoder):
    def encode(self, item: Any) -> bytes:
        return item if isinstance(item, bytes) else super().encode(item)


def with_event_names(stream: Any) -> Any:
    """A test's own stream with event types and without a sentinel, as some providers send it."""
    named = copy.copy(stream)
    if named._options.done is DONE:
        named._options = replace(named._options, done=None)
    if isinstance(stream, AsyncEventStream):
        named.agenerate = functools.partial(_named_async, stream.agenerate)
    else:
        named.generate = functools.partial(_named, stream.generate)
    return named


def _named(generate: Callable[[], Any]) -> Iterator[Any]:
    items = iter(generate())
    try:
        yield from map(_name_event, items)
    finally:
        close(items)


async def _named_async(generate: Callable[[], Any]) -> AsyncIterator[Any]:
    items = generate()
    try:
        if hasattr(items, "__aiter__"):
            async for item in items:
                yield _name_event(item)
        else:
            for item in items:
                yield _name_event(item)
    finally:
        close(items)
        await aclose(items)


def _name_event(item: Any) -> Any:
    kind = item.get("type") if isinstance(item, Mapping) else None
    return Event(kind, item) if isinstance(kind, str) else item

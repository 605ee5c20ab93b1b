"""Iterates over the events of a response, for the swap-ins for httpx-sse and httpx2."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Literal

from ssejet._core import Decoder, ServerSentEvent
from ssejet.errors import EventTooLargeError

__all__ = ["DEFAULT_LIMIT", "SwappedEvent", "asynchronous", "synchronous"]

Dialect = Literal["httpx-sse", "httpx2"]
Check = Callable[[Any], None]
TooLarge = Callable[[Any, int], Exception]
"""Makes the error for an event that is too large, from the response and the limit in bytes."""

Make = Callable[[ServerSentEvent], Any]

DEFAULT_LIMIT = 64 * 2**20


def synchronous(
    dialect: Dialect, check: Check, too_large: TooLarge, make: Make | None = None
) -> Callable[[Any], Iterator[Any]]:
    """Make the method of an event source that iterates over its events.

    Args:
        dialect: the decoder's dialect.
        check: raises an error if the response is not an event stream.
        too_large: makes the error for an event that is too large.
        make: converts our events, if given.
    """

    def iterate(self: Any) -> Iterator[Any]:
        check(self)
        events = _decoder(self, dialect).iter_bytes(self._response.iter_bytes())
        try:
            yield from events if make is None else map(make, events)
        except EventTooLargeError as error:
            raise too_large(self._response, error.limit) from error

    return iterate


def asynchronous(
    dialect: Dialect, check: Check, too_large: TooLarge, make: Make | None = None
) -> Callable[[Any], AsyncGenerator[Any, None]]:
    """Make the method of an event source that iterates over its events, see ``synchronous``."""

    async def iterate(self: Any) -> AsyncGenerator[Any, None]:
        check(self)
        events: Any = _decoder(self, dialect).aiter_bytes(self._response.aiter_bytes())
        try:
            async for event in events:
                yield event if make is None else make(event)
        except EventTooLargeError as error:
            raise too_large(self._response, error.limit) from error
        finally:
            await events.aclose()

    return iterate


def _decoder(source: Any, dialect: Dialect) -> Decoder:
    return Decoder(dialect=dialect, max_event_size=getattr(source, "_max_event_size", DEFAULT_LIMIT))


class SwappedEvent(type):
    """A metaclass: instances of its classes are ``ssejet.ServerSentEvent``s."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, ServerSentEvent)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, ServerSentEvent)

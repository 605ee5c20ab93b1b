"""Driving an SDK's stream: what can be built here is, and the rest is passed to the SDK's own generator.

The SDK's generator knows what its version does with a sentinel, an error, a ping or a broken connection, and
how it ends. It is left in charge of all that: it reads from a `Relay`, which stands in for its decoder and
gives it the events that were not built here, and the errors that were met here.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, Literal

from ssejet._core import Decoder, ServerSentEvent

__all__ = ["Build", "Dialect", "EventDecoder", "Relay", "adrive", "drive"]

Build = Callable[[ServerSentEvent], Any]
"""Gives the item for an event, or None if that is left to the SDK."""

Dialect = Literal["openai", "anthropic"]

_END: Any = object()


class EventDecoder:
    """What an SDK's client takes for a decoder of event streams."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[ServerSentEvent]:
        """Decode the events of a stream of bytes."""
        return Decoder(dialect=self._dialect).iter_bytes(iterator)

    def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
        """Decode the events of an asynchronous stream of bytes."""
        return Decoder(dialect=self._dialect).aiter_bytes(iterator)


class Relay:
    """The events of one stream, for the driver and for the SDK's own generator, which pulls them from here.

    Attributes:
        chunks: the bytes, an iterator that goes on where it was left, synchronous or not.
        events: what was decoded and not yet used.
        error: what the SDK is to meet, once it has used the events.
    """

    def __init__(self, dialect: Dialect, chunks: Any) -> None:
        decoder = Decoder(dialect=dialect)
        self.chunks = chunks
        self.events: deque[ServerSentEvent] = deque()
        self.error: Exception | None = None
        self.feed = decoder.feed
        self.finish = decoder.finish

    def iter_bytes(self, _: Iterable[bytes]) -> Iterator[ServerSentEvent]:
        """Give the SDK its events, reading on where the driver stopped."""
        while True:
            if self.error is not None:
                raise self.error
            while self.events:
                yield self.events.popleft()
            for chunk in self.chunks:
                self.events.extend(self.feed(chunk))
                break
            else:
                self.finish()
                return

    async def aiter_bytes(self, _: object) -> AsyncIterator[ServerSentEvent]:
        """Give the SDK its events, reading on where the driver stopped."""
        while True:
            if self.error is not None:
                raise self.error
            while self.events:
                yield self.events.popleft()
            async for chunk in self.chunks:
                self.events.extend(self.feed(chunk))
                break
            else:
                self.finish()
                return


def drive(relay: Relay, rest: Generator[Any, None, None], build: Build, response: Any) -> Iterator[Any]:
    """Yield a stream's items.

    Args:
        relay: its events.
        rest: the SDK's own generator, which reads from the relay.
        build: builds an item.
        response: is closed in the end.
    """
    events, feed = relay.events, relay.feed
    take = events.popleft
    try:
        for chunk in relay.chunks:
            events.extend(feed(chunk))
            while events:
                event = take()
                item = build(event)
                if item is None:
                    events.appendleft(event)
                    item = next(rest, _END)
                    if item is _END:
                        return
                yield item
        relay.finish()
        next(rest, _END)
    except Exception as error:
        relay.error = error
        next(rest, _END)  # raises what the SDK makes of it, unless the error is the SDK's
        raise
    finally:
        rest.close()
        if sys.is_finalizing():
            response.is_closed = True  # closing it now can crash CPython 3.13
        else:
            response.close()


async def adrive(
    relay: Relay, rest: AsyncGenerator[Any, None], build: Build, response: Any
) -> AsyncIterator[Any]:
    """Yield a stream's items, see ``drive``."""
    events, feed = relay.events, relay.feed
    take = events.popleft
    try:
        async for chunk in relay.chunks:
            events.extend(feed(chunk))
            while events:
                event = take()
                item = build(event)
                if item is None:
                    events.appendleft(event)
                    item = await anext(rest, _END)
                    if item is _END:
                        return
                yield item
        relay.finish()
        await anext(rest, _END)
    except Exception as error:
        relay.error = error
        await anext(rest, _END)  # raises what the SDK makes of it, unless the error is the SDK's
        raise
    finally:
        await rest.aclose()
        if (close_chunks := getattr(relay.chunks, "aclose", None)) is not None:
            await close_chunks()
        await response.aclose()

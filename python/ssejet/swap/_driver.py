"""Reads an SDK's stream: builds the items that it can, and leaves the rest to the SDK's own generator.

The SDK's generator decides what its version does with a sentinel, an error, a ping or a broken connection. It
reads from a `Relay` in place of its decoder, which gives it the events that were not built here and the
errors that occurred here.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from ssejet._core import Decoder, ItemDecoder, ServerSentEvent
from ssejet._http.body import aclose_chunks
from ssejet._http.direct._asyncio import AsyncDirectChunks

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        AsyncIterator,
        Callable,
        Generator,
        Iterable,
        Iterator,
    )

__all__ = ["Dialect", "EventDecoder", "Relay", "adrive", "drive"]

Dialect = Literal["openai", "anthropic"]

_END: Any = object()


class EventDecoder:
    """Takes the place of an SDK's decoder of event streams."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[ServerSentEvent]:
        """Decode the events of a stream of bytes."""
        return Decoder(dialect=self._dialect).iter_bytes(iterator)

    def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
        """Decode the events of an asynchronous stream of bytes."""
        return Decoder(dialect=self._dialect).aiter_bytes(iterator)


class Relay:
    """Takes the place of the decoder of an SDK's generator.

    Attributes:
        event: the next event for the SDK.
        error: the next error for the SDK.
        skipped: whether the SDK made no item of its event, and asked for another one.
        reads_on: whether the SDK reads on after the sentinel, as some versions do, without making items.
        ended: whether the stream has ended.
    """

    def __init__(self, idle: ServerSentEvent, learn: Callable[[str], bool] | None = None) -> None:
        """Make one for a stream.

        Args:
            idle: an event to give when there is none. The SDK makes any item of it, and so returns control.
            learn: says whether the SDK makes items of the data alone of events of a type. It is asked once
                for each type that the decoder refuses.
        """
        self.event: ServerSentEvent | None = None
        self.error: Exception | None = None
        self.skipped: bool = False
        self.reads_on: bool = False
        self.ended: bool = False
        self._idle = idle
        self._learn = learn
        self._judged: set[str | None] = set()

    def take(self, event: ServerSentEvent, decoder: ItemDecoder) -> None:
        """Take an event that the decoder refused; tell the decoder if it can build those that follow."""
        self.event = event
        if event.event not in self._judged:
            self._judged.add(event.event)
            if self._learn is not None and event.event is not None and self._learn(event.event):
                decoder.allow(event.event)

    def iter_bytes(self, _: object) -> Iterator[ServerSentEvent]:
        """Give the SDK its events."""
        while not self.ended:
            if self.error is not None:
                raise self.error
            event, self.event = self.event, None
            if event is None and self.skipped:
                self.reads_on = True
                return
            self.skipped = event is None
            yield event or self._idle

    async def aiter_bytes(self, _: object) -> AsyncIterator[ServerSentEvent]:
        """Give the SDK its events."""
        for event in self.iter_bytes(None):
            yield event


def drive(
    body: Iterable[bytes],
    decoder: ItemDecoder,
    relay: Relay,
    rest: Generator[Any, None, None],
    response: Any,
) -> Iterator[Any]:
    """Yield a stream's items.

    The items that follow one of these may also be taken from the decoder: `ItemStream` does so.

    Args:
        body: the bytes of the stream.
        decoder: makes items of the bytes.
        relay: gets the events that the decoder builds nothing of, and the errors.
        rest: the SDK's own generator, which reads from the relay.
        response: the response, which is closed at the end.
    """
    feed = decoder.feed
    chunks = iter(body)
    try:
        for chunk in chunks:
            for item in feed(chunk):
                if type(item) is ServerSentEvent:
                    relay.take(item, decoder)
                    item = next(rest, _END)
                    if item is _END:
                        if relay.reads_on:  # to the end, so that the connection can be reused
                            deque(chunks, maxlen=0)
                        return
                    if relay.skipped:
                        continue
                yield item
        decoder.finish()
        relay.ended = True
        next(rest, _END)
    except Exception as error:
        relay.error = error
        next(rest, _END)  # raises the SDK's error, if the SDK converts it
        raise
    finally:
        decoder.clear()
        rest.close()
        if sys.is_finalizing():
            response.is_closed = True  # closing it now can crash CPython 3.13
        else:
            response.close()


async def adrive(
    body: AsyncIterable[bytes],
    decoder: ItemDecoder,
    relay: Relay,
    rest: AsyncGenerator[Any, None],
    response: Any,
) -> AsyncIterator[Any]:
    """Yield a stream's items, see ``drive``."""
    feed = decoder.feed
    chunks: Any = aiter(body)
    direct = chunks if isinstance(chunks, AsyncDirectChunks) else None
    fetch = chunks.__anext__
    try:
        while True:
            try:
                if direct is None:
                    chunk = await fetch()
                else:  # this is fetch() inlined: a coroutine for each chunk would cost much
                    if not direct.arrived:
                        await direct.wait()
                    chunk = direct.take()
            except StopAsyncIteration:
                break
            for item in feed(chunk):
                if type(item) is ServerSentEvent:
                    relay.take(item, decoder)
                    item = await anext(rest, _END)
                    if item is _END:
                        if relay.reads_on:
                            async for _ in chunks:
                                pass
                        return
                    if relay.skipped:
                        continue
                yield item
        decoder.finish()
        relay.ended = True
        await anext(rest, _END)
    except Exception as error:
        relay.error = error
        await anext(rest, _END)  # raises the SDK's error, if the SDK converts it
        raise
    finally:
        decoder.clear()
        await rest.aclose()
        if direct is not None:
            await direct.aclose()
            await response.aclose()
        elif not getattr(response, "is_closed", False):
            await aclose_chunks(chunks, response)
            await response.aclose()
        elif hasattr(chunks, "aclose"):
            # Some versions have already read the rest. Reading more could take bytes of the connection's next
            # user, or block in httpcore forever.
            await chunks.aclose()

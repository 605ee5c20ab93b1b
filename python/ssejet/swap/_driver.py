"""Reads an SDK's stream: builds the items that it can, and leaves the rest to the SDK's own generator.

The SDK's generator decides what its version does with a sentinel, an error, a ping or a broken connection. It
reads from a relay in place of its decoder or its response, which gives it the events that were not built here
and the errors that occurred here.
"""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, cast

from ssejet._core import BlockDecoder, Decoder, ItemDecoder, ServerSentEvent
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

__all__ = ["BlockRelay", "Dialect", "EventDecoder", "Relay", "adrive", "drive"]

Dialect = Literal["openai", "anthropic"]

_END: Any = object()
_IDLE: Any = object()


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
        unbuilt: the class of what the decoder gives if it builds nothing.
        takes_rest: whether the SDK reads the rest of the stream itself.
    """

    unbuilt: type = ServerSentEvent
    takes_rest = False

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

    def take(self, event: ServerSentEvent, decoder: ItemDecoder, _: object) -> None:
        """Take an event that the decoder refused; tell the decoder if it can build those that follow."""
        self.event = event
        if event.event not in self._judged:
            self._judged.add(event.event)
            if self._learn is not None and event.event is not None and self._learn(event.event):
                decoder.allow(event.event)

    def end(self, decoder: ItemDecoder) -> None:
        """Tell the decoder and the SDK that the stream has ended."""
        decoder.finish()
        self.ended = True

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


class BlockRelay:
    """Takes the place of the response that the generator of an SDK from Speakeasy reads.

    Attributes:
        error, skipped, reads_on, unbuilt, takes_rest: see ``Relay``.
    """

    unbuilt: type = bytes
    reads_on = False

    def __init__(self, decode: Callable[[str], Any], sentinel: str | None) -> None:
        """Make one for a stream.

        Args:
            decode: makes an item of an event, for the SDK.
            sentinel: the data of the last event, if there is such an event.
        """
        self.error: Exception | None = None
        self.skipped: bool = False
        self.takes_rest: bool = False
        self._decode = decode
        self._sentinel = sentinel.encode() if sentinel else None
        self._pieces: list[bytes] = []
        self._chunks: Any = ()
        self._ended = False

    def take(self, block: bytes, decoder: BlockDecoder, chunks: Any) -> None:
        """Take a block of which the decoder builds nothing.

        What the SDK does after the sentinel differs by version, so it gets all that follows.
        """
        if self._sentinel is not None and self._sentinel in block:
            self.takes_rest = True
            self._chunks = chunks
            block = decoder.take_rest()
        self._give(block)

    def end(self, decoder: BlockDecoder) -> None:
        """Let the SDK read what is after the last boundary, and the end."""
        decoder.finish()
        self._give(decoder.take_rest())
        self._ended = True

    def _give(self, block: bytes) -> None:
        # Some versions drop a byte order mark at the start of a chunk. The decoder did so, where it is one.
        self._pieces = [block[:1], block[1:]] if block.startswith(BOM_UTF8) else [block]

    def decode(self, text: str) -> Any:
        """Take the place of the function that makes an item of an event."""
        return _IDLE if self.skipped else self._decode(text)

    def _given(self) -> Iterator[bytes]:
        while True:
            if self.error is not None:
                raise self.error
            pieces, self._pieces = self._pieces, []
            is_last = self._ended or self.takes_rest
            self.skipped = not (pieces or is_last)
            # An item is made of any event, so this returns control.
            yield from [b"data: {}\n\n"] if self.skipped else pieces
            if is_last:
                return

    def iter_bytes(self) -> Iterator[bytes]:
        """Give the SDK its blocks."""
        yield from self._given()
        yield from self._chunks

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Give the SDK its blocks."""
        for piece in self._given():
            yield piece
        if self.takes_rest:
            async for chunk in self._chunks:
                yield chunk

    def close(self) -> None:
        """Do nothing: who reads the response closes it."""

    async def aclose(self) -> None:
        """Do nothing, see ``close``."""


def drive(
    body: Iterable[bytes],
    decoder: ItemDecoder | BlockDecoder,
    relay: Relay | BlockRelay,
    rest: Generator[Any, None, None],
    response: Any,
) -> Iterator[Any]:
    """Yield a stream's items.

    The items that follow one of these may also be taken from the decoder, and the bytes from the iterator
    that it gets here: `ItemStream` does both.

    Args:
        body: the bytes of the stream.
        decoder: makes items of the bytes.
        relay: gets the events that the decoder builds nothing of, and the errors.
        rest: the SDK's own generator, which reads from the relay.
        response: the response, which is closed at the end.
    """
    feed, unbuilt, take = decoder.feed, relay.unbuilt, cast("Any", relay).take
    chunks = iter(body)
    if isinstance(decoder, ItemDecoder):
        decoder.iterate(chunks)
    try:
        for chunk in chunks:
            for item in feed(chunk):
                if type(item) is unbuilt:
                    take(item, decoder, chunks)
                    if relay.takes_rest:
                        yield from rest
                        return
                    item = next(rest, _END)
                    if item is _END:
                        if relay.reads_on:  # to the end, so that the connection can be reused
                            deque(chunks, maxlen=0)
                        return
                    if relay.skipped:
                        continue
                yield item
        cast("Any", relay).end(decoder)
        yield from rest
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
    decoder: ItemDecoder | BlockDecoder,
    relay: Relay | BlockRelay,
    rest: AsyncGenerator[Any, None],
    response: Any,
) -> AsyncIterator[Any]:
    """Yield a stream's items, see ``drive``."""
    feed, unbuilt, take = decoder.feed, relay.unbuilt, cast("Any", relay).take
    chunks: Any = aiter(body)
    direct = chunks if isinstance(chunks, AsyncDirectChunks) else None
    if direct is not None and isinstance(decoder, ItemDecoder):
        decoder.read_from(direct)
    fetch = chunks.__anext__
    try:
        while True:
            try:
                if direct is None:
                    chunk = await fetch()
                else:  # this is fetch() inlined: a coroutine for each chunk would cost much
                    if not direct.arrived.size:
                        await direct.wait()
                    chunk = direct.take()
            except StopAsyncIteration:
                break
            for item in feed(chunk):
                if type(item) is unbuilt:
                    take(item, decoder, chunks)
                    if relay.takes_rest:
                        async for item in rest:
                            yield item
                        return
                    item = await anext(rest, _END)
                    if item is _END:
                        if relay.reads_on:
                            async for _ in chunks:
                                pass
                        return
                    if relay.skipped:
                        continue
                yield item
        cast("Any", relay).end(decoder)
        async for item in rest:
            yield item
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

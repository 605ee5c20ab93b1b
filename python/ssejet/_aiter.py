"""The driver behind ``Decoder.aiter_bytes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.errors import EventTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterator

    from ssejet._core import Decoder, ServerSentEvent

__all__ = ["ResumableEvents", "aiter_bytes"]


def aiter_bytes(decoder: Decoder, chunks: AsyncIterable[bytes]) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the events of the chunks; the source, if it can be closed, is closed at an early end."""
    return _Events(decoder, chunks).run()


class ResumableEvents:
    """The events of the chunks, for a decoder with an ``on_comment``, which may raise.

    An async generator ends where it raises, so after each such exception a new one goes on.

    Args:
        decoder: the decoder.
        chunks: what it is fed.
    """

    def __init__(self, decoder: Decoder, chunks: AsyncIterable[bytes]) -> None:
        self._events = _Events(decoder, chunks)
        self._run = self._events.run()

    def __aiter__(self) -> AsyncIterator[ServerSentEvent]:
        return self

    def __anext__(self) -> Awaitable[ServerSentEvent]:
        if self._events.raised_by_comment:
            self._events.raised_by_comment = False
            self._run = self._events.run()
        return self._run.__anext__()

    async def aclose(self) -> None:
        """Close the source, if it can be closed, and end."""
        self._events.raised_by_comment = False
        await self._run.aclose()
        await self._events.aclose()


class _Events:
    """The state of an iteration.

    Attributes:
        raised_by_comment: whether ``on_comment`` raised, so that another ``run()`` goes on.
    """

    def __init__(self, decoder: Decoder, chunks: AsyncIterable[bytes]) -> None:
        self.raised_by_comment = False
        self._decoder = decoder
        self._source = chunks
        self._chunks: AsyncIterator[bytes] | None = None
        self._ready: Iterator[ServerSentEvent] = iter(())
        self._decoder_is_paused = False
        self._ended = False

    async def run(self) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events that are left."""
        try:
            if self._chunks is None:
                self._chunks = aiter(self._source)
            while True:
                for event in self._ready:
                    yield event
                if self._decoder_is_paused:
                    self._resume()
                elif self._ended:
                    break
                else:
                    try:
                        chunk = await anext(self._chunks)
                    except StopAsyncIteration:
                        self._ended = True
                        chunk = None
                    events, self._decoder_is_paused = self._decoder._feed(chunk)
                    self._ready = iter(events)
        finally:
            if not self.raised_by_comment:
                await self.aclose()

    def _resume(self) -> None:
        try:
            events, self._decoder_is_paused = self._decoder._resume()
        except EventTooLargeError:
            raise
        except BaseException:
            self.raised_by_comment = True
            raise
        self._ready = iter(events)

    async def aclose(self) -> None:
        """Close the source, if it can be closed, and end the iteration."""
        self._ended = True
        aclose: Any = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()

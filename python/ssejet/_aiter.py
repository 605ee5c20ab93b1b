"""The driver behind ``Decoder.aiter_bytes``, and the states of a decoder.

======= ======================== ====================== ================= =================
state   bytes, or the end        resuming               on_comment raises event over the limit
======= ======================== ====================== ================= =================
RUNNING RUNNING or PAUSED
PAUSED  RUNNING or PAUSED        RUNNING or PAUSED      RAISED            RUNNING
RAISED  RUNNING or PAUSED        RUNNING or PAUSED      RAISED            RUNNING
======= ======================== ====================== ================= =================

PAUSED: events were given out; when they are taken, the decoder resumes, and gives more or raises an error.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ssejet.errors import EventTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterator

    from ssejet._core import Decoder, ServerSentEvent

__all__ = ["DecoderState", "ResumableEvents", "aiter_bytes"]


class DecoderState(Enum):
    """The states of a decoder; see the table at the top."""

    RUNNING = auto()
    PAUSED = auto()
    RAISED = auto()

    @classmethod
    def after(cls, error: BaseException) -> DecoderState:
        """The state after an exception of a decoder that was resumed."""
        return cls.RUNNING if isinstance(error, EventTooLargeError) else cls.RAISED


def aiter_bytes(decoder: Decoder, chunks: AsyncIterable[bytes]) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the events of the chunks. An early end closes the source, if it can be closed."""
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
        if self._events.state is DecoderState.RAISED:
            self._events.state = DecoderState.PAUSED
            self._run = self._events.run()
        return self._run.__anext__()

    async def aclose(self) -> None:
        """Close the source, if it can be closed, and end."""
        self._events.state = DecoderState.RUNNING
        await self._run.aclose()
        await self._events.aclose()


class _Events:
    """The state of an iteration.

    Attributes:
        state: the decoder's state. If it is RAISED, another ``run()`` goes on.
    """

    def __init__(self, decoder: Decoder, chunks: AsyncIterable[bytes]) -> None:
        self.state = DecoderState.RUNNING
        self._decoder = decoder
        self._source = chunks
        self._chunks: AsyncIterator[bytes] | None = None
        self._ready: Iterator[ServerSentEvent] = iter(())
        self._ended = False

    async def run(self) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events that are left."""
        try:
            if self._chunks is None:
                self._chunks = aiter(self._source)
            while True:
                for event in self._ready:
                    yield event
                if self.state is DecoderState.PAUSED:
                    self._resume()
                elif self._ended:
                    break
                else:
                    try:
                        chunk = await anext(self._chunks)
                    except StopAsyncIteration:
                        self._ended = True
                        chunk = None
                    self._give_out(*self._decoder._feed(chunk))
        finally:
            if self.state is not DecoderState.RAISED:
                await self.aclose()

    def _resume(self) -> None:
        try:
            resumed = self._decoder._resume()
        except BaseException as error:
            self.state = DecoderState.after(error)
            raise
        self._give_out(*resumed)

    def _give_out(self, events: list[ServerSentEvent], is_paused: bool) -> None:
        self.state = DecoderState.PAUSED if is_paused else DecoderState.RUNNING
        self._ready = iter(events)

    async def aclose(self) -> None:
        """Close the source, if it can be closed, and end the iteration."""
        self._ended = True
        aclose: Any = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()

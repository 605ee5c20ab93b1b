"""Items in, bytes out: the rules of sending, without I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ssejet._core import ServerSentEvent
from ssejet._json import dumps
from ssejet.errors import APIError

if TYPE_CHECKING:
    from ssejet.emit._faults import Faults

__all__ = ["HEARTBEAT", "Codec", "EmitMachine", "OnError"]

OnError = Literal["raise", "event"] | Callable[[Exception], Any]

_logger = logging.getLogger("ssejet.emit")

_UNKNOWN_ERROR = {
    "message": "The stream was interrupted.",
    "type": "server_error",
    "param": None,
    "code": None,
}


class _Heartbeat:
    """The type of ``HEARTBEAT``."""


HEARTBEAT: Final = _Heartbeat()
"""What a silent source gives in place of an item."""


class Codec(Protocol):
    """How the items of one stream become bytes."""

    @property
    def between_events(self) -> bool:
        """Whether the bytes given so far end where an event ends."""

    def feed(self, item: Any, /) -> Iterable[bytes]:
        """Give the bytes of an item: a tuple, or what makes them one by one."""

    def finish(self) -> Iterable[bytes]:
        """Give the bytes that end the stream."""

    def encode(self, item: Any, /) -> bytes:
        """The bytes of one event, which comes between two others."""

    def heartbeat(self) -> bytes:
        """The bytes of a comment, which comes between two events."""


class EmitMachine:
    """Turns the items of one stream into the pieces that are written; its driver writes them.

    What a method returns is to be exhausted before the next one is called. What it raises ends the stream,
    after the pieces that precede it.

    Args:
        codec: how items become bytes.
        on_error: what becomes of an exception of the source or the codec; see ``EventStream``.
        faults: what goes wrong on the way; None for nothing.

    Attributes:
        begun: there was something to write.
        ended: nothing more will come.
        stopping: the source is being closed; its exceptions are passed on, as no event tells of them.
        refusals: exceptions that are always passed on if nothing was written before, so that the driver can
            answer with another status.
    """

    def __init__(self, codec: Codec, *, on_error: OnError = "raise", faults: Faults | None = None) -> None:
        self.begun: bool = False
        self.ended: bool = False
        self.stopping: bool = False
        self.refusals: tuple[type[Exception], ...] = ()
        self._codec = codec
        self._on_error = on_error
        self._faults = faults

    def start(self) -> Iterator[bytes]:
        """Begin."""
        if self._faults is not None:
            yield from self._faults.start()
            self.ended = self._faults.ended

    def feed(self, item: Any) -> Iterable[bytes]:
        """Send an item; a heartbeat only where it has a place."""
        if item is HEARTBEAT:
            return self.heartbeat()
        if self.ended:
            return ()
        try:
            frames = self._codec.feed(item)
        except Exception as error:
            return self.fail(error)
        if self._faults is None and isinstance(frames, tuple):
            # Most items of most streams come this way: generators would cost more than encoding.
            self.begun = True
            return frames
        return self._send(iter(frames))

    def heartbeat(self) -> Iterator[bytes]:
        """Send a comment, if this is a place between two events."""
        if not self.ended and self._codec.between_events:
            yield from self._write(self._codec.heartbeat(), events=0)

    def finish(self) -> Iterator[bytes]:
        """Send the end that the codec gives the stream."""
        if not self.ended:
            try:
                frames = self._codec.finish()
            except Exception as error:
                yield from self.fail(error)
                return
            yield from self._send(iter(frames))
        yield from self._end()

    def stop(self, item: Any = None) -> Iterator[bytes]:
        """End the stream early, with a last item if this is a place between two events; None for no item."""
        if item is not None and not self.ended and self._codec.between_events:
            yield from self._write(self._codec.encode(item), events=1)
        yield from self._end()

    def fail(self, error: Exception) -> Iterator[bytes]:
        """End the stream after an exception, as ``on_error`` says."""
        if self.stopping:
            raise error
        is_refusal = isinstance(error, self.refusals) and not self.begun
        if self._on_error == "raise" or is_refusal or not self._codec.between_events:
            yield from self._end()
            raise error
        _logger.error("a stream ended with an error event", exc_info=error)
        item = _error_event(error) if self._on_error == "event" else self._on_error(error)
        yield from self._write(self._codec.encode(item), events=1)
        yield from self._end()

    def _send(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        while not self.ended:
            try:
                frame = next(frames, None)
            except Exception as error:
                yield from self.fail(error)
                return
            if frame is None:
                return
            yield from self._write(frame, events=1)

    def _write(self, data: bytes, *, events: int) -> Iterator[bytes]:
        self.begun = True
        if self._faults is None:
            yield data
        else:
            yield from self._faults.carry(data, events=events)
            self.ended = self._faults.ended

    def _end(self) -> Iterator[bytes]:
        if self._faults is not None and not self.ended:
            yield from self._faults.flush()
        self.ended = True


def _error_event(error: Exception) -> ServerSentEvent:
    # What went wrong on this side is not the client's to know: messages name hosts, paths and keys.
    body: Any = _UNKNOWN_ERROR
    if isinstance(error, APIError):
        sent = error.body
        if isinstance(sent, dict) and isinstance(sent.get("error"), dict):
            body = sent["error"]
        elif isinstance(sent, dict):
            # In OpenAI's shape, which has a message, whatever shape the other server chose.
            body = {"message": error.message, **sent}
        else:
            body = {**_UNKNOWN_ERROR, "message": error.message}
    return ServerSentEvent(event="error", data=dumps({"error": body}).decode())

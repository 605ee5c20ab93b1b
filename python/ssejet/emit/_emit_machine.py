"""Items in, bytes out: the rules of sending an event stream, without I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ssejet._core import ServerSentEvent
from ssejet._json import dumps
from ssejet.errors import APIError

if TYPE_CHECKING:
    from ssejet.emit._fault_injection import Faults

__all__ = ["HEARTBEAT", "Codec", "EmitMachine", "OnError", "State", "error_event"]

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
"""A silent source gives this instead of an item."""


class Codec(Protocol):
    """Turns the items of one stream into bytes."""

    @property
    def between_events(self) -> bool:
        """Whether the bytes returned so far end where an event ends."""

    def feed(self, item: Any, /) -> Iterable[bytes]:
        """Return the bytes of an item: a tuple, or an iterator that makes them one by one."""

    def finish(self) -> Iterable[bytes]:
        """Return the bytes that end the stream."""

    def encode(self, item: Any, /) -> bytes:
        """Return the bytes of one event, which is sent between two others."""

    def heartbeat(self) -> bytes:
        """Return the bytes of a comment, which is sent between two events."""


class State(Enum):
    """What an ``EmitMachine`` does with items and exceptions; its docstring has the transitions."""

    SENDING = auto()
    CLOSING = auto()
    ENDED = auto()


_ENDED = State.ENDED  # a global name costs less at each item than an attribute of an enum


class EmitMachine:
    """Turns the items of one stream into the pieces that its driver writes.

    ======= ================ ================== ======================= ================= ==================
    state   an item          an exception       ``finish()``            ``stop()``        ``close_source()``
    ======= ================ ================== ======================= ================= ==================
    SENDING is sent          is handled as      sends the end;          sends an item;    becomes CLOSING
                             ``on_error`` says; becomes ENDED           becomes ENDED
                             becomes ENDED
    CLOSING is sent          is raised          as above                as above          stays
    ENDED   is dropped       is raised          sends nothing           sends nothing     stays
    ======= ================ ================== ======================= ================= ==================

    A simulated fault can change any state to ENDED.

    Exhaust what a method returns before you call the next one. An exception that it raises ends the stream,
    after the pieces before it.

    Args:
        codec: turns items into bytes.
        on_error: how to handle an exception of the source or the codec; see ``EventStream``.
        faults: the faults of the connection to simulate; None for none.

    Attributes:
        state: the state.
        refusals: exceptions that are raised if nothing was sent before, whatever ``on_error`` says, so that
            the driver can answer with another status.
    """

    def __init__(self, codec: Codec, *, on_error: OnError = "raise", faults: Faults | None = None) -> None:
        self.state: State = State.SENDING
        self.refusals: tuple[type[Exception], ...] = ()
        self._has_sent = False
        self._codec = codec
        self._on_error = on_error
        self._faults = faults

    def start(self) -> Iterator[bytes]:
        """Begin the stream."""
        if self._faults is not None:
            yield from self._faults.start()
            self._end_if_failed(self._faults)

    def feed(self, item: Any) -> Iterable[bytes]:
        """Send an item. A heartbeat is dropped unless it comes between two events."""
        if item is HEARTBEAT:
            return self.heartbeat()
        if self.state is _ENDED:
            return ()
        try:
            frames = self._codec.feed(item)
        except Exception as error:
            return self.fail(error)
        if self._faults is None and isinstance(frames, tuple):
            # Most items of most streams come this way: generators would cost more than encoding.
            self._has_sent = True
            return frames
        return self._send(iter(frames))

    def heartbeat(self) -> Iterator[bytes]:
        """Send a comment, unless the stream is within an event."""
        if self.state is not _ENDED and self._codec.between_events:
            yield from self._write(self._codec.heartbeat(), events=0)

    def finish(self) -> Iterator[bytes]:
        """Send the bytes with which the codec ends the stream."""
        if self.state is not _ENDED:
            try:
                frames = self._codec.finish()
            except Exception as error:
                yield from self.fail(error)
                return
            yield from self._send(iter(frames))
        yield from self._end()

    def stop(self, item: Any = None) -> Iterator[bytes]:
        """End the stream early, with a last item unless the stream is within an event; None for no item."""
        if item is not None and self.state is not _ENDED and self._codec.between_events:
            yield from self._write(self._codec.encode(item), events=1)
        yield from self._end()

    def close_source(self) -> None:
        """Take note that the source is being closed, so that its exceptions are not sent."""
        if self.state is State.SENDING:
            self.state = State.CLOSING

    def fail(self, error: Exception) -> Iterator[bytes]:
        """Handle an exception of the source, as ``on_error`` says."""
        if self.state is not State.SENDING:
            raise error
        is_refusal = isinstance(error, self.refusals) and not self._has_sent
        if self._on_error == "raise" or is_refusal or not self._codec.between_events:
            yield from self._end()
            raise error
        _logger.error("a stream ended with an error event", exc_info=error)
        item = error_event(error) if self._on_error == "event" else self._on_error(error)
        yield from self._write(self._codec.encode(item), events=1)
        yield from self._end()

    def _send(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        while self.state is not _ENDED:
            try:
                frame = next(frames, None)
            except Exception as error:
                yield from self.fail(error)
                return
            if frame is None:
                return
            if self._faults is None:
                self._has_sent = True
                yield frame
            else:
                yield from self._write(frame, events=1)

    def _write(self, data: bytes, *, events: int) -> Iterator[bytes]:
        self._has_sent = True
        if self._faults is None:
            yield data
        else:
            yield from self._faults.add(data, events=events)
            self._end_if_failed(self._faults)

    def _end_if_failed(self, faults: Faults) -> None:
        if faults.ended:
            self.state = _ENDED

    def _end(self) -> Iterator[bytes]:
        if self._faults is not None and self.state is not _ENDED:
            yield from self._faults.flush()
        self.state = _ENDED


def error_event(error: Exception) -> ServerSentEvent:
    """Return the event that reports an exception to a client."""
    # The client must not see an error of this server: its message may name hosts, paths and keys.
    body: Any = _UNKNOWN_ERROR
    if isinstance(error, APIError):
        sent = error.body
        if isinstance(sent, dict) and isinstance(sent.get("error"), dict):
            body = sent["error"]
        elif isinstance(sent, dict):
            # OpenAI's shape has a message, the other server's shape may have none.
            body = {"message": error.message, **sent}
        else:
            body = {**_UNKNOWN_ERROR, "message": error.message}
    return ServerSentEvent(event="error", data=dumps({"error": body}).decode())

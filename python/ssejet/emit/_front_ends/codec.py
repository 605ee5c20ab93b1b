"""Event streams in the protocol of a front end, and the codec that makes their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent, encode
from ssejet._json import loads
from ssejet.emit._event_stream import AsyncEventStream, EventStream
from ssejet.emit._front_ends.reader import Reader
from ssejet.emit._front_ends.writer import Writer
from ssejet.emit._item_encoder import ItemEncoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from ssejet.emit._emit_machine import Codec
    from ssejet.emit._front_ends.protocol import Protocol

__all__ = ["AsyncFrontEndStream", "EarlierChunk", "FrontEndCodec", "FrontEndStream"]

_UNKNOWN_ERROR = "An error occurred."

EARLIER = "earlier"
"""The type of a log's events that only a reader of the whole message needs."""


class EarlierChunk(dict[str, Any]):
    """A chunk of the message as it was before this answer."""


class FrontEndCodec:
    """Turns the events of models into the bytes of a front end's protocol.

    Events that are in the protocol already, such as those of a hub's log, are passed on with their ids. The
    log's events ``error`` and ``gap``, and the end of a stopped answer, are written in the protocol.

    Args:
        protocol: writes the events of models.
        done: the data of the last event, None for no such event.
        skips_earlier: whether to leave out a log's events of the type ``EARLIER``.
    """

    between_events = True

    def __init__(self, protocol: Protocol, done: str | None, *, skips_earlier: bool = False) -> None:
        self._skips_earlier = skips_earlier
        self._protocol = protocol
        self._writer = Writer(protocol)
        self._reader = Reader(self._writer)
        self._done = b"" if done is None else encode(done)
        self._encoder = ItemEncoder(None)
        self._is_log = self._has_failed = False
        self._gap: dict[str, Any] | None = None
        self.heartbeat = self._encoder.heartbeat

    def feed(self, item: Any) -> tuple[bytes, ...]:
        """Convert an item."""
        if isinstance(item, ServerSentEvent):
            return self._pass_on(item)
        self._reader.feed(item)
        return self._encoded()

    def finish(self) -> tuple[bytes, ...]:
        """End the stream."""
        if not self._is_log:
            self._reader.finish()
        return (*self._encoded(), self._done) if self._done else self._encoded()

    def encode(self, item: Any) -> bytes:
        """Convert the last item: an error, or what is sent when the server stops."""
        parts = self.feed(item)
        is_error = isinstance(item, ServerSentEvent) and item.event == "error"
        return b"".join(parts) + (self._done if is_error else b"")

    def _encoded(self) -> tuple[bytes, ...]:
        chunks = self._protocol.take()
        return (b"".join([_encode(chunk) for chunk in chunks]),) if chunks else ()

    def _pass_on(self, event: ServerSentEvent) -> tuple[bytes, ...]:
        if event.event == "error":
            self._tell_gap()
            message, code = _error_of(event.data)
            self._writer.fail(message, code)
            return self._encoded()
        self._is_log = True
        if event.event == "gap":
            return self._take_gap(_dict_of(event.data))
        if event.event == "end":
            return self._end(_dict_of(event.data).get("reason"))
        if self._has_failed or event.event == "done" or event.data == "[DONE]":
            return ()
        if event.event == EARLIER and self._skips_earlier:
            return ()
        self._writer.begin_replay()
        self._protocol.watch(event.data)
        passed = (*self._encoded(), self._encoder.pass_on(event))
        self._tell_gap()
        return (*passed, *self._encoded())

    def _take_gap(self, gap: dict[str, Any]) -> tuple[bytes, ...]:
        self._gap = gap
        if gap.get("reason") == "trimmed":
            # The parsers of front ends know no part whose beginning they have not seen.
            self._tell_gap()
            self._has_failed = True
            self._writer.fail("The beginning of this answer is no longer kept.", "trimmed")
        elif self._writer.has_begun:
            self._tell_gap()
        # Otherwise the event that begins the answer comes first.
        return self._encoded()

    def _tell_gap(self) -> None:
        gap, self._gap = self._gap, None
        if gap is not None:
            self._writer.data("gap", gap, transient=True)

    def _end(self, reason: Any) -> tuple[bytes, ...]:
        if reason == "missing":
            self._writer.fail("This answer is no longer kept.", "missing")
        elif reason == "stopped":
            self._writer.cancel()
        return self._encoded()


def _encode(chunk: dict[str, Any]) -> bytes:
    return encode(chunk, event=EARLIER) if isinstance(chunk, EarlierChunk) else encode(chunk)


def _dict_of(data: str) -> dict[str, Any]:
    try:
        value = loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _error_of(data: str) -> tuple[str, str | None]:
    try:
        body = loads(data)
    except ValueError:
        return data or _UNKNOWN_ERROR, None
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return str(error) or _UNKNOWN_ERROR, None
    code = error.get("code")
    return str(error.get("message") or _UNKNOWN_ERROR), None if code is None else str(code)


class FrontEndStream(EventStream[Any]):
    """An event stream in a front end's protocol."""

    def __init__(self, items: Iterable[Any], make_codec: Callable[[], Codec], **options: Any) -> None:
        super().__init__(items, **options)
        self._make_codec = make_codec

    def _codec(self) -> Codec:
        return self._make_codec()


class AsyncFrontEndStream(AsyncEventStream[Any]):
    """Does what ``FrontEndStream`` does, for async clients and ASGI."""

    def __init__(
        self, items: AsyncIterable[Any] | Iterable[Any], make_codec: Callable[[], Codec], **options: Any
    ) -> None:
        super().__init__(items, **options)
        self._make_codec = make_codec

    def _codec(self) -> Codec:
        return self._make_codec()

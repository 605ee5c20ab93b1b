"""Relays: pass on the event stream of another server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ssejet._core import Decoder
from ssejet.emit._encoded_event import BLANK_LINES
from ssejet.emit._event_stream import AsyncEventStream, EventStream
from ssejet.emit._item_encoder import ItemEncoder
from ssejet.emit._upstream import AsyncUpstream, Upstream
from ssejet.typed._input_tail import InputTail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ssejet._core import ServerSentEvent
    from ssejet.emit._emit_machine import Codec, OnError

__all__ = ["arelay", "relay", "resume_headers"]

Transform: TypeAlias = "Callable[[ServerSentEvent], Any]"

_HEARTBEAT = 15.0
_BOM = b"\xef\xbb\xbf"
_LONGEST_BLANK_LINE = max(map(len, BLANK_LINES))


def relay(
    response: Any,
    *,
    transform: Transform | None = None,
    verbatim: bool | None = None,
    decoder: Decoder | None = None,
    heartbeat: float | None = _HEARTBEAT,
    on_error: OnError = "event",
    direct: bool = True,
) -> EventStream[bytes]:
    """Pass on the event stream of another server.

    A verbatim relay passes the bytes on as they come. It leaves out only a byte order mark that would follow
    a heartbeat, and holds the data of the first event until that event ends. A normalising relay decodes each
    event, transforms it and encodes it again, without the comments. No relay adds or removes a sentinel. If
    the other server's last lines are an error but not an event, such as JSON without a field's name, a
    verbatim relay passes them on as bytes; a normalising one treats them as an ``APIError``.

    The relay owns the response, and closes it at the end of the stream, when the reader of the relay leaves,
    and in ``close()``, which any thread may call. If the reader leaves after the sentinel, the rest of the
    body is read within limits, so that the connection can be used again.

    Args:
        response: a response that ``Stream`` reads, such as one of httpx or requests, whose body was not
            read; or any object with ``iter_bytes()`` and ``close()``.
        transform: called with each event, the sentinel too; returns the item to send instead, or None for no
            event. See ``EventStream`` for the items.
        verbatim: whether the relay is verbatim; by default it is, unless there is a ``transform`` or a
            ``decoder``.
        decoder: a ``Decoder`` of your own, for another ``max_event_size``.
        heartbeat: see ``EventStream``. While the other server is silent, a WSGI server needs heartbeats to
            notice that a client has left.
        on_error: see ``EventStream``. The exceptions are those of ``ssejet.Stream``: an HTTP error status is
            an ``APIStatusError``, and the error event has its body. A failed read is an
            ``APIConnectionError``. A body that is not an event stream, such as JSON or HTML, is an
            ``APIError`` if it reports an error, else a ``ContentTypeError``; its bytes are not passed on,
            and the log gets a warning.
        direct: as for ``ssejet.Stream``.

    Raises:
        TypeError: the response is one of an async client.
        ValueError: ``verbatim`` is true and there is a ``transform`` or a ``decoder``.
    """
    make_codec = _codec_maker(transform, verbatim, decoder)
    return _Relay(Upstream(response, direct=direct), make_codec, heartbeat=heartbeat, on_error=on_error)


def arelay(
    response: Any,
    *,
    transform: Transform | None = None,
    verbatim: bool | None = None,
    decoder: Decoder | None = None,
    heartbeat: float | None = _HEARTBEAT,
    on_error: OnError = "event",
    direct: bool = True,
) -> AsyncEventStream[bytes]:
    """Do what ``relay`` does, for a response of an async client.

    That is a response that ``AsyncStream`` reads, such as one of httpx or aiohttp, or any object with
    ``aiter_bytes()`` and ``aclose()``.

    Raises:
        TypeError: the response is one of a sync client.
        ValueError: as ``relay``.
    """
    make_codec = _codec_maker(transform, verbatim, decoder)
    return _AsyncRelay(
        AsyncUpstream(response, direct=direct), make_codec, heartbeat=heartbeat, on_error=on_error
    )


def resume_headers(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the headers that tell the other server where the client's stream goes on.

    Args:
        headers: the headers of the client's request, as Starlette, FastAPI, Flask or Django have them.

    Returns:
        ``Last-Event-ID``, if the client sent it; as bytes, because ids are UTF-8.
    """
    id = headers.get("Last-Event-ID")
    # Frameworks decode all headers as Latin-1.
    return {b"Last-Event-ID": id.encode("latin-1")} if id else {}


class _Relay(EventStream[bytes]):
    def __init__(self, upstream: Upstream, make_codec: Callable[[], Codec], **options: Any) -> None:
        super().__init__(upstream, **options)
        self._make_codec = make_codec
        self._upstream = upstream

    def close(self) -> None:
        if self._pieces is not None and self._pieces.gi_running:
            self._upstream.close()  # this ends the iteration in the other thread
        else:
            super().close()

    def interrupt(self) -> None:
        self._upstream.interrupt()

    def _codec(self) -> Codec:
        return self._make_codec()


class _AsyncRelay(AsyncEventStream[bytes]):
    def __init__(self, upstream: AsyncUpstream, make_codec: Callable[[], Codec], **options: Any) -> None:
        super().__init__(upstream, **options)
        self._make_codec = make_codec

    def _codec(self) -> Codec:
        return self._make_codec()


def _codec_maker(
    transform: Transform | None, verbatim: bool | None, decoder: Decoder | None
) -> Callable[[], Codec]:
    if verbatim is None:
        verbatim = transform is None and decoder is None
    if not verbatim:
        return lambda: _Normaliser(transform, decoder)
    if transform is not None or decoder is not None:
        raise ValueError(
            "verbatim=True passes bytes on unchanged: leave out verbatim, or transform and decoder"
        )
    return _Verbatim


class _Verbatim:
    """Passes bytes on unchanged, and tells whether they end between two events."""

    def __init__(self) -> None:
        self._tail = b"\n\n"
        self._begun = False
        # After a heartbeat: the first bytes, if they may be the start of a byte order mark.
        self._start: bytes | None = None
        self._encoder = ItemEncoder(None)

    @property
    def between_events(self) -> bool:
        return self._tail.endswith(BLANK_LINES)

    def feed(self, chunk: bytes) -> tuple[bytes, ...]:
        if self._start is not None:
            chunk = self._start + chunk
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._start = chunk
                return ()
            self._start = None
            self._begun = True
            chunk = chunk.removeprefix(_BOM)
        if not chunk:
            return ()
        self._begun = True
        last = chunk if len(chunk) >= _LONGEST_BLANK_LINE else self._tail + chunk
        self._tail = last[-_LONGEST_BLANK_LINE:]
        return (chunk,)

    def finish(self) -> Iterator[bytes]:
        if self._start:
            yield self._start

    def encode(self, item: Any) -> bytes:
        return self._encoder.encode(item)

    def heartbeat(self) -> bytes:
        if not self._begun and self._start is None:
            self._start = b""
        return self._encoder.heartbeat()


class _Normaliser:
    """Decodes events, transforms them and encodes them again."""

    between_events = True

    def __init__(self, transform: Transform | None, decoder: Decoder | None) -> None:
        self._transform = transform
        self._decoder = Decoder() if decoder is None else decoder
        # What the other server wrote last may be an error that is not an event.
        self._tail = InputTail()
        self._has_events = False
        self._encoder = ItemEncoder(None)
        self.encode = self._encoder.encode
        self.heartbeat = self._encoder.heartbeat

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        events, is_paused = self._decoder._feed(chunk)
        if events:
            self._has_events = True
            self._tail.data = chunk  # restart() would cost a call at each read
        else:
            self._tail.add(chunk)
        yield from self._pass_on(events)
        while is_paused:
            events, is_paused = self._decoder._resume()
            yield from self._pass_on(events)

    def finish(self) -> Iterator[bytes]:
        events = self._decoder.finish()
        yield from self._pass_on(events)
        if not events and (error := self._tail.error(None, has_events=self._has_events, is_answer=False)):
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame, and this frame to it

    def _pass_on(self, events: list[ServerSentEvent]) -> Iterator[bytes]:
        for event in events:
            item = event if self._transform is None else self._transform(event)
            if item is event:
                yield self._encoder.pass_on(event)
            elif item is not None:
                yield self._encoder.encode(item)

"""What a request that reads gets: the rules, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ssejet._json import dumps
from ssejet.hub._entries import Kind
from ssejet.hub.durable_streams._content_type import encode_event
from ssejet.hub.durable_streams._exchange import NO_STORE, Answer, refuse
from ssejet.hub.durable_streams._headers import matches_etag
from ssejet.hub.durable_streams._offset import START, TAIL, Offset, next_cursor, parse_offset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._entries import Entry
    from ssejet.hub.durable_streams._content_type import ContentType
    from ssejet.hub.durable_streams._exchange import Request

__all__ = ["Chunk", "Read", "View", "catch_up", "event_headers", "events", "head", "long_poll"]

# The bytes after which a chunk ends. One message may have more.
_CHUNK = 2**20

# What caches do with an answer that may be another one at the next request.
_ASK = "private, no-cache"


class Read(NamedTuple):
    """A request to read.

    Attributes:
        offset: where to begin.
        live: whether to wait for messages, and how to send them; None for no waiting.
        cursor: the client's cursor.
        etag: the entity tags that the client has.
    """

    offset: Offset
    live: Literal["long-poll", "sse"] | None
    cursor: str
    etag: str

    @classmethod
    def parse(cls, request: Request) -> Read:
        """Read a request.

        Raises:
            RequestError: it is refused, whatever the stream is.
        """
        parameters = request.parameters
        for name in ("offset", "live", "cursor"):
            if len(parameters.get(name, ())) > 1:
                refuse(400, "repeated-parameter", f"send {name} once")
        offset = parse_offset(parameters["offset"][0]) if "offset" in parameters else None
        live = parameters["live"][0] if "live" in parameters else None
        if live is not None and live not in ("long-poll", "sse"):
            refuse(400, "invalid-live", "live must be long-poll or sse")
        if live is not None and offset is None:
            refuse(400, "no-offset", "a live read needs an offset: send -1 for the beginning")
        cursor = parameters.get("cursor", [""])[0]
        return cls(offset or START, live, cursor, request.headers.get("if-none-match", ""))  # type: ignore[arg-type]


class View(NamedTuple):
    """A part of a stream.

    Attributes:
        content_type: its content type.
        log: the name of its log.
        incarnation: the second part of its offsets.
        first: the position of the first message that it still has.
        tail: the position of the last message.
        is_closed: whether it is closed.
        entries: those after the offset that was asked for, up to some limit.
        headers: the headers that tell clients how long the stream is kept.
    """

    content_type: ContentType
    log: str
    incarnation: str
    first: int
    tail: int
    is_closed: bool
    entries: Sequence[Entry]
    headers: Sequence[tuple[str, str]]

    def offset(self, position: int) -> str:
        """The offset of a position."""
        return str(Offset(position, self.incarnation))

    def has_all(self, position: int) -> bool:
        """Whether a client at this position has all messages."""
        return position >= self.tail

    def ends_at(self, position: int) -> bool:
        """Whether the stream is closed, and a client at this position has all messages."""
        return self.is_closed and position >= self.tail

    @property
    def trimmed(self) -> list[tuple[str, str]]:
        """A header with the first offset that can be read, if messages were dropped."""
        return [("stream-first-offset", self.offset(self.first - 1))] if self.first > 1 else []

    def begin(self, offset: Offset) -> int:
        """The position after which a read begins.

        Raises:
            RequestError: the stream has nothing there.
        """
        if offset == START:
            return self.first - 1
        if offset == TAIL:
            return self.tail
        if offset.incarnation != self.incarnation:
            refuse(410, "offset-gone", "the offset is of a stream that was deleted or lost", self.trimmed)
        if offset.position > self.tail:
            refuse(410, "offset-gone", "the stream has nothing at this offset", self.trimmed)
        if offset.position < self.first - 1:
            refuse(410, "offset-gone", "the messages at this offset were dropped", self.trimmed)
        return offset.position

    def chunk(self, position: int, *, for_event: bool = False) -> Chunk:
        """Take messages after a position, up to the size of a chunk.

        Args:
            position: the position.
            for_event: whether an event carries them: then no character is cut in two.
        """
        messages: list[bytes] = []
        size = 0
        cuts = self.content_type.ends_within_character if for_event else _never
        begin = position
        for entry in self.entries:
            if entry.position <= position:
                continue
            if entry.kind is Kind.END or (size >= _CHUNK and not cuts(messages)):
                break
            if entry.kind is Kind.ITEM:
                if entry.position != position + 1:
                    return Chunk(messages, position, is_broken=True)
                messages.append(entry.frame)
                size += len(entry.frame)
            position = entry.position
        while messages and not self.ends_at(position) and cuts(messages):
            messages.pop()
            position -= 1
        return Chunk(messages, position if messages else max(begin, position))


def _never(messages: Sequence[bytes]) -> bool:
    return False


class Chunk(NamedTuple):
    """Messages that are sent together.

    Attributes:
        messages: their bytes.
        position: that of the last one.
        is_broken: whether the messages after these are lost.
    """

    messages: Sequence[bytes]
    position: int
    is_broken: bool = False


def head(view: View) -> Answer:
    """Answer a request for the state of a stream."""
    headers = [("content-type", view.content_type.text), ("stream-next-offset", view.offset(view.tail))]
    if view.is_closed:
        headers.append(("stream-closed", "true"))
    return Answer(200, [*headers, *view.headers, *view.trimmed, NO_STORE])


def catch_up(read: Read, view: View, chunk: Chunk, begin: int, cache_control: str, now: float) -> Answer:
    """Answer a request that does not wait.

    Args:
        read: the request.
        view: the stream.
        chunk: the messages.
        begin: the position after which they begin.
        cache_control: the header of answers that caches may keep.
        now: the time.
    """
    headers = _headers(view, chunk.position)
    if read.offset == TAIL:
        return Answer(200, [*headers, NO_STORE], view.content_type.join(()))
    ends = view.ends_at(chunk.position)
    # What comes next is unknown at the tail of an open stream, so a cache has to ask.
    is_final = not view.headers and (ends or not view.has_all(chunk.position))
    etag = f'"{view.incarnation}:{begin}:{chunk.position}{":c" if ends else ""}"'
    headers += [("etag", etag), ("cache-control", cache_control if is_final else _ASK)]
    headers.append(("stream-cursor", next_cursor(read.cursor, now)))
    if matches_etag(read.etag, etag):
        return Answer(304, _without_type(headers))
    return Answer(200, [*headers, *view.trimmed], view.content_type.join(chunk.messages))


def long_poll(read: Read, view: View, chunk: Chunk, begin: int, cache_control: str, now: float) -> Answer:
    """Answer a request that has waited; see ``catch_up``."""
    headers = _headers(view, chunk.position)
    headers.append(("stream-cursor", next_cursor(read.cursor, now)))
    if not chunk.messages:
        return Answer(204, [*_without_type(headers), NO_STORE])
    etag = f'"{view.incarnation}:{begin}:{chunk.position}{":c" if view.ends_at(chunk.position) else ""}"'
    # The cursor makes the next request of each client another one for caches.
    headers += [("etag", etag), ("cache-control", _ASK if view.headers else cache_control)]
    return Answer(200, headers, view.content_type.join(chunk.messages))


def event_headers(view: View, position: int) -> list[tuple[str, str]]:
    """The headers of a response that sends events, which begin after a position."""
    headers = [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        # Without this, nginx collects events until a buffer is full.
        ("x-accel-buffering", "no"),
        ("stream-next-offset", view.offset(position)),
    ]
    if view.ends_at(position):
        headers += [("stream-up-to-date", "true"), ("stream-closed", "true")]
    return headers if view.content_type.is_text else [*headers, ("stream-sse-data-encoding", "base64")]


def events(view: View, chunk: Chunk, cursor: str) -> bytes:
    """Encode messages as an event, and another one that says where the client is after it."""
    control: dict[str, object] = {"streamNextOffset": view.offset(chunk.position)}
    if view.has_all(chunk.position):
        control["upToDate"] = True
    if view.ends_at(chunk.position):
        control["streamClosed"] = True
    else:
        control["streamCursor"] = cursor
    data = view.content_type.event(chunk.messages) if chunk.messages else b""
    return data + encode_event("control", dumps(control))


def _headers(view: View, position: int) -> list[tuple[str, str]]:
    headers = [("content-type", view.content_type.text), ("stream-next-offset", view.offset(position))]
    if view.has_all(position):
        headers.append(("stream-up-to-date", "true"))
    if view.ends_at(position):
        headers.append(("stream-closed", "true"))
    return headers


def _without_type(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [header for header in headers if header[0] != "content-type"]

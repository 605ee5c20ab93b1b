"""The end of the input: what a server wrote after its last event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ssejet._core import Decoder
from ssejet.typed._server_reports import error_in, error_of, reported_error

if TYPE_CHECKING:
    from ssejet.errors import APIError

__all__ = ["InputTail"]

# How many bytes are kept.
_MAX_SIZE = 64 * 1024

# Compiled when they are needed: not before the end of a stream. A pattern that begins with one byte finds it
# many times faster than one that begins with a choice.
_JSON = rb"(?:\xef\xbb\xbf)?[ \t]*[{\[]"
_JSON_LINES = (rb"\n" + _JSON, rb"\r" + _JSON)
_LINE_END = rb"\r\n|[\r\n]"


class InputTail:
    """Keeps the last bytes of the input: those after the last event, and the chunk that ended this event.

    Attributes:
        data: these bytes, or the chunks of them; None if there are more than are kept.
    """

    __slots__ = ("_size", "data")

    def __init__(self) -> None:
        self.data: bytes | list[bytes] | None = b""
        self._size = 0

    def restart(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take in a chunk that ends an event, and forget what came before."""
        self.data = bytes(chunk)

    def add(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take in a chunk that ends no event."""
        chunks = self.data
        if chunks is None:
            return
        if not isinstance(chunks, list):
            self._size = len(chunks)
            chunks = self.data = [chunks]
        # Joined only at the end: this runs for each chunk that ends within an event.
        chunks.append(chunk if type(chunk) is bytes else bytes(chunk))
        self._size += len(chunk)
        if self._size > _MAX_SIZE:
            # Comments may go on for hours: only the unfinished line counts.
            tail = b"".join(chunks)
            tail = tail[max(tail.rfind(b"\n"), tail.rfind(b"\r"), 0) :]
            self.data = tail if len(tail) <= _MAX_SIZE else None

    def clear(self) -> None:
        """Free the bytes."""
        self.data = b""

    def error(self, request: Any, *, has_events: bool, is_answer: bool) -> APIError | None:
        """The error at the end of the input that is in no whole event; None if there is none.

        It is an event without its blank line, or JSON without a field's name.

        Args:
            request: the HTTP request, or None.
            has_events: whether the input has any event.
            is_answer: see ``error_of()``.
        """
        data = self.data or b""
        tail = (b"".join(data) if isinstance(data, list) else data)[-_MAX_SIZE:]
        if has_events and (first_end := re.search(_LINE_END, tail)):
            tail = tail[first_end.end() :]  # the first line may have begun in an earlier chunk
        # Most streams end with an event: their lines must not be looked at twice.
        if re.match(_JSON, tail) or any(re.search(pattern, tail) for pattern in _JSON_LINES):
            from ssejet.typed._lines import BodyLines  # rarely needed

            lines = BodyLines(goes_on=True)
            lines.feed(tail)
            lines.finish()
            if lines.found and (payload := error_in(lines.other)) is not None:
                return reported_error(payload, request)
        if not tail or tail.endswith((b"\n\n", b"\r\r", b"\r\n\r\n")):
            return None
        decoder = Decoder(flush_incomplete=True, max_event_size=None)
        decoder.feed(tail)
        errors = (error_of(event, request, is_answer=is_answer) for event in decoder.finish())
        return next(filter(None, errors), None)

"""The oracle: server-sent events decoded as the standard words it, a whole stream at a time.

It follows WHATWG HTML, "Server-sent events", sections "Parsing an event stream" and "Interpreting an event
stream", step by step; what the standard leaves open follows the decisions of the Decoder's documentation.
Nothing here knows of chunks, buffers or speed, so that it can be checked by reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

DIALECTS = ("whatwg", "openai", "anthropic", "httpx-sse", "httpx2")
RETRY_MAX = 2**63 - 1

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(b"\r\n|\n|\r")
_KNOWN_FIELDS = frozenset({b"event", b"data", b"id", b"retry"})


class Event(NamedTuple):
    """One dispatched event, with the members of ``ServerSentEvent``."""

    event: str | None
    data: str
    id: str | None
    retry: int | None


@dataclass(frozen=True)
class Decoded:
    """All that a decoder can be asked after it has read a stream to its end."""

    events: list[Event]
    comments: list[str]
    retry: int | None
    last_event_id: str
    too_large: bool
    before_end: int
    """How many of the events were complete before the end of the input was known."""


def decode(
    stream: bytes,
    *,
    dialect: str = "whatwg",
    max_event_size: int | None = None,
    last_event_id: str = "",
    flush_incomplete: bool = False,
    comments: bool = True,
) -> Decoded:
    """Decode a whole stream.

    ``comments`` says whether comments have a listener. Without one, a comment is not kept in memory, so it
    does not count towards ``max_event_size``.
    """
    # The standard decodes UTF-8 first and splits lines afterwards. Splitting first gives the same lines, as
    # CR and LF are ASCII, and leaves each value with the number of bytes that the size limit asks for.
    *lines, unterminated = _LINE_END.split(stream.removeprefix(_BOM))
    interpreter = _Interpreter(dialect, max_event_size, last_event_id, comments)
    before_end = None
    too_large = False
    try:
        for line in lines:
            interpreter.line(line)
        interpreter.check_size(unterminated)
        before_end = len(interpreter.events)
        if flush_incomplete:
            interpreter.end_of_input(unterminated)
    except _TooLargeError:
        too_large = True
    return Decoded(
        events=interpreter.events,
        comments=interpreter.comments,
        retry=interpreter.reconnection_time,
        last_event_id=_text(interpreter.last_event_id or b""),
        too_large=too_large,
        before_end=len(interpreter.events) if before_end is None else before_end,
    )


class _TooLargeError(Exception):
    pass


@dataclass
class _Block:
    """What the lines since the last blank line have set."""

    event: bytes = b""
    data: list[bytes] = field(default_factory=list)
    id: bytes | None = None
    retry: int | None = None
    has_valid_field: bool = False

    @property
    def size(self) -> int:
        return len(self.event) + len(b"\n".join(self.data)) + len(self.id or b"")


class _Interpreter:
    def __init__(self, dialect: str, max_event_size: int | None, last_event_id: str, comments: bool) -> None:
        self.dialect = dialect
        self.max_event_size = max_event_size
        self.hears_comments = comments
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.reconnection_time: int | None = None
        # None until there is one: the SDKs' dialects tell "no id yet" from "the id was reset to empty".
        self.last_event_id = last_event_id.encode() or None
        self.block = _Block()

    def line(self, line: bytes) -> None:
        self.check_size(line)
        if not line:
            self.blank_line()
        elif line.startswith(b":"):
            if self.hears_comments:
                self.comments.append(_text(line[1:]))
        else:
            self.field(*_field(line))
        self.check_size(unfinished=b"")

    def field(self, name: bytes, value: bytes) -> None:
        block = self.block
        if name == b"event":
            block.event = value
        elif name == b"data":
            block.data.append(value)
        elif name == b"id" and b"\0" not in value:
            block.id = value
        elif name == b"retry" and re.fullmatch(b"[0-9]+", value):
            block.retry = self.reconnection_time = _clamped(value)
        else:
            return
        block.has_valid_field = True

    def blank_line(self) -> None:
        block, self.block = self.block, _Block()
        if block.id is not None:
            self.last_event_id = block.id
        if not self.dispatches(block):
            return
        event: str | None = _text(block.event) or "message"
        id: str | None = _text(self.last_event_id or b"")
        if self.dialect in {"openai", "anthropic"}:
            event = _text(block.event) or None
            id = None if self.last_event_id is None else id
        self.events.append(Event(event, "\n".join(map(_text, block.data)), id, block.retry))

    def dispatches(self, block: _Block) -> bool:
        if self.dialect == "httpx-sse":
            # The id persists, so that each blank line after the first id gives an event, as it does there.
            return bool(block.event or block.data or self.last_event_id or block.retry is not None)
        if self.dialect == "httpx2":
            return block.has_valid_field
        return bool(block.data)

    def end_of_input(self, unterminated: bytes) -> None:
        if unterminated:
            self.line(unterminated)
        if self.block.has_valid_field:
            self.blank_line()

    def check_size(self, unfinished: bytes) -> None:
        """Refuse what could not be held at some moment before the end of the line ``unfinished`` is seen."""
        held = self.block.size + self.held_of(unfinished)
        if self.max_event_size is not None and held > self.max_event_size:
            raise _TooLargeError

    def held_of(self, unfinished: bytes) -> int:
        if unfinished.startswith(b":"):
            return len(unfinished) - 1 if self.hears_comments else 0
        name, value = _field(unfinished)
        if name not in _KNOWN_FIELDS or b":" not in unfinished:
            return 0
        joining_lf = 1 if name == b"data" and self.block.data else 0
        return joining_lf + len(value)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _clamped(digits: bytes) -> int:
    significant = digits.lstrip(b"0")
    # int() refuses thousands of digits; twenty are beyond the maximum already.
    return min(int(significant[:20] or b"0"), RETRY_MAX)

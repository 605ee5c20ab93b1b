"""Finds the lines of a body that do not belong to an event stream."""

from __future__ import annotations

import re
from enum import IntEnum, auto

from ssejet._media_type import BOM

__all__ = ["BodyLines"]

_line_break = re.compile(rb"[\r\n]").search
# A comment, or a field of the standard, whose name ends at a colon or at the end of the line.
_known = re.compile(rb"(?P<COMMENT>:)|(?P<DATA>data(?::|\Z))|(?P<FIELD>(?:event|id|retry)(?::|\Z))").match
# The others are rarely needed, and compiled then.
# The start of JSON or HTML. No event stream begins like this.
_OTHER_START = rb"[ \t\f\v]*[{\[<]"
# A field that the standard ignores. A text about a failure may look the same.
_UNKNOWN_FIELD = rb"[\w.\-]+:"
_TROUBLE = (
    rb"(?i)error|exception|fail|fatal|panic|timeout|timed out|gateway|unavailable|denied|refused|forbidden|"
    rb"unauthori|too many|not found|limit exceeded"
)
_FIELD_NAMES = (b"data", b"event", b"id", b"retry")

# How many bytes of a line decide what it is.
_LONGEST_START = 1024


class _Line(IntEnum):
    """What a line is."""

    BLANK = auto()
    COMMENT = auto()
    DATA = auto()
    FIELD = auto()
    """A field of the standard other than data."""
    IGNORED = auto()
    """Spaces, or a field that is not of the standard."""
    TEXT = auto()
    """Something else. It counts until a comment or a field of the standard follows."""
    OTHER = auto()
    """Something that begins like JSON or HTML. It counts until an event follows."""


class _State(IntEnum):
    """What the lines so far are; the table below has the transitions."""

    START = auto()
    """None of them tells what the body is."""
    TEXT = auto()
    """The last ones are text, and none belongs to an event stream."""
    OTHER = auto()
    """The last ones begin like JSON or HTML, or are text after that, and none belongs to an event stream."""
    STREAM = auto()
    """They belong to an event stream."""
    TEXT_IN_STREAM = auto()
    """Text follows lines of an event stream."""
    OTHER_IN_STREAM = auto()
    """JSON or HTML follows lines of an event stream, perhaps with text after it."""
    STREAM_AFTER_OTHER = auto()
    """Lines of an event stream follow JSON or HTML."""
    EVENT = auto()
    """An event has come, and no more is looked at."""


def _after(stream: _State, text: _State, other: _State) -> dict[_Line, _State]:
    """The states after lines of each kind. Other kinds leave the state as it is."""
    of_a_stream = dict.fromkeys((_Line.COMMENT, _Line.DATA, _Line.FIELD), stream)
    return {**of_a_stream, _Line.TEXT: text, _Line.OTHER: other}


_IN_STREAM = _after(_State.STREAM, _State.TEXT_IN_STREAM, _State.OTHER_IN_STREAM)
_TRANSITIONS: dict[_State, dict[_Line, _State]] = {
    _State.START: _after(_State.STREAM, _State.TEXT, _State.OTHER),
    _State.TEXT: _after(_State.STREAM, _State.TEXT, _State.OTHER),
    _State.OTHER: _after(_State.STREAM_AFTER_OTHER, _State.OTHER, _State.OTHER),
    _State.STREAM: _IN_STREAM,
    _State.TEXT_IN_STREAM: _IN_STREAM,
    _State.OTHER_IN_STREAM: _after(_State.STREAM_AFTER_OTHER, _State.OTHER_IN_STREAM, _State.OTHER_IN_STREAM),
    _State.STREAM_AFTER_OTHER: _after(
        _State.STREAM_AFTER_OTHER, _State.STREAM_AFTER_OTHER, _State.OTHER_IN_STREAM
    ),
}
# Without lines that no event stream has.
_NOTHING_FOUND = frozenset({_State.START, _State.STREAM, _State.EVENT})
_NO_STREAM = frozenset({_State.START, _State.TEXT, _State.OTHER})
_LOOKS_LIKE_OTHER = frozenset({_State.OTHER, _State.OTHER_IN_STREAM})

# What the lines since the last blank line have. Each includes those before it.
_EMPTY, _LINES, _FIELDS, _WITH_DATA = range(4)
_BLOCKS = dict.fromkeys(_Line, _LINES) | {_Line.FIELD: _FIELDS, _Line.DATA: _WITH_DATA}
_HARMLESS = frozenset({_Line.COMMENT, _Line.DATA, _Line.FIELD, _Line.IGNORED})

# Members that are needed often: to read them from their class takes long.
_EVENT = _State.EVENT
_BLANK, _DATA, _IGNORED, _TEXT, _OTHER = _Line.BLANK, _Line.DATA, _Line.IGNORED, _Line.TEXT, _Line.OTHER


class BodyLines:
    """Looks for lines that no event stream has, up to the first event.

    It keeps no lines that belong to an event stream, so a long stream costs no memory.

    Args:
        any_field: whether a block with any field counts as an event. The standard requires data.
        goes_on: whether to go on after an event, and forget that event and what came before it.

    Attributes:
        other: the lines that no event stream has, and the start of a line that may be one.
        held: how many of the last bytes may not belong to an event stream.
        data_held: how many of the last bytes follow the beginning of data that no blank line has ended.
    """

    def __init__(self, *, any_field: bool = False, goes_on: bool = False) -> None:
        self.other: bytearray = bytearray()
        self.held: int = 0
        self.data_held: int = 0
        self._least_event = _FIELDS if any_field else _WITH_DATA
        self._after_event = _State.STREAM if goes_on else _State.EVENT
        self._state = _State.START
        self._block = _EMPTY
        # The block when the first line was found that no event stream has.
        self._found_block = _EMPTY
        # What the unfinished line is, None until that is known; and where in `other` the line begins.
        self._line: _Line | None = None
        self._line_start = 0
        # The line that a CR at the end of the last piece has ended. An LF that comes next belongs to it.
        self._cr_line: _Line | None = None
        # What may stand before the line.
        self._bom = BOM

    @property
    def has_event(self) -> bool:
        """Whether an event has come, and no more is looked at."""
        return self._state is _EVENT

    @property
    def is_stream(self) -> bool:
        """Whether a comment or a field of the standard has come."""
        return self._state not in _NO_STREAM

    @property
    def is_other(self) -> bool:
        """Whether the last lines begin like JSON or HTML."""
        return self._state in _LOOKS_LIKE_OTHER

    @property
    def has_data(self) -> bool:
        """Whether this block has data."""
        return self._block == _WITH_DATA

    @property
    def is_in_block(self) -> bool:
        """Whether the bytes before ``held`` end inside of a block, which no blank line has ended."""
        return (self._found_block if self.found else self._block) != _EMPTY

    @property
    def found(self) -> bool:
        """Whether there are lines that no event stream has, and that still count."""
        return self._state not in _NOTHING_FOUND

    def feed(self, piece: bytes) -> None:
        """Take in a piece of the body."""
        if not piece or self._state is _EVENT:
            return
        position = 0
        if self._cr_line is not None:
            if piece.startswith(b"\n"):
                position = 1
                self._add_line_break(b"\n", self._cr_line)
            self._cr_line = None
        while found := _line_break(piece, position):
            start, end = found.span()
            if piece[start : start + 2] == b"\r\n":
                end += 1
            self._add(piece[position:start])
            line = self._end_line(piece[start:end])
            if self._state is _EVENT:
                return
            position = end
            if end == len(piece) and piece.endswith(b"\r"):
                self._cr_line = line
        self._add(piece[position:])

    def finish(self) -> None:
        """Take in the end of the body. It may cut the name of a field, or the byte order mark."""
        if self._line is not None or len(self.other) == self._line_start:
            return
        line = bytes(self.other[self._line_start :]).removeprefix(self._bom)
        if any(name.startswith(line) for name in (*_FIELD_NAMES, self._bom)):
            del self.other[self._line_start :]
        else:
            self._look(is_whole=True)

    def end_event(self) -> None:
        """Take in that an event has come, and forget the lines before it."""
        self._state = self._after_event
        self._forget()

    def _add(self, part: bytes) -> None:
        """Take in a part of a line."""
        if self.data_held:
            self.data_held += len(part)
        if not part or (self._line in _HARMLESS and not self.found):
            return
        self.held += len(part)
        if self._line in _HARMLESS:
            return
        self.other += part
        if self._line is None:
            self._look(is_whole=False)

    def _end_line(self, line_break: bytes) -> _Line:
        """Take in the end of a line, and return what the line is."""
        if self._line is None:
            self._look(is_whole=True)
        line = self._line
        assert line is not None  # a whole line decides
        self._add_line_break(line_break, line)
        self._line = None
        self._line_start = len(self.other)
        self._bom = b""
        if line is _BLANK:
            if self._block >= self._least_event:
                self.end_event()
            self._block = _EMPTY
            self.data_held = 0
        else:
            self._block = max(self._block, _BLOCKS[line])
        return line

    def _add_line_break(self, line_break: bytes, line: _Line) -> None:
        if self.data_held:
            self.data_held += len(line_break)
        if self.found:
            self.held += len(line_break)
            if line not in _HARMLESS:
                self.other += line_break
                self._line_start = len(self.other)

    def _forget(self) -> None:
        self.other.clear()
        self.held = 0
        self._line_start = 0

    def _look(self, *, is_whole: bool) -> None:
        """Find out what the unfinished line is, if its start is enough."""
        end = self._line_start + _LONGEST_START
        line = self._kind_of(bytes(self.other[self._line_start : end]), is_whole=is_whole)
        self._line = line
        if line is None:
            return
        before = self._state
        state = self._state = _TRANSITIONS[before].get(line, before)
        if line is _TEXT or line is _OTHER:
            if before in _NOTHING_FOUND:
                self._found_block = self._block
            return
        if line is _DATA and not self.data_held:
            self.data_held = len(self.other) - self._line_start
        del self.other[self._line_start :]
        if state in _NOTHING_FOUND:
            self._forget()

    def _kind_of(self, start: bytes, *, is_whole: bool) -> _Line | None:
        """What a line is; None if its start is not enough."""
        if not is_whole and self._bom.startswith(start):
            return None
        start = start.removeprefix(self._bom)
        if not start:
            return _BLANK if is_whole else None
        if known := _known(start):
            is_complete = is_whole or start[known.end() - 1 : known.end()] == b":"
            return _Line[known.lastgroup or ""] if is_complete else None
        is_whole = is_whole or len(start) == _LONGEST_START
        if start.isspace():
            return _IGNORED if is_whole else None
        if re.match(_OTHER_START, start):
            return _OTHER
        if not is_whole:
            return None
        is_ignored = self.is_stream and re.match(_UNKNOWN_FIELD, start) and not re.search(_TROUBLE, start)
        return _IGNORED if is_ignored else _TEXT

"""Finds the lines of a body that do not belong to an event stream."""

from __future__ import annotations

import re
from enum import Enum, auto

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


class _Line(Enum):
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


_OF_A_STREAM = frozenset({_Line.COMMENT, _Line.DATA, _Line.FIELD})
_HARMLESS = _OF_A_STREAM | {_Line.IGNORED}


class BodyLines:
    """Looks for lines that no event stream has, up to the first event.

    It keeps no lines that belong to an event stream, so a long stream costs no memory.

    Args:
        any_field: whether a block with any field counts as an event. The standard requires data.
        goes_on: whether to go on after an event, and forget what came before it.

    Attributes:
        has_event: whether an event has come.
        is_stream: whether a comment or a field of the standard has come.
        is_other: whether the last lines begin like JSON or HTML.
        other: the lines that no event stream has, and the start of a line that may be one.
        held: how many of the last bytes may not belong to an event stream.
        data_held: how many of the last bytes follow the beginning of data that no blank line has ended.
        is_in_block: whether the bytes before ``held`` end inside of a block, which no blank line has ended.
        has_data: whether this block has data.
    """

    def __init__(self, *, any_field: bool = False, goes_on: bool = False) -> None:
        self.has_event: bool = False
        self.is_stream: bool = False
        self.is_other: bool = False
        self.other: bytearray = bytearray()
        self.held: int = 0
        self.data_held: int = 0
        self.is_in_block: bool = False
        self.has_data: bool = False
        self._any_field = any_field
        self._goes_on = goes_on
        self._has_field = False
        # The lines that no event stream has: OTHER if one of them is, else TEXT; None if there are none.
        self._found: _Line | None = None
        # What the unfinished line is, None until that is known; and where in `other` the line begins.
        self._line: _Line | None = None
        self._line_start = 0
        self._is_first_line = True
        # Whether the last piece ended with a CR. An LF that comes next belongs to that line break and line.
        self._open_cr = False
        self._last_line: _Line | None = None

    @property
    def found(self) -> bool:
        """Whether there are lines that no event stream has, and that still count."""
        return self._found is not None

    def feed(self, piece: bytes) -> None:
        """Take in a piece of the body."""
        if not piece or (self.has_event and not self._goes_on):
            return
        position = 0
        if self._open_cr:
            self._open_cr = False
            if piece.startswith(b"\n"):
                position = 1
                self._add_line_break(b"\n", self._last_line)
        while found := _line_break(piece, position):
            start, end = found.span()
            if piece[start : start + 2] == b"\r\n":
                end += 1
            elif end == len(piece):
                self._open_cr = piece.endswith(b"\r")
            self._add(piece[position:start])
            self._end_line(piece[start:end])
            if self.has_event and not self._goes_on:
                return
            position = end
        self._add(piece[position:])

    def finish(self) -> None:
        """Take in the end of the body. It may cut the name of a field, or the byte order mark."""
        if self._line is not None or len(self.other) == self._line_start:
            return
        line = bytes(self.other[self._line_start :])
        names: tuple[bytes, ...] = _FIELD_NAMES
        if self._is_first_line:
            line = line.removeprefix(BOM)
            names = (*names, BOM)
        if any(name.startswith(line) for name in names):
            del self.other[self._line_start :]
        else:
            self._look(is_whole=True)

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

    def _end_line(self, line_break: bytes) -> None:
        if self._line is None:
            self._look(is_whole=True)
        line = self._line
        self._add_line_break(line_break, line)
        self._line, self._last_line = None, line
        self._line_start = len(self.other)
        self._is_first_line = False
        if line is _Line.BLANK:
            if self.has_data or (self._any_field and self._has_field):
                self._end_event()
            self.has_data = self._has_field = False
            self.data_held = 0
            self.is_in_block = self.is_in_block and self.found
        else:
            self.has_data |= line is _Line.DATA
            self._has_field |= line in (_Line.DATA, _Line.FIELD)
            self.is_in_block |= not self.found

    def _add_line_break(self, line_break: bytes, line: _Line | None) -> None:
        if self.data_held:
            self.data_held += len(line_break)
        if self.found:
            self.held += len(line_break)
            if line not in _HARMLESS:
                self.other += line_break
                self._line_start = len(self.other)

    def _end_event(self) -> None:
        self.has_event = True
        self.is_other = False
        self._forget()

    def _forget(self) -> None:
        self._found = None
        self.other.clear()
        self.held = 0
        self._line_start = 0

    def _look(self, *, is_whole: bool) -> None:
        """Find out what the unfinished line is, if its start is enough."""
        end = self._line_start + _LONGEST_START
        line = self._kind_of(bytes(self.other[self._line_start : end]), is_whole=is_whole)
        self._line = line
        if line in (_Line.TEXT, _Line.OTHER):
            self._found = _Line.OTHER if _Line.OTHER in (line, self._found) else _Line.TEXT
            self.is_other |= line is _Line.OTHER
        elif line is not None:
            if line is _Line.DATA and not self.data_held:
                self.data_held = len(self.other) - self._line_start
            del self.other[self._line_start :]
            if line in _OF_A_STREAM:
                self.is_stream = True
                self.is_other = False
            if self._found is None or (self._found is _Line.TEXT and line in _OF_A_STREAM):
                self._forget()

    def _kind_of(self, start: bytes, *, is_whole: bool) -> _Line | None:
        """What a line is; None if its start is not enough."""
        if self._is_first_line:
            if not is_whole and BOM.startswith(start):
                return None
            start = start.removeprefix(BOM)
        if not start:
            return _Line.BLANK if is_whole else None
        if known := _known(start):
            is_complete = is_whole or start[known.end() - 1 : known.end()] == b":"
            return _Line[known.lastgroup or ""] if is_complete else None
        is_whole = is_whole or len(start) == _LONGEST_START
        if start.isspace():
            return _Line.IGNORED if is_whole else None
        if re.match(_OTHER_START, start):
            return _Line.OTHER
        if not is_whole:
            return None
        is_ignored = self.is_stream and re.match(_UNKNOWN_FIELD, start) and not re.search(_TROUBLE, start)
        return _Line.IGNORED if is_ignored else _Line.TEXT

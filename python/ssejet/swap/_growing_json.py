"""Parses JSON texts that grow piece by piece, with the values that jiter gives in its partial mode."""

from __future__ import annotations

import re
from typing import Any

from jiter import from_json

from ssejet._answers.text import PartialJSON

__all__ = ["GrowingJSON"]

# What a string consists of. The second half of a surrogate pair belongs to the first.
_match_units = re.compile(
    r"(?:[^\\]+|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})*"
).match


class GrowingJSON:
    """A JSON text that grows.

    Attributes:
        pieces: what it consists of.
    """

    __slots__ = ("_escape", "_has_bad_escape", "_partial", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._partial = PartialJSON()
        # The unfinished escape at the end of an unfinished string.
        self._escape = ""
        self._has_bad_escape = False

    @property
    def length(self) -> int:
        """The number of its characters."""
        return self._partial.length

    @property
    def open_items(self) -> int:
        """How many items the unfinished objects and lists have. Each value has copies of these."""
        return self._partial.open_items

    @property
    def is_partial(self) -> bool:
        """Whether it is valid so far, and its end is missing."""
        return not (self._has_bad_escape or self._partial.broken or self._partial.complete)

    def add(self, piece: str) -> None:
        """Add a piece."""
        self.pieces.append(piece)
        partial = self._partial
        before = partial.unfinished_string
        read = 0 if before is None else len(before)
        partial.feed(piece)
        string = partial.unfinished_string
        escape, self._escape = self._escape, ""
        if string is not None:  # PartialJSON checks finished strings
            new = escape + "".join(string[read:]) if string is before else "".join(string)
            if "\\" in new:
                self._check_escapes(new)

    def value(self) -> Any:
        """Give the value so far; None if there is none, or if jiter itself must parse the text."""
        return None if self._has_bad_escape or self._partial.broken else self._partial.value()

    def value_at(self, length: int) -> Any:
        """Give the value that the text had when it was this long and partial."""
        if length == self.length:
            return self.value()
        return from_json("".join(self.pieces)[:length].encode(), partial_mode=True)

    def _check_escapes(self, new: str) -> None:
        """Check the escapes in the new end of a string: jiter rejects invalid ones even there."""
        try:
            from_json(f'["{new}'.encode(), partial_mode=True)
        except ValueError:
            self._has_bad_escape = True
        units = _match_units(new)
        self._escape = new[units.end() :] if units else new

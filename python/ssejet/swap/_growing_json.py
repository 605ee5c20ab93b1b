"""Parses JSON texts that grow piece by piece, with the values that jiter gives in its partial mode."""

from __future__ import annotations

from typing import Any

from jiter import from_json

from ssejet._answers.text import PartialJSON

__all__ = ["GrowingJSON"]

_MAX_ESCAPE_LENGTH = len(r"\ud83d\ude00")


class GrowingJSON:
    """A JSON text that grows.

    Attributes:
        pieces: what it consists of.
    """

    __slots__ = ("_end", "_partial", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._partial = PartialJSON()
        self._end = ""

    @property
    def length(self) -> int:
        """The number of its characters."""
        return self._partial.length

    def add(self, piece: str) -> None:
        """Add a piece."""
        self.pieces.append(piece)
        self._partial.feed(piece)
        self._end = (self._end + piece)[-_MAX_ESCAPE_LENGTH - len(piece) :]

    def value(self) -> Any:
        """Give the value so far; None if there is none, or if jiter itself must parse the text."""
        if self._partial.broken:
            return None
        if "\\" in self._end:
            try:  # jiter rejects an invalid escape even in an unfinished string
                return from_json("".join(self.pieces).encode(), partial_mode=True)
            except ValueError:
                return None
        return self._partial.value()

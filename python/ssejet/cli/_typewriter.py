"""Printing text piece by piece, as a model sends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len

from ssejet.cli._console import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Typewriter"]

_WIDEST = 84
_MARGIN = 12


class Typewriter:
    """Prints pieces of text at once, and on a terminal breaks the lines between words.

    Nothing printed is ever moved: a line ends at the first space of its last columns, so that the word which
    follows has room, however many pieces it comes in.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # A pipe gets the text as it is.
        self._turn = min(console.width, _WIDEST) - _MARGIN if console.is_terminal else None
        self._column = 0

    def write(self, text: str) -> None:
        """Print a piece."""
        for part in re.split(r"( |\n)", printable(text)):
            if part == " " and self._turn is not None and self._column >= self._turn:
                part = "\n"
            self._column = 0 if part == "\n" else self._column + cell_len(part)
            self._console.out(part, end="", highlight=False)

    def end(self) -> None:
        """End the last line."""
        if self._column:
            self.write("\n")

"""Prints text piece by piece, as a model sends it."""

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
    """Prints pieces of text as they arrive, and on a terminal breaks lines between words.

    Printed text never moves: a line ends at the first space in its last columns, so the next word fits,
    however many pieces it arrives in.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # In a pipe, the text stays as it is.
        self._break_after = min(console.width, _WIDEST) - _MARGIN if console.is_terminal else None
        self._column = 0

    def write(self, text: str) -> None:
        """Print a piece."""
        for part in re.split(r"( |\n)", printable(text)):
            if part == " " and self._break_after is not None and self._column >= self._break_after:
                part = "\n"
            self._column = 0 if part == "\n" else self._column + cell_len(part)
            self._console.out(part, end="", highlight=False)

    def end(self) -> None:
        """End the last line."""
        if self._column:
            self.write("\n")

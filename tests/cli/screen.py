"""A terminal's screen, as far as the command makes use of it."""

from __future__ import annotations

import re

_PARTS = re.compile(r"\x1b\[(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """Takes in what is written, and has the lines that are to be seen then; no line is ever scrolled away."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = 0
        self._column = 0
        self.wiped = 0

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._lines).rstrip()

    def write(self, text: str) -> None:
        # Colours are not of interest here.
        for number, code, end, plain in _PARTS.findall(re.sub(r"\x1b\[[\d;]*m", "", text)):
            if plain:
                line = self._lines[self._row].ljust(self._column)
                self._lines[self._row] = line[: self._column] + plain + line[self._column + len(plain) :]
                self._column += len(plain)
            elif end == "\r":
                self._column = 0
            elif end == "\n":
                self._row += 1
                self._column = 0
                if self._row == len(self._lines):
                    self._lines.append("")
            elif code == "A":
                self._row -= int(number or 1)
                assert self._row >= 0
            elif code == "K":
                assert number == "2"
                self._lines[self._row] = ""
                self.wiped += 1
            else:
                raise AssertionError(f"an unexpected control sequence: {number}{code}")

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return True

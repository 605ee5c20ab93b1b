"""Renders Markdown on a terminal while it arrives; a piece costs the same however long the text is."""

from __future__ import annotations

import operator
import re
import threading
from collections import deque
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from pygments.token import Comment, Keyword, Name, Number, String  # type: ignore[import-untyped]
from rich.control import Control
from rich.markdown import Markdown
from rich.segment import ControlType, Segment, SegmentLines
from rich.spinner import Spinner
from rich.style import Style
from rich.syntax import ANSISyntaxTheme
from rich.text import Text

from ssejet.cli._console import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Blocks", "MarkdownWriter"]

_WIDEST = 100
_SECONDS_BETWEEN_FRAMES = 0.08

# A block of more characters than _SMALL is parsed again only when it has grown by 1/_GROWTH.
_SMALL = 4096
_GROWTH = 8

# Colours that are readable on white and on black.
_CODE_THEME: Any = ANSISyntaxTheme(
    {
        Comment: Style(dim=True),
        Keyword: Style(color="magenta"),
        Name.Function: Style(color="cyan"),
        Name.Class: Style(color="cyan"),
        Number: Style(color="magenta"),
        String: Style(color="green"),
    }
)

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


class Blocks:
    """Splits Markdown into its blocks (paragraphs, lists, code, …) as it arrives.

    A block is finished when the next one begins: later text cannot change it.

    Attributes:
        rest: the text of the unfinished block.
    """

    def __init__(self) -> None:
        self.rest = ""
        self._next_parse = 0
        self._searched = 0
        # Only the blocks matter, not what is inside their lines.
        self._parser = MarkdownIt().enable("table").disable("inline")

    def add(self, text: str) -> list[str]:
        """Add a piece, and return the blocks that it finishes."""
        self.rest += text
        if len(self.rest) < self._next_parse or self._in_open_fence():
            return []
        # The last line waits for its end, which may change its meaning: `#` is a heading, `#1` is not.
        lines = self.rest[: self.rest.rfind("\n") + 1].splitlines(keepends=True)
        tokens = self._parser.parse("".join(lines))
        starts = [token.map[0] for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]
        if len(starts) < 2:
            size = len(self.rest)
            self._next_parse = size + size // _GROWTH if size > _SMALL else 0
            return []
        cuts = [0, *starts[1:]]
        blocks = ["".join(lines[start:end]) for start, end in pairwise(cuts)]
        self.rest = self.rest[sum(map(len, blocks)) :]
        self._next_parse = self._searched = 0
        return blocks

    def tail(self, size: int) -> str:
        """Return about the last ``size`` characters of the unfinished block, as complete Markdown."""
        if len(self.rest) <= size:
            return self.rest
        start = max(self.rest.find("\n", -size), self.rest.find(" ", -size) if "\n" not in self.rest else -1)
        tail = self.rest[start + 1 :] if start >= 0 else self.rest[-size:]
        opening = self.rest.lstrip("\n").partition("\n")[0]
        return f"{opening}\n{tail}" if _FENCE.match(opening) else tail

    def _in_open_fence(self) -> bool:
        """Whether the block is fenced code without an end yet; searches each line only once."""
        opening = _FENCE.match(self.rest.lstrip("\n"))
        if opening is None:
            return False
        start = self._searched or self.rest.find("\n")
        end = self.rest.rfind("\n")
        if start < 0 or end < 0:
            return True
        closing = re.compile(rf"^ {{0,3}}{opening[1][0]}{{{len(opening[1])},}}[ \t]*$", re.MULTILINE)
        if closing.search(self.rest, start + 1, end):
            return False
        self._searched = end
        return True


class MarkdownWriter:
    """Prints Markdown as it arrives: finished blocks once, the unfinished one again when it changes.

    A thread draws the frames, so that the last text appears even when no more arrives. Each frame is one
    write and rewrites only the lines that changed, so nothing flickers. rich's ``Live`` erases and writes
    all its lines in every frame.

    Args:
        console: a console on a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._blocks = Blocks()
        self._incoming: deque[tuple[str, str]] = deque()
        self._style = "none"
        self._is_first = True
        self._shown: list[list[Segment]] = []
        self._spinner: Spinner | None = Spinner("dots", style="dim")
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._draw_frames, name="ssejet-markdown", daemon=True)
        self._thread.start()

    def write(self, text: str, style: str = "none") -> None:
        """Print a piece. A change of style begins a new block."""
        self._incoming.append((text, style))

    def end(self) -> None:
        """Print the rest.

        Raises:
            OSError: writing to the terminal failed.
        """
        self._ending.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        self._spinner = None
        self._draw([*self._add_incoming(), *self._finish()], [])

    def _draw_frames(self) -> None:
        try:
            while not self._ending.wait(_SECONDS_BETWEEN_FRAMES):
                if self._incoming or self._spinner is not None:
                    self._draw(self._add_incoming(), self._unfinished())
        except Exception as error:  # end() raises it
            self._failure = error

    def _draw(self, finished: list[list[Segment]], unfinished: list[list[Segment]]) -> None:
        """Replace the lines on the screen. The finished ones stay; the unfinished ones can be replaced."""
        lines = finished + unfinished
        same = sum(1 for _ in takewhile(operator.truth, map(operator.eq, self._shown, lines)))
        # The terminal may have echoed a key, such as ^C, on the cursor's line.
        wipe_line = (ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
        wipe_above = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
        with self._console:
            self._console.control(Control(*wipe_line, *wipe_above * (len(self._shown) - same)))
            self._console.print(SegmentLines(lines[same:], new_lines=True), end="")
        self._shown = unfinished

    def _add_incoming(self) -> list[list[Segment]]:
        """Add the pieces that have arrived, and return the lines of the blocks that they finish."""
        lines = []
        while self._incoming:
            text, style = self._incoming.popleft()
            if style != self._style:
                lines += self._finish()
                self._style = style
            for block in self._blocks.add(printable(text.replace("\r", ""))):
                lines += self._render_spaced(block)
                self._is_first = self._is_first and not lines
        return lines

    def _finish(self) -> list[list[Segment]]:
        lines = self._render_spaced(self._blocks.rest)
        self._is_first = self._is_first and not lines
        self._blocks = Blocks()
        return lines

    def _unfinished(self) -> list[list[Segment]]:
        # No more than fits on the screen: lines that have scrolled away cannot be replaced.
        rows = max(1, self._console.height - 2)
        lines = self._render_spaced(self._blocks.tail(rows * self._console.width))[-rows:]
        if lines or not self._is_first:
            self._spinner = None
        return lines if self._spinner is None else self._console.render_lines(self._spinner, pad=False)

    def _render_spaced(self, source: str) -> list[list[Segment]]:
        """Render a block, after a blank line if it is not the first."""
        lines = self._render(source)
        return [[], *lines] if lines and not self._is_first else lines

    def _render(self, source: str) -> list[list[Segment]]:
        """Render a block, without blank lines around it."""
        options = self._console.options.update(width=min(self._console.width, _WIDEST))
        # Links show their address, because a label can claim anything.
        markdown = Markdown(source, style=self._style, code_theme=_CODE_THEME, hyperlinks=False)
        try:
            lines = self._console.render_lines(markdown, options, pad=False)
        except Exception:  # a model can write anything, and the renderer may fail on it
            lines = self._console.render_lines(Text(source, self._style), options, pad=False)
        lines = [_without_trailing_space(line) for line in lines]
        while lines and not lines[0]:
            del lines[0]
        while lines and not lines[-1]:
            del lines[-1]
        return lines


def _without_trailing_space(line: list[Segment]) -> list[Segment]:
    """Strip a line's trailing spaces, so that it can be copied."""
    while line and not line[-1].text.rstrip():
        line = line[:-1]
    if line:
        text, style, control = line[-1]
        line = [*line[:-1], Segment(text.rstrip(), style, control)]
    return line

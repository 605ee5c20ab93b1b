"""Markdown on a terminal while it is being written, at a cost that does not grow with its length."""

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

# A block that is larger is not parsed again before it has grown by this part: characters, and 1/n.
_SMALL = 4096
_GROWTH = 8

# Colours that can be read on white as well as on black, as everywhere else.
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
    """Cuts Markdown into its blocks (paragraphs, lists, code, …) as it comes.

    A block is finished once another has begun: what follows cannot change it any more.

    Attributes:
        rest: the text that is not finished.
    """

    def __init__(self) -> None:
        self.rest = ""
        self._next_look = 0
        self._looked_until = 0
        # Only blocks matter here, not what is in their lines.
        self._parser = MarkdownIt().enable("table").disable("inline")

    def add(self, text: str) -> list[str]:
        """Take in a piece, and return the blocks that are finished."""
        self.rest += text
        if len(self.rest) < self._next_look or self._in_open_fence():
            return []
        # An unfinished line may come to mean something else: `#` is a heading, `#1` is not.
        lines = self.rest[: self.rest.rfind("\n") + 1].splitlines(keepends=True)
        tokens = self._parser.parse("".join(lines))
        starts = [token.map[0] for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]
        if len(starts) < 2:
            size = len(self.rest)
            self._next_look = size + size // _GROWTH if size > _SMALL else 0
            return []
        cuts = [0, *starts[1:]]
        blocks = ["".join(lines[start:end]) for start, end in pairwise(cuts)]
        self.rest = self.rest[sum(map(len, blocks)) :]
        self._next_look = self._looked_until = 0
        return blocks

    def tail(self, size: int) -> str:
        """About the last ``size`` characters of the unfinished text, as Markdown of its own."""
        if len(self.rest) <= size:
            return self.rest
        start = max(self.rest.find("\n", -size), self.rest.find(" ", -size) if "\n" not in self.rest else -1)
        tail = self.rest[start + 1 :] if start >= 0 else self.rest[-size:]
        opening = self.rest.lstrip("\n").partition("\n")[0]
        return f"{opening}\n{tail}" if _FENCE.match(opening) else tail

    def _in_open_fence(self) -> bool:
        """Whether this is code whose end has not come, seen without looking at a line twice."""
        opening = _FENCE.match(self.rest.lstrip("\n"))
        if opening is None:
            return False
        start = self._looked_until or self.rest.find("\n")
        end = self.rest.rfind("\n")
        if start < 0 or end < 0:
            return True
        closing = re.compile(rf"^ {{0,3}}{opening[1][0]}{{{len(opening[1])},}}[ \t]*$", re.MULTILINE)
        if closing.search(self.rest, start + 1, end):
            return False
        self._looked_until = end
        return True


class MarkdownWriter:
    """Prints Markdown as it comes: finished blocks for good, and the last one anew when it changes.

    A thread of its own paints, so that text shows at once also when nothing follows for a while. A frame is
    one write, and leaves the lines alone that are as they were, so that nothing flickers.

    Args:
        console: on a terminal.
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
        self._painter = threading.Thread(target=self._paint_frames, name="ssejet-painter", daemon=True)
        self._painter.start()

    def write(self, text: str, style: str = "none") -> None:
        """Print a piece; one in another style begins a new block."""
        self._incoming.append((text, style))

    def end(self) -> None:
        """Print what is left.

        Raises:
            OSError: printing failed.
        """
        self._ending.set()
        self._painter.join()
        if self._failure is not None:
            raise self._failure
        self._spinner = None
        self._paint([*self._take_in(), *self._finish()], [])

    def _paint_frames(self) -> None:
        try:
            while not self._ending.wait(_SECONDS_BETWEEN_FRAMES):
                if self._incoming or self._spinner is not None:
                    self._paint(self._take_in(), self._unfinished())
        except Exception as error:  # it is the writer's to raise
            self._failure = error

    def _paint(self, finished: list[list[Segment]], unfinished: list[list[Segment]]) -> None:
        """Replace the lines shown by these, of which the finished ones stay for good."""
        lines = finished + unfinished
        same = sum(1 for _ in takewhile(operator.truth, map(operator.eq, self._shown, lines)))
        # The terminal may have echoed a key, such as ^C, in the line below.
        wipe_line = (ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
        wipe_above = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
        with self._console:
            self._console.control(Control(*wipe_line, *wipe_above * (len(self._shown) - same)))
            self._console.print(SegmentLines(lines[same:], new_lines=True), end="")
        self._shown = unfinished

    def _take_in(self) -> list[list[Segment]]:
        """Take in what has come, and return the lines of what that finishes."""
        lines = []
        while self._incoming:
            text, style = self._incoming.popleft()
            if style != self._style:
                lines += self._finish()
                self._style = style
            for block in self._blocks.add(printable(text.replace("\r", ""))):
                lines += self._space(block)
                self._is_first = self._is_first and not lines
        return lines

    def _finish(self) -> list[list[Segment]]:
        lines = self._space(self._blocks.rest)
        self._is_first = self._is_first and not lines
        self._blocks = Blocks()
        return lines

    def _unfinished(self) -> list[list[Segment]]:
        # No more than fits: what scrolls out of sight cannot be taken back.
        rows = max(1, self._console.height - 2)
        lines = self._space(self._blocks.tail(rows * self._console.width))[-rows:]
        if lines or not self._is_first:
            self._spinner = None
        return lines if self._spinner is None else self._console.render_lines(self._spinner, pad=False)

    def _space(self, source: str) -> list[list[Segment]]:
        """The lines of a block, and the one that sets it off from what precedes it."""
        lines = self._render(source)
        return [[], *lines] if lines and not self._is_first else lines

    def _render(self, source: str) -> list[list[Segment]]:
        """The lines of a block, without what is blank around it."""
        options = self._console.options.update(width=min(self._console.width, _WIDEST))
        # The addresses of links are shown: a label can claim anything.
        markdown = Markdown(source, style=self._style, code_theme=_CODE_THEME, hyperlinks=False)
        try:
            lines = self._console.render_lines(markdown, options, pad=False)
        except Exception:  # what a model may write is without bounds, and no renderer without faults
            lines = self._console.render_lines(Text(source, self._style), options, pad=False)
        lines = [_without_trailing_space(line) for line in lines]
        while lines and not lines[0]:
            del lines[0]
        while lines and not lines[-1]:
            del lines[-1]
        return lines


def _without_trailing_space(line: list[Segment]) -> list[Segment]:
    """The line as one would want to copy it."""
    while line and not line[-1].text.rstrip():
        line = line[:-1]
    if line:
        text, style, control = line[-1]
        line = [*line[:-1], Segment(text.rstrip(), style, control)]
    return line

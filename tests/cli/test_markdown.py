from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console
from screen import Screen

from ssejet.cli import _markdown
from ssejet.cli._markdown import Blocks, MarkdownWriter

FRAGMENTS = [
    "# Head\n",
    "word ",
    "#1 ",
    "\n",
    "\n\n",
    "- item\n",
    "  - inner\n",
    "1. one\n",
    "```\n",
    "````\n",
    "~~~\n",
    "```python\n",
    "code()\n",
    "    indented\n",
    "| a | b |\n",
    "|---|---|\n",
    "> quote\n",
    "---\n",
    "===\n",
    "<div>\n",
    "</div>\n",
    "`code` **bold** é 漢 🚀\n",
]

documents = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(edges)]


def kinds(text: str) -> list[str]:
    """The types of the blocks in a text."""
    tokens = MarkdownIt().enable("table").parse(text)
    return [token.type for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]


@given(documents, st.lists(st.integers(0, 1000), max_size=20))
@example("a\n#", [1, 2])
@example("- a\n\n      code\n\npara\n", list(range(30)))
def test_blocks_are_those_of_the_whole_text_however_it_is_cut(text: str, places: list[int]) -> None:
    blocks = Blocks()
    finished = [block for piece in cut(text, places) for block in blocks.add(piece)]
    assert "".join(finished) + blocks.rest == text
    assert [kind for block in [*finished, blocks.rest] for kind in kinds(block)] == kinds(text)
    assert all(len(kinds(block)) == 1 for block in finished)


def test_a_block_is_finished_when_another_begins() -> None:
    blocks = Blocks()
    assert blocks.add("one\n\n") == []
    assert blocks.add("#") == []
    assert blocks.add("1 is no heading\n") == ["one\n\n"]
    assert blocks.add("\n- a\n- b\n\n# Head\n") == ["#1 is no heading\n\n", "- a\n- b\n\n"]
    assert blocks.rest == "# Head\n"


def test_the_end_of_long_code_is_seen_at_once() -> None:
    blocks = Blocks()
    code = "```\n" + "code()\n" * 10_000
    assert blocks.add(code) == []
    assert blocks.add("```\nend\n") == [code + "```\n"]


def test_a_fence_inside_code_that_is_shorter_does_not_end_it() -> None:
    blocks = Blocks()
    assert blocks.add("````\n```\n# code\n```\n") == []
    assert blocks.add("````\nend\n") == ["````\n```\n# code\n```\n````\n"]


@pytest.mark.parametrize("line", ["- item\n", "code\n", "| a | b |\n", "word "])
@pytest.mark.parametrize("opening", ["", "```\n"])
def test_what_is_parsed_does_not_grow_with_the_square_of_a_block(
    line: str, opening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = 0
    parse = MarkdownIt.parse

    def counting(self: MarkdownIt, text: str, env: Any = None) -> Any:
        nonlocal parsed
        parsed += len(text)
        return parse(self, text, env)

    monkeypatch.setattr(MarkdownIt, "parse", counting)
    monkeypatch.setattr(_markdown, "_SMALL", 64)
    blocks = Blocks()
    blocks.add(opening)
    for _ in range(1000):
        blocks.add(line)
    assert parsed < 20 * len(blocks.rest)


def test_the_tail_of_code_is_code() -> None:
    blocks = Blocks()
    blocks.add("```c\n" + "int x;\n" * 100)
    assert blocks.tail(20) == "```c\nint x;\nint x;\n"
    assert blocks.tail(10_000) == blocks.rest


def test_the_tail_begins_with_a_line_or_a_word() -> None:
    blocks = Blocks()
    blocks.add("some words and more words")
    assert blocks.tail(12) == "more words"
    blocks.add("x" * 100)
    assert blocks.tail(12) == "x" * 12


def console_on(screen: Any, *, height: int = 24) -> Console:
    return Console(file=screen, force_terminal=True, width=60, height=height, color_system=None)


def written(pieces: list[str], **size: int) -> Screen:
    screen = Screen()
    writer = MarkdownWriter(console_on(screen, **size))
    for piece in pieces:
        writer.write(piece)
    writer.end()
    return screen


@given(documents, st.lists(st.integers(0, 1000), max_size=20))
def test_the_screen_shows_the_same_in_the_end_however_the_text_is_cut(text: str, places: list[int]) -> None:
    assert written(cut(text, places)).text == written([text]).text


class DrawnAtOnce(MarkdownWriter):
    """A writer that draws a frame for each piece, in the caller's thread."""

    def _draw_frames(self) -> None:
        pass

    def write(self, text: str, style: str = "none") -> None:
        super().write(text, style)
        self._draw(self._add_incoming(), self._unfinished())


@given(documents, st.lists(st.integers(0, 1000), max_size=20))
@example("```\n" + "code()\n" * 40 + "```\n\nend\n", list(range(0, 1000, 7)))
def test_no_frame_leaves_anything_behind(text: str, places: list[int]) -> None:
    screen = Screen()
    writer = DrawnAtOnce(console_on(screen, height=8))
    for piece in cut(text, places):
        writer.write(piece)
    writer.end()
    assert screen.text == written([text]).text


def test_lines_that_stay_the_same_are_not_written_again() -> None:
    screen = Screen()
    writer = DrawnAtOnce(console_on(screen))
    writer.write("- a\n- b\n- c\n")
    before = screen.wiped
    writer.write("- d\n")
    # The line of the cursor alone.
    assert screen.wiped == before + 1
    writer.end()
    assert screen.text == " • a\n • b\n • c\n • d"


def test_reasoning_and_answer_are_blocks_of_their_own() -> None:
    screen = Screen()
    writer = MarkdownWriter(console_on(screen))
    writer.write("thinking", "dim")
    writer.write("about it", "dim")
    writer.write("answer")
    writer.end()
    assert screen.text == "thinkingabout it\n\nanswer"


def test_what_the_renderer_cannot_do_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(_markdown.Markdown, "__rich_console__", fail)
    assert written(["*a*\n\n# b\n"]).text == "*a*\n\n# b"


def test_a_failure_of_the_terminal_is_raised_at_the_end() -> None:
    class Gone(Screen):
        def write(self, text: str) -> None:
            raise OSError("gone")

    writer = MarkdownWriter(console_on(Gone()))
    writer._thread.join(200)
    with pytest.raises(OSError, match="gone"):
        writer.end()

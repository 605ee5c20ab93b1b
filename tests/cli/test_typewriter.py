from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from ssejet.cli._typewriter import Typewriter

TEXT = "a stream is only a loop which reads bytes and yields events until nothing more comes"
WORDS = TEXT.split()


def typed(pieces: list[str], *, width: int = 40, terminal: bool = True) -> str:
    output = io.StringIO()
    typewriter = Typewriter(Console(file=output, width=width, force_terminal=terminal, color_system=None))
    for piece in pieces:
        typewriter.write(piece)
    typewriter.end()
    return output.getvalue()


def test_lines_end_between_words() -> None:
    lines = typed([TEXT]).splitlines()
    assert len(lines) > 1
    assert " ".join(lines).split() == WORDS
    assert max(map(cell_len, lines)) <= 40


@given(st.data())
def test_lines_end_at_the_same_places_however_the_text_is_cut(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(TEXT)), max_size=30)))
    pieces = [TEXT[start:end] for start, end in zip([0, *cuts], [*cuts, len(TEXT)], strict=True)]
    assert typed(pieces) == typed([TEXT])


def test_wide_characters_count_twice() -> None:
    assert max(map(cell_len, typed(["漢字漢字 " * 12]).splitlines())) <= 40


def test_the_text_itself_starts_a_line_over() -> None:
    assert typed(["one\n", "two three"]) == "one\ntwo three\n"


def test_a_pipe_gets_the_text_unbroken() -> None:
    assert typed([TEXT], terminal=False) == f"{TEXT}\n"


@pytest.mark.parametrize("width", [1, 5, 12, 13])
def test_a_very_narrow_terminal_is_no_error(width: int) -> None:
    assert typed(["one two three"], width=width).split() == ["one", "two", "three"]


def test_control_characters_are_shown_not_obeyed() -> None:
    assert typed(["\x1b[2J"]) == "\\u001b[2J\n"

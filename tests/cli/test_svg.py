from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ssejet.cli._svg import DARK, LIGHT, Picture, Theme

SVG = "{http://www.w3.org/2000/svg}"


def test_texts_and_titles_are_those_that_were_given() -> None:
    title = """<a> & "b" & 'c'"""
    picture = Picture(title, 10, 10)
    picture.text(1, 2, (title, "title"), ("</text>", "small"))
    picture.line(0, 0, 1, 1, "rule", tooltip=title)
    root = ElementTree.fromstring(str(picture))
    assert root.attrib["aria-label"] == title
    assert ["".join(text.itertext()) for text in root.iter(f"{SVG}text")] == [f"{title} </text>"]
    assert [tooltip.text for tooltip in root.iter(f"{SVG}title")] == [title]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_a_picture_for_one_theme_has_its_colours_and_no_background(theme: Theme) -> None:
    other = DARK if theme is LIGHT else LIGHT
    picture = str(Picture("title", 10, 10, theme=theme))
    assert theme.accent in picture
    assert other.accent not in picture
    assert "background" not in picture
    assert "@media" not in picture

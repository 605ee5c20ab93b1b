"""The figures in the documentation are those of the newest results."""

from __future__ import annotations

import pytest

from benches.plot import IMAGES, draw, draw_live, draw_sdks
from benches.readme import (
    PERFORMANCE,
    SWAP_INS,
    with_chat_table,
    with_live_table,
    with_sdk_table,
    with_swap_table,
    with_tables,
)
from benches.results import (
    CHAT_DIRECTORY,
    LIVE_DIRECTORY,
    SDK_DIRECTORY,
    SWAP_DIRECTORY,
    Results,
    latest,
)
from ssejet.cli._svg import DARK, LIGHT, Theme


def test_the_tables_are_of_the_newest_results() -> None:
    page = PERFORMANCE.read_text()
    assert "<!-- tables: begin" in page
    assert page == with_tables(page, Results.read(latest()))


def test_the_chat_table_is_of_the_newest_results() -> None:
    page = PERFORMANCE.read_text()
    assert "<!-- chat table: begin" in page
    assert page == with_chat_table(page, Results.read(latest(CHAT_DIRECTORY)))


def test_the_table_of_swap_ins_is_of_the_newest_results() -> None:
    page = PERFORMANCE.read_text()
    assert "<!-- swap table: begin" in page
    assert page == with_swap_table(page, Results.read(latest(SWAP_DIRECTORY)))


def test_the_table_of_live_streams_is_of_the_newest_results() -> None:
    page = PERFORMANCE.read_text()
    assert "<!-- live table: begin" in page
    assert page == with_live_table(page, Results.read(latest(LIVE_DIRECTORY)))


def test_the_table_of_sdks_is_of_the_newest_results() -> None:
    page = SWAP_INS.read_text()
    assert "<!-- sdk table: begin" in page
    assert page == with_sdk_table(page, Results.read(latest(SDK_DIRECTORY)))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_pictures_are_of_the_newest_results(theme: Theme) -> None:
    pictures = {
        "decode": draw(Results.read(latest()), theme),
        "live": draw_live(Results.read(latest(LIVE_DIRECTORY)), theme),
        "sdks": draw_sdks(Results.read(latest(SDK_DIRECTORY)), theme),
    }
    for name, picture in pictures.items():
        assert (IMAGES / f"{name}-{theme.name}.svg").read_text(encoding="utf-8") == picture

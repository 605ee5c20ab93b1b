"""The README's figures are those of the newest results."""

from __future__ import annotations

from benches.plot import IMAGES
from benches.readme import README, with_chat_table, with_swap_table, with_tables
from benches.results import CHAT_DIRECTORY, SWAP_DIRECTORY, Results, latest


def test_the_tables_are_of_the_newest_results() -> None:
    readme = README.read_text()
    assert "<!-- tables: begin" in readme
    assert readme == with_tables(readme, Results.read(latest()))


def test_the_chat_table_is_of_the_newest_results() -> None:
    readme = README.read_text()
    assert "<!-- chat table: begin" in readme
    assert readme == with_chat_table(readme, Results.read(latest(CHAT_DIRECTORY)))


def test_the_table_of_swap_ins_is_of_the_newest_results() -> None:
    readme = README.read_text()
    assert "<!-- swap table: begin" in readme
    assert readme == with_swap_table(readme, Results.read(latest(SWAP_DIRECTORY)))


def test_the_pictures_are_there() -> None:
    assert {path.name for path in IMAGES.glob("*.svg")} >= {"decode-dark.svg", "decode-light.svg"}

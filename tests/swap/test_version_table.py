"""The table of versions in docs/swap-ins.md, as its generator keeps it."""

from __future__ import annotations

import versions


def documented() -> list[versions.TableRow]:
    text = versions.DOCUMENT.read_text()
    start = text.index(versions.BEGIN) + len(versions.BEGIN)
    return versions.read_table(text[start : text.index(versions.END)].strip())


def test_the_table_has_one_version_for_each_requirement() -> None:
    rows = documented()
    assert len(rows) > 50
    assert [row[:2] for row in rows if versions.is_outdated(row, rows)] == []


def test_a_newer_version_takes_the_place_of_an_older_one_of_the_same_requirement() -> None:
    def row(library: str, version: str) -> versions.TableRow:
        return library, version, "accelerated", "1 passed", "2026-01-01"

    old, new, pinned, older_line = (
        row("openai", version) for version in ("3.52.0", "3.57.0", "3.0.0", "2.54.0")
    )
    rows = [old, new, pinned, older_line, row("groq", "9.9.9")]
    assert [each for each in rows if versions.is_outdated(each, rows)] == [old]

"""Puts the newest results into docs/performance.md and docs/swap-ins.md: `python -m benches.readme`."""

from __future__ import annotations

import re
from pathlib import Path

from benches.report import chat_markdown, live_markdown, markdown, sdk_markdown, swap_markdown
from benches.results import CHAT_DIRECTORY, LIVE_DIRECTORY, SDK_DIRECTORY, SWAP_DIRECTORY, Results, latest

DOCS = Path(__file__).parent.parent / "docs"
PERFORMANCE = DOCS / "performance.md"
SWAP_INS = DOCS / "swap-ins.md"


def with_tables(page: str, results: Results) -> str:
    """Return docs/performance.md with new tables of decoders."""
    return _with("tables", markdown(results), page)


def with_chat_table(page: str, results: Results) -> str:
    """Return docs/performance.md with a new table of chat streams."""
    return _with("chat table", chat_markdown(results), page)


def with_swap_table(page: str, results: Results) -> str:
    """Return docs/performance.md with a new table of swap-ins."""
    return _with("swap table", swap_markdown(results), page)


def with_live_table(page: str, results: Results) -> str:
    """Return docs/performance.md with a new table of live streams."""
    return _with("live table", live_markdown(results), page)


def with_sdk_table(page: str, results: Results) -> str:
    """Return docs/swap-ins.md with a new table of SDKs."""
    return _with("sdk table", sdk_markdown(results), page)


def _with(name: str, text: str, page: str) -> str:
    between = rf"(<!-- {name}: begin[^>]*-->).*?(<!-- {name}: end -->)"
    return re.sub(between, f"\\1\n{text.strip()}\n\\2", page, flags=re.DOTALL)


def main() -> None:
    page = with_tables(PERFORMANCE.read_text(), Results.read(latest()))
    page = with_chat_table(page, Results.read(latest(CHAT_DIRECTORY)))
    page = with_live_table(page, Results.read(latest(LIVE_DIRECTORY)))
    PERFORMANCE.write_text(with_swap_table(page, Results.read(latest(SWAP_DIRECTORY))))
    SWAP_INS.write_text(with_sdk_table(SWAP_INS.read_text(), Results.read(latest(SDK_DIRECTORY))))


if __name__ == "__main__":
    main()

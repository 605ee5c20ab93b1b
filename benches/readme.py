"""Puts the newest results into the README and docs/swap-ins.md: `python -m benches.readme`."""

from __future__ import annotations

import re
from pathlib import Path

from benches.report import chat_markdown, live_markdown, markdown, sdk_markdown, swap_markdown
from benches.results import CHAT_DIRECTORY, LIVE_DIRECTORY, SDK_DIRECTORY, SWAP_DIRECTORY, Results, latest

README = Path(__file__).parent.parent / "README.md"
SWAP_INS = README.parent / "docs" / "swap-ins.md"


def with_tables(readme: str, results: Results) -> str:
    """Return the README with new tables of decoders."""
    return _with("tables", markdown(results), readme)


def with_chat_table(readme: str, results: Results) -> str:
    """Return the README with a new table of chat streams."""
    return _with("chat table", chat_markdown(results), readme)


def with_swap_table(readme: str, results: Results) -> str:
    """Return the README with a new table of swap-ins."""
    return _with("swap table", swap_markdown(results), readme)


def with_live_table(readme: str, results: Results) -> str:
    """Return the README with a new table of live streams."""
    return _with("live table", live_markdown(results), readme)


def with_sdk_table(page: str, results: Results) -> str:
    """Return docs/swap-ins.md with a new table of SDKs."""
    return _with("sdk table", sdk_markdown(results), page)


def _with(name: str, text: str, readme: str) -> str:
    between = rf"(<!-- {name}: begin[^>]*-->).*?(<!-- {name}: end -->)"
    return re.sub(between, f"\\1\n{text.strip()}\n\\2", readme, flags=re.DOTALL)


def main() -> None:
    readme = with_tables(README.read_text(), Results.read(latest()))
    readme = with_chat_table(readme, Results.read(latest(CHAT_DIRECTORY)))
    readme = with_live_table(readme, Results.read(latest(LIVE_DIRECTORY)))
    README.write_text(with_swap_table(readme, Results.read(latest(SWAP_DIRECTORY))))
    SWAP_INS.write_text(with_sdk_table(SWAP_INS.read_text(), Results.read(latest(SDK_DIRECTORY))))


if __name__ == "__main__":
    main()

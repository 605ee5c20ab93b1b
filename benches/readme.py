"""Puts the newest results into the README: `python -m benches.readme`."""

from __future__ import annotations

import re
from pathlib import Path

from benches.report import markdown
from benches.results import Results, latest

README = Path(__file__).parent.parent / "README.md"


def with_tables(readme: str, results: Results) -> str:
    """The README with its tables made anew."""
    tables = f"\\1\n{markdown(results).strip()}\n\\2"
    return re.sub(r"(<!-- tables: begin[^>]*-->).*?(<!-- tables: end -->)", tables, readme, flags=re.DOTALL)


def main() -> None:
    README.write_text(with_tables(README.read_text(), Results.read(latest())))


if __name__ == "__main__":
    main()

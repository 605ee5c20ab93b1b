"""Try the newest release of each library that ssejet makes fast, and say which swap broke.

``python tools/newest_sdks.py WHEEL [--quick] [--pre] [LIBRARY ...]``: each library gets its own environment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "swap")]

import versions  # noqa: E402 (found by the line before)

from other_versions import Environment  # noqa: E402

# What direct reading relies on. There is no swap that could break.
_NO_SWAP = {"anyio", "httpcore", "httpx"}


class Result(NamedTuple):
    """What came of a library.

    Attributes:
        library: its name.
        version: the one that was tried; empty if it could not be installed.
        trouble: what broke; empty if all is well.
        said: what the tests say.
    """

    library: str
    version: str
    trouble: str
    said: str = ""

    def __str__(self) -> str:
        state = f"BROKEN: {self.trouble}" if self.trouble else "swapped"
        return ", ".join(filter(None, [f"{self.library} {self.version}".strip() + f": {state}", self.said]))


def main() -> None:
    """Try the libraries that are named as arguments, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="the wheel of ssejet to try")
    parser.add_argument("libraries", nargs="*", help="their distributions; all if none is named")
    parser.add_argument("--quick", action="store_true", help="run no tests: ask only whether ssejet swaps it")
    parser.add_argument("--pre", action="store_true", help="take pre-releases too")
    arguments = parser.parse_args()
    rows = newest_rows(arguments.libraries)
    results = []
    for row in rows:
        result = try_out(row, arguments.wheel.resolve(), quick=arguments.quick, pre=arguments.pre)
        print(result, flush=True)
        results.append(result)
    broken = [result for result in results if result.trouble]
    print(f"\n{conclusion(results)}")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown(results))
    sys.exit(bool(broken))


def newest_rows(libraries: list[str]) -> list[versions.Row]:
    """One row for each library, which asks for its newest release.

    Args:
        libraries: their names; all if there are none.

    Raises:
        SystemExit: a library is not known.
    """
    found = {}
    for row in versions.ROWS:
        if row.library not in {*_NO_SWAP, *found} and not row.pinned:
            # What an old version needs is not for the newest.
            also = () if row.also == versions.OLD_HTTPX else row.also
            found[row.library] = replace(row, requirement=row.library, also=also)
    if unknown := sorted(set(libraries) - set(found)):
        sys.exit(f"ssejet does not know {', '.join(unknown)}; it knows {', '.join(found)}")
    return [row for name, row in found.items() if not libraries or name in libraries]


def try_out(row: versions.Row, wheel: Path, *, quick: bool, pre: bool) -> Result:
    """Install a library and the wheel, and say what broke, if anything did."""
    environment = Environment("newest", row.library)
    needs = () if quick else versions.NEEDS
    try:
        environment.install(
            *(["--pre"] if pre else []), "--upgrade", str(wheel), row.requirement, *row.also, *needs
        )
    except subprocess.CalledProcessError:
        return Result(row.library, "", "it cannot be installed together with ssejet and what the tests need")
    try:
        version, left_alone = versions.look_at(row, environment)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [str(error)]
        return Result(row.library, "", f"it cannot be imported: {said[-1]}")
    if left_alone is not None:
        return Result(row.library, version, f"ssejet leaves it alone: {left_alone}")
    if quick:
        return Result(row.library, version, "")
    options = ("-p", "no:unraisableexception") if row.library in versions.ABOVE else ()
    said, fine = environment.test(row.tests, *options, LEFT_ALONE=row.module)
    return Result(row.library, version, "" if fine else "its tests fail", said)


def conclusion(results: list[Result]) -> str:
    """One sentence that names what broke."""
    broken = [f"{result.library} {result.version}".strip() for result in results if result.trouble]
    if broken:
        return f"{len(broken)} of {len(results)} swaps broke: {', '.join(broken)}"
    return f"All {len(results)} swaps work with the newest releases"


def markdown(results: list[Result]) -> str:
    """The report for the summary of a workflow."""
    lines = [f"{conclusion(results)}\n", "| library | newest | swap | tests |", "|---|---|---|---|"]
    lines += [
        f"| {result.library} | {result.version} | {result.trouble or 'works'} | {result.said} |"
        for result in results
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

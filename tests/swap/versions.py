"""Try the swap-ins and direct reading with other versions of the libraries, each in its own environment.

Where a version is accelerated, all tests of the swap-ins have to pass, but for those of what it does not
have; where ssejet leaves it alone, nothing of it may change.

    python tests/swap/versions.py WHEEL [REQUIREMENT ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PLACE = ROOT / ".venv-versions"


@dataclass(frozen=True)
class Row:
    """A library, as pip is asked for it, and what else has to be older for its sake.

    Attributes:
        pinned: versions that are installed last, whatever other libraries ask for.
    """

    library: str
    requirement: str
    also: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.library.replace("-", "_")

    @property
    def tests(self) -> list[Path]:
        """The tests that have to do with the library."""
        if self.library in {"openai", "anthropic"}:
            return [HERE]
        direct = [ROOT / "tests" / "http" / f"test_direct_{name}.py" for name in ("pool", "connections")]
        if self.library in {"anyio", "httpcore", "httpx"}:
            return direct
        swap_ins = [HERE / "test_event_sources.py", HERE / "test_install.py"]
        return [*swap_ins, *direct] if self.library == "httpx2" else swap_ins


# The newest of each line, and some that are older.
ROWS = (
    Row("openai", "openai>=3"),
    Row("openai", "openai==3.0.0"),
    Row("openai", "openai<3"),
    Row("openai", "openai==2.0.0"),
    Row("openai", "openai<2"),
    Row("openai", "openai==1.90.0"),
    Row("openai", "openai==1.66.0"),
    # Before 1.55.3 it passes a parameter that httpx 0.28 no longer has.
    Row("openai", "openai==1.40.0", ("httpx<0.28",)),
    Row("openai", "openai==1.10.0", ("httpx<0.28",)),
    Row("anthropic", "anthropic>=2"),
    Row("anthropic", "anthropic<2"),
    Row("anthropic", "anthropic==1.0.0"),
    Row("anthropic", "anthropic<1"),
    Row("anthropic", "anthropic==0.60.0"),
    Row("anthropic", "anthropic==0.50.0"),
    Row("httpx-sse", "httpx-sse"),
    Row("httpx-sse", "httpx-sse==0.4.0"),
    Row("httpx-sse", "httpx-sse==0.3.1"),
    Row("httpx2", "httpx2"),
    Row("httpx2", "httpx2==2.5.0"),
    Row("httpx2", "httpx2==2.0.0"),
    # What direct reading relies on.
    Row("httpx", "httpx==0.27.0", pinned=("httpx==0.27.0",)),
    Row("httpcore", "httpcore", ("httpx",)),
    Row("httpcore", "httpcore==1.0.3", ("httpx",), pinned=("httpcore==1.0.3", "h11==0.14.0")),
    Row("anyio", "anyio"),
    Row("anyio", "anyio==4.0.0", pinned=("anyio==4.0.0",)),
)

# What the tests need; pip takes what goes with the row.
NEEDS = (
    *("anthropic", "httpx-sse", "httpx2", "openai"),
    *("hypothesis", "pytest", "pytest-asyncio", "pytest-timeout", "starlette", "trio", "uvicorn"),
    *("gevent", "socksio", "uvloop"),
    *("aiohttp", "niquests", "requests", "urllib3"),  # tests/drivers.py imports them
    *("backports.zstd; python_version < '3.14'", "brotli", "zstandard"),
)

SEE = """
import json, sys, warnings

import ssejet

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    report = ssejet.install()
    module = __import__(sys.argv[1])
from importlib.metadata import version

print(json.dumps([version(sys.argv[2]), report.left_alone.get(sys.argv[1])]))
"""


def try_out(row: Row, wheel: Path) -> tuple[str, str, str, bool]:
    """The version that was tried, what ssejet made of it, what the tests say, and whether all is well."""
    home = PLACE / "".join(c if c.isalnum() or c in ".-" else "_" for c in row.requirement)
    venv.create(home, clear=True, with_pip=False)
    python = str(home / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-warn-script-location"]
    wanted = [] if row.pinned else [row.requirement]
    subprocess.run([*pip, str(wheel), *wanted, *row.also, *NEEDS], check=True)
    if row.pinned:
        subprocess.run([*pip, "--no-deps", *row.pinned], check=True)

    seen = subprocess.run(
        [python, "-c", SEE, row.module, row.library], check=True, capture_output=True, text=True
    ).stdout
    version, left_alone = json.loads(seen)
    report, log = home / "report.xml", home / "pytest.log"
    if left_alone is None:
        tests = row.tests
    else:
        tests = [HERE / "left_alone.py", *(test for test in row.tests if test.parent != HERE)]
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        f"--junitxml={report}",
        "-p",
        "no:cacheprovider",
        *map(str, tests),
    ]
    with log.open("w") as output:
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env={**os.environ, "LEFT_ALONE": row.module},
            stdout=output,
            stderr=output,
        )
    outcomes = Counter(
        next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
        for case in ET.parse(report).iter("testcase")
    )
    made = "accelerated" if left_alone is None else f"left alone: {left_alone}"
    tests_say = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    if done.returncode:
        tests_say += f", see {log.relative_to(ROOT)}"
    return version, made, tests_say, done.returncode == 0


def main() -> None:
    """Try the rows whose requirements are named as arguments, or all."""
    wheel, *wanted = sys.argv[1:]
    rows = [row for row in ROWS if not wanted or row.requirement in wanted]
    well = True
    print("| library | version | ssejet | tests |\n|---|---|---|---|")
    for row in rows:
        version, made, tests, fine = try_out(row, Path(wheel).resolve())
        print(f"| {row.library} | {version} | {made} | {tests} |", flush=True)
        well &= fine
    sys.exit(not well or not rows)


if __name__ == "__main__":
    main()

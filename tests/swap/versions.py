"""Try the swap-ins and direct reading with other versions of the libraries, each in its own environment.

Where a version is accelerated, all tests of the swap-ins have to pass, but for those of what it does not
have; where ssejet leaves it alone, nothing of it may change.

    python tests/swap/versions.py WHEEL [REQUIREMENT ...]

The rows that were run go into the table in docs/swap-ins.md, in place of what it says about them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from other_versions import ROOT, Environment  # noqa: E402 (found by the line before)

# Those of the other SDKs that Stainless generated.
MODULES = {
    "groq": "groq",
    "together": "together",
    "cerebras-cloud-sdk": "cerebras.cloud.sdk",
    "writer-sdk": "writerai",
    "fireworks-ai": "fireworks",
    "perplexityai": "perplexity",
    "cloudflare": "cloudflare",
    "runwayml": "runwayml",
    "openlayer": "openlayer",
    "llama-stack-client": "llama_stack_client",
}

# The libraries above the SDKs, and their tests.
ABOVE = {"litellm": "litellm", "pydantic-ai-slim": "pydantic_ai"}


# Those of SDKs that Stainless did not generate, and their tests.
OTHERS = {"mistralai": "test_speakeasy.py", "huggingface_hub": "test_huggingface.py"}


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
        """The name of the package that the library installs."""
        if self.library == "google-genai":
            return "google.genai"
        return {**MODULES, **ABOVE}.get(self.library, self.library.replace("-", "_"))

    @property
    def tests(self) -> list[Path]:
        """The tests that have to do with the library."""
        if self.library in {"openai", "anthropic"}:
            return [HERE]
        if self.library in {"google-genai", "cohere"}:
            return [HERE / f"test_{self.module.replace('.', '_')}.py"]
        if self.library in MODULES:
            return [HERE / "test_generated.py"]
        if self.library in OTHERS:
            return [HERE / OTHERS[self.library]]
        if self.library in ABOVE:
            return [HERE.parent / "ecosystem" / f"test_{self.module}_agreement.py"]
        direct = [ROOT / "tests" / "http" / f"test_direct_{name}.py" for name in ("pool", "connections")]
        if self.library in {"anyio", "httpcore", "httpx"}:
            return direct
        swap_ins = [HERE / "test_event_sources.py", HERE / "test_install.py"]
        return [*swap_ins, *direct] if self.library == "httpx2" else swap_ins


# Before 1.55.3 openai passes a parameter that httpx 0.28 no longer has, and so do other SDKs of that time.
OLD_HTTPX = ("httpx<0.28",)

# The newest of each line, and some that are older.
ROWS = (
    Row("openai", "openai>=3"),
    Row("openai", "openai==3.0.0"),
    Row("openai", "openai<3"),
    Row("openai", "openai==2.0.0"),
    Row("openai", "openai<2"),
    Row("openai", "openai==1.90.0"),
    Row("openai", "openai==1.66.0"),
    Row("openai", "openai==1.40.0", OLD_HTTPX),
    Row("openai", "openai==1.10.0", OLD_HTTPX),
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
    Row("groq", "groq"),
    Row("groq", "groq==0.4.0", OLD_HTTPX),
    Row("together", "together"),
    Row("together", "together==2.0.0"),
    Row("cerebras-cloud-sdk", "cerebras-cloud-sdk"),
    Row("cerebras-cloud-sdk", "cerebras-cloud-sdk==1.0.0", OLD_HTTPX),
    Row("writer-sdk", "writer-sdk"),
    Row("writer-sdk", "writer-sdk==0.1.0", OLD_HTTPX),
    Row("fireworks-ai", "fireworks-ai"),
    Row("fireworks-ai", "fireworks-ai==1.2.0"),
    Row("perplexityai", "perplexityai"),
    Row("perplexityai", "perplexityai==0.3.0"),
    Row("cloudflare", "cloudflare"),
    Row("cloudflare", "cloudflare==4.0.0"),
    Row("runwayml", "runwayml"),
    Row("runwayml", "runwayml==1.0.0", OLD_HTTPX),
    Row("openlayer", "openlayer"),
    Row("openlayer", "openlayer==0.2.0", OLD_HTTPX),
    Row("llama-stack-client", "llama-stack-client", ("fire", "pandas", "prompt_toolkit", "requests")),
    Row("llama-stack-client", "llama-stack-client==0.0.25", OLD_HTTPX),
    Row("mistralai", "mistralai"),
    Row("mistralai", "mistralai==3.0.0"),
    Row("mistralai", "mistralai<3"),
    Row("mistralai", "mistralai==2.0.0"),
    Row("mistralai", "mistralai<2"),
    Row("mistralai", "mistralai==1.0.0", OLD_HTTPX),
    Row("huggingface_hub", "huggingface_hub"),
    Row("huggingface_hub", "huggingface_hub==2.0.0"),
    Row("huggingface_hub", "huggingface_hub<2"),
    Row("huggingface_hub", "huggingface_hub==1.0.1"),
    Row("huggingface_hub", "huggingface_hub<1"),
    Row("huggingface_hub", "huggingface_hub==0.26.3"),
    Row("google-genai", "google-genai", ("aiohttp",)),
    Row("google-genai", "google-genai==2.0.0", ("aiohttp",)),
    Row("google-genai", "google-genai==1.56.0", ("aiohttp",)),
    Row("google-genai", "google-genai==1.0.0", ("aiohttp",)),
    Row("cohere", "cohere"),
    Row("cohere", "cohere==6.0.0"),
    Row("cohere", "cohere==5.21.1"),
    Row("cohere", "cohere==5.17.0"),
    Row("cohere", "cohere==5.0.1"),
    Row("litellm", "litellm"),
    Row("litellm", "litellm==1.106.12"),
    Row("litellm", "litellm==1.103.11"),
    Row("litellm", "litellm==1.80.0"),
    Row("pydantic-ai-slim", "pydantic-ai-slim", ("openai",)),
    Row("pydantic-ai-slim", "pydantic-ai-slim==2.60.0", ("openai",)),
    Row("pydantic-ai-slim", "pydantic-ai-slim==2.40.0", ("openai",)),
    Row("pydantic-ai-slim", "pydantic-ai-slim==2.2.0", ("openai",)),
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
import importlib, json, sys, warnings
from contextlib import suppress
from importlib import metadata

import ssejet

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    report = ssejet.install()
    importlib.import_module(sys.argv[1])
    for part in ("client.utils.eventstreaming", "utils.eventstreaming", "inference"):
        with suppress(ImportError):
            importlib.import_module(f"{sys.argv[1]}.{part}")
    row = next((row for row in report.packages if row.name == sys.argv[1]), None)
    reason = sys.argv[3] if row is None else row.reason
    print(json.dumps([metadata.version(sys.argv[2]), reason or None]))
"""


def look_at(row: Row, environment: Environment) -> tuple[str, str | None]:
    """The version that is installed, and why ssejet leaves it alone, if it does."""
    if_unknown = "it has no streams that Stainless generated" if row.library in MODULES else ""
    see = [environment.python, "-c", SEE, row.module, row.library, if_unknown]
    seen = subprocess.run(see, check=True, capture_output=True, text=True).stdout
    version, left_alone = json.loads(seen)
    return version, left_alone


def try_out(row: Row, wheel: Path, base: Environment) -> tuple[str, str, str, bool]:
    """The version that was tried, what ssejet made of it, what the tests say, and whether all is well."""
    environment = Environment(row.requirement, base=base)
    wanted = [] if row.pinned else [row.requirement]
    environment.install(str(wheel), *wanted, *row.also, *NEEDS)
    if row.pinned:
        environment.install("--no-deps", *row.pinned)

    version, left_alone = look_at(row, environment)
    if left_alone is None:
        made, tests = "accelerated", row.tests
    else:
        made = f"left alone: {left_alone}"
        tests = [HERE / "left_alone.py", *(test for test in row.tests if HERE not in {test, test.parent})]
        # Their SDKs are fast all the same.
        tests = row.tests if row.library in ABOVE else tests
    # These libraries, and some old SDKs, leave sockets for the garbage collector to close.
    leaves_sockets = row.library in ABOVE or row.requirement == "mistralai==1.0.0"
    options = ("-p", "no:unraisableexception") if leaves_sockets else ()
    tests_say, fine = environment.test(tests, *options, LEFT_ALONE=row.module)
    return version, made, tests_say, fine


TableRow = tuple[str, str, str, str, str]


def table(rows: list[TableRow]) -> str:
    """The table of the documentation. Each row names its library, so that rows can be moved and merged."""
    lines = ["| library | version | ssejet | tests of the swap-ins | run on |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def read_table(text: str) -> list[TableRow]:
    """The rows of a table that `table` wrote."""
    rows = []
    for line in text.splitlines()[2:]:
        library, version, *middle, day = (cell.strip() for cell in line.strip().strip("|").split("|"))
        made, tests = "|".join(middle[:-1]), middle[-1]
        rows.append((library, version, made, tests, day))
    return rows


def write_table(path: Path, found: list[TableRow]) -> None:
    """Put the rows that were run into the documentation. Those of other versions stay."""
    text = path.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    rows = {row[:2]: row for row in read_table(text[start:end].strip())}
    rows |= {row[:2]: row for row in found}
    rows = {key: row for key, row in rows.items() if not is_outdated(row, rows.values())}
    order = list(dict.fromkeys(row.library for row in ROWS))
    numbers = {key: tuple(map(int, re.findall(r"\d+", key[1]))) for key in rows}
    in_order = sorted(rows.values(), key=lambda row: numbers[row[:2]], reverse=True)
    in_order.sort(key=lambda row: order.index(row[0]))
    path.write_text(f"{text[:start]}\n{table(in_order)}\n{text[end:]}")


def is_outdated(row: TableRow, rows: Iterable[TableRow]) -> bool:
    """Whether a newer version is in the table, too, for the same requirement."""
    library, version = row[0], Version(row[1])
    requirement = requirement_of(library, version)
    newer = [Version(each[1]) for each in rows if each[0] == library and Version(each[1]) > version]
    return any(requirement == requirement_of(library, each) for each in newer)


def requirement_of(library: str, version: Version) -> str | None:
    """For which requirement a version is in the table: the last that fits, as the newest are listed first."""
    named = [row.requirement for row in ROWS if row.library == library]
    exact = [each for each in named if "==" in each and version in Requirement(each).specifier]
    fitting = [each for each in named if version in Requirement(each).specifier]
    return next(reversed(exact or fitting), None)


DOCUMENT = ROOT / "docs" / "swap-ins.md"
BEGIN, END = "<!-- written by tests/swap/versions.py -->", "<!-- end -->"


def main() -> None:
    """Try the rows whose requirements are named as arguments, in this order, or all."""
    wheel, *wanted = sys.argv[1:]
    named = {row.requirement: row for row in ROWS}
    rows = [named[each] for each in wanted if each in named] if wanted else [*ROWS]
    well = True
    found = []
    base = Environment("base")
    base.install(wheel, *NEEDS)
    for row in rows:
        try:
            version, made, tests, fine = try_out(row, Path(wheel).resolve(), base)
        except subprocess.CalledProcessError as error:
            print(f"{row.requirement}: cannot be tried: {error}", flush=True)
            well = False
            continue
        print(f"{row.library} | {version} | {made} | {tests}", flush=True)
        well &= fine
        if fine:
            found.append((row.library, version, made, tests, f"{datetime.now(timezone.utc).date()}"))
            write_table(DOCUMENT, found)
    sys.exit(not well or not rows)


if __name__ == "__main__":
    main()

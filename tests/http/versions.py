"""Try the adapters with other versions of the HTTP libraries, each in an environment of its own.

python tests/http/versions.py WHEEL [LIBRARY ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from other_versions import ROOT, Environment  # noqa: E402 (found by the line before)

# A library, and the versions to try: of itself and of what it reads with.
ROWS = (
    ("httpx", ("httpx", "httpcore==1.0.3")),
    ("httpx", ("httpx", "httpcore")),
    ("httpx2", ("httpx2==2.0.0", "httpcore2==2.0.0")),
    ("httpx2", ("httpx2",)),
    ("requests", ("requests==2.28.0", "urllib3==1.26.15")),
    ("requests", ("requests==2.28.0", "urllib3<2")),
    ("requests", ("requests", "urllib3<2")),
    ("requests", ("requests", "urllib3==2.0.2")),
    ("requests", ("requests", "urllib3")),
    ("urllib3", ("urllib3==1.26.15", "requests==2.28.0")),
    ("urllib3", ("urllib3<2",)),
    ("urllib3", ("urllib3==2.0.2",)),
    ("urllib3", ("urllib3",)),
    ("aiohttp", ("aiohttp==3.9.5",)),
    ("aiohttp", ("aiohttp",)),
    ("niquests", ("niquests==3.14.0",)),
    ("niquests", ("niquests",)),
)

TESTS = (
    HERE / "test_libraries.py",
    HERE / "test_http2.py",
    HERE / "test_pool_index.py",
    *(ROOT / "tests" / "typed" / f"test_{name}.py" for name in ("stream", "trouble")),
    *(ROOT / "tests" / "source" / f"test_{name}.py" for name in ("event_source", "subscription")),
)

# What the tests need; pip takes what goes with the row.
NEEDS = (
    *("aiohttp", "httpx", "httpx2", "niquests", "requests", "urllib3"),
    *("hypercorn", "hypothesis", "openai", "pydantic", "pytest", "pytest-asyncio", "pytest-timeout"),
    *("starlette", "trio", "uvicorn"),
    *("backports.zstd; python_version < '3.14'", "brotli", "zstandard"),
)

# niquests would install its own fork in the place of urllib3.
VARIABLES = {"URLLIB3_NO_OVERRIDE": "1", "PIP_NO_BINARY": "urllib3-future"}


def try_out(library: str, requirements: tuple[str, ...], wheel: Path) -> tuple[str, bool]:
    """What the tests say, and whether all is well."""
    environment = Environment(*requirements, variables=VARIABLES)
    environment.install(str(wheel), *requirements, *NEEDS)
    return environment.test(TESTS, "-k", f"{library} or http2")


def main() -> None:
    """Try the rows of the libraries that are named as arguments, or all."""
    wheel, *wanted = sys.argv[1:]
    well = True
    print("| library | versions | tests |\n|---|---|---|")
    for library, requirements in ROWS:
        if not wanted or library in wanted:
            tests, fine = try_out(library, requirements, Path(wheel).resolve())
            print(f"| {library} | {', '.join(requirements)} | {tests} |", flush=True)
            well &= fine
    sys.exit(not well)


if __name__ == "__main__":
    main()

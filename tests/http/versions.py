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
    ("httpx", ("httpx==0.27.0", "httpcore==1.0.3", "anyio==4.0.0", "trio==0.22.2", "openai<3")),
    ("httpx", ("httpx==0.27.2", "httpcore==1.0.9")),
    ("httpx", ("httpx==0.28.0", "httpcore==1.0.7", "uvloop==0.19.0", "openai<3")),
    ("httpx", ("httpx", "httpcore", "anyio", "uvloop")),
    ("httpx2", ("httpx2==2.0.0", "httpcore2==2.0.0", "anyio==4.5.2", "openai<3")),
    ("httpx2", ("httpx2", "anyio")),
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
    *(HERE / f"test_{name}.py" for name in ("libraries", "http2", "pool_index", "aiohttp_chunks")),
    *(HERE / f"test_direct_{name}.py" for name in ("asyncio", "connections", "faults", "pool")),
    *(ROOT / "tests" / "typed" / f"test_{name}.py" for name in ("stream", "trouble")),
    *(ROOT / "tests" / "source" / f"test_{name}.py" for name in ("event_source", "subscription")),
)

# What the tests need; pip takes what goes with the row.
NEEDS = (
    *("aiohttp", "httpx", "httpx2", "niquests", "requests", "urllib3"),
    *("hypercorn", "hypothesis", "openai", "pydantic", "pytest", "pytest-asyncio", "pytest-timeout"),
    *("socksio", "starlette", "trio", "uvicorn", "uvloop"),
    *("backports.zstd; python_version < '3.14'", "brotli", "zstandard"),
)

# Which tests concern a library, where its name does not say it.
SELECTIONS = {
    "httpx": "httpx and not httpx2 or http2 or direct_asyncio or direct_faults",
    "httpx2": "httpx2 or http2",
}

# The tests import httpx2, which does not go with the h11 of an old httpcore.
OLD_H11 = {"httpcore==1.0.3", "httpcore==1.0.7"}
BESIDE_OLD_H11 = ("httpx2==2.0.0", "httpcore2==2.0.0", "truststore")


def try_out(library: str, requirements: tuple[str, ...], wheel: Path) -> tuple[str, bool]:
    """What the tests say, and whether all is well."""
    environment = Environment(*requirements)
    if not OLD_H11.isdisjoint(requirements):
        environment.install(str(wheel), *requirements, *(each for each in NEEDS if each != "httpx2"))
        environment.install("--no-deps", *BESIDE_OLD_H11)
    else:
        environment.install(str(wheel), *requirements, *NEEDS)
    return environment.test(TESTS, "-k", SELECTIONS.get(library, f"{library} or http2"))


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

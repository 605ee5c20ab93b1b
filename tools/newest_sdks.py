"""Try the newest release of each library that ssejet makes fast or reads directly, and say what broke.

``python tools/newest_sdks.py WHEEL [--quick] [--pre] [LIBRARY ...]``: each library gets its own environment.
"""

from __future__ import annotations

import argparse
import json
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

# What direct reading relies on. They have no swap; the question is whether bodies are still read directly.
_READ_DIRECTLY = {"anyio", "httpcore", "httpx"}

_SEE_DIRECT = """
import asyncio, json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata

import httpx

import ssejet


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "9")
        self.end_headers()
        self.wfile.write(b"data: a\\n\\n")

    def log_message(self, *_):
        pass


def see(response):
    reading = ssejet.direct_reading(response)
    return None if reading else reading.reason


async def see_async():
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
        reason = see(response)
        assert [event.data async for event in ssejet.AsyncStream(response).events()] == ["a"]
        return reason


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_address[1]}/"
with httpx.Client(trust_env=False) as client, client.stream("GET", url) as response:
    reason = see(response)
    assert [event.data for event in ssejet.Stream(response).events()] == ["a"]
reason = reason or asyncio.run(see_async())
server.shutdown()
print(json.dumps([metadata.version(sys.argv[1]), reason]))
"""


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
        works = "read directly" if self.library in _READ_DIRECTLY else "swapped"
        state = f"BROKEN: {self.trouble}" if self.trouble else works
        return ", ".join(filter(None, [f"{self.library} {self.version}".strip() + f": {state}", self.said]))


def main() -> None:
    """Try the libraries that are named as arguments, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="the wheel of ssejet to try")
    parser.add_argument("libraries", nargs="*", help="their distributions; all if none is named")
    parser.add_argument(
        "--quick", action="store_true", help="run no tests: see only whether ssejet can use it"
    )
    parser.add_argument("--pre", action="store_true", help="take pre-releases too")
    arguments = parser.parse_intermixed_args()
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
        if row.library not in found:
            # What an old version needs is not for the newest.
            also = () if row.also == versions.OLD_HTTPX else row.also
            found[row.library] = replace(row, requirement=row.library, also=also, pinned=())
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
        version, left_alone = look_at(row, environment)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [str(error)]
        return Result(row.library, "", f"it cannot be imported: {said[-1]}")
    if left_alone is not None:
        return Result(row.library, version, left_alone)
    if quick:
        return Result(row.library, version, "")
    options = ("-p", "no:unraisableexception") if row.library in versions.ABOVE else ()
    said, fine = environment.test(row.tests, *options, LEFT_ALONE=row.module)
    return Result(row.library, version, "" if fine else "its tests fail", said)


def look_at(row: versions.Row, environment: Environment) -> tuple[str, str | None]:
    """The version that is installed, and what of it ssejet cannot use, if anything."""
    if row.library in _READ_DIRECTLY:
        see = [environment.python, "-c", _SEE_DIRECT, row.library]
        seen = subprocess.run(see, check=True, capture_output=True, text=True, timeout=300).stdout
        version, reason = json.loads(seen)
        return version, reason and f"bodies are read the ordinary way: {reason}"
    version, left_alone = versions.look_at(row, environment)
    return version, left_alone and f"ssejet leaves it alone: {left_alone}"


def conclusion(results: list[Result]) -> str:
    """One sentence that names what broke."""
    broken = [f"{result.library} {result.version}".strip() for result in results if result.trouble]
    if broken:
        return f"{len(broken)} of {len(results)} libraries broke: {', '.join(broken)}"
    return f"All {len(results)} libraries work with their newest releases"


def markdown(results: list[Result]) -> str:
    """The report for the summary of a workflow."""
    lines = [f"{conclusion(results)}\n", "| library | newest | state | tests |", "|---|---|---|---|"]
    lines += [
        f"| {result.library} | {result.version} | {result.trouble or 'works'} | {result.said} |"
        for result in results
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

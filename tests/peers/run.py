"""Run the peers' own test suites as they are, and with ssejet swapped in, and compare.

Suites that read streams run on both ways with ssejet: with direct reading, and without.

The suites come from the source distributions of the versions that are installed, which pip downloads.
Whatever passes without ssejet has to pass with it, but for the tests that `differences.toml` names, each with
its reason. The suites have time limits of their own, some of one second, which a busy machine exceeds. So a
test that fails with ssejet only is run again before that counts.

    python tests/peers/run.py [SUITE ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
CACHE = HERE / ".cache"  # for what was downloaded, and for pytest's output

# How often what fails is run again.
REPEATS = 2


@dataclass(frozen=True)
class Suite:
    """What to run of a peer's tests, and how ssejet is swapped in: by ``install``, or as a module.

    Attributes:
        reads: whether the suite reads streams, or only sends them.
    """

    name: str
    distribution: str
    paths: tuple[str, ...]
    swap_in: str = "install"
    submodules: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    needs_python: tuple[int, int] = (3, 10)
    reads: bool = True


SUITES = (
    Suite(
        "openai",
        "openai",
        (
            "tests/test_streaming.py",
            "tests/test_sse_framing.py",
            "tests/test_stream_mode.py",
            "tests/test_response.py",
            "tests/test_legacy_response.py",
            "tests/lib/chat",
            "tests/lib/responses",
            "tests/lib/streaming",
            "tests/lib/test_assistants.py",
            "tests/lib/test_assistant_tool_call_deltas.py",
            "tests/lib/test_assistants_helper_contracts.py",
            "tests/lib/test_streaming_deltas.py",
            "tests/lib/test_azure.py",
        ),
        # No event streams go over these sockets.
        options=("--ignore-glob=*websocket*", "--inline-snapshot=disable"),
    ),
    Suite(
        "anthropic",
        "anthropic",
        (
            "tests/test_streaming.py",
            "tests/test_response.py",
            "tests/test_legacy_response.py",
            "tests/lib/streaming",
            "tests/lib/_parse",
            "tests/lib/test_refusal_fallback_streaming.py",
            "tests/test_middleware.py",
            "tests/test_open_telemetry.py",
            "tests/test_tracing.py",
        ),
        options=("-p", "tests._alias_httpx", "--inline-snapshot=disable"),
    ),
    Suite("httpx-sse", "httpx-sse", ("tests",)),
    Suite(
        "httpx-sse as a module",
        "httpx-sse",
        (
            "tests/test_asgi.py",
            "tests/test_event_source.py",
            "tests/test_exceptions.py",
            "tests/test_models.py",
        ),
        swap_in="ssejet.swap.httpx_sse",
    ),
    Suite(
        "sse-starlette",
        "sse-starlette",
        ("tests",),
        swap_in="ssejet.emit.sse_starlette",
        submodules=("sse", "event"),
        options=("-p", "sse_starlette_suite"),
        needs_python=(3, 11),
        reads=False,
    ),
)


def sources(distribution: str) -> Path:
    """The source distribution of the installed version, unpacked."""
    version = metadata.version(distribution)
    target = CACHE / f"{distribution}-{version}"
    if not target.exists():
        with TemporaryDirectory() as directory:
            requirement = f"{distribution}=={version}"
            download = [
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--dest",
                directory,
                requirement,
            ]
            subprocess.run([sys.executable, "-m", "pip", *download], check=True)
            (archive,) = Path(directory).glob("*.tar.gz")
            unpacked = Path(directory) / "unpacked"
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
            CACHE.mkdir(parents=True, exist_ok=True)
            next(unpacked.iterdir()).rename(target)
    return target


def run(suite: Suite, *, swapped: bool, again: bool = False, direct: bool = True) -> dict[str, str]:
    """Run a suite, or again those tests that failed, and give the outcome of each test."""
    root = sources(suite.distribution)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
        "SWAP_IN": suite.swap_in,
        "SUBMODULES": " ".join(suite.submodules),
        "SSEJET_DIRECT": str(int(direct)),
    }
    with TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--override-ini=addopts=", f"--junitxml={report}"]
        command += [
            "--tb=short",
            f"--override-ini=cache_dir={CACHE / 'pytest'}",
            "--continue-on-collection-errors",
        ]
        command += ["-p", "swapped"] if swapped else []
        command += ["--last-failed"] if again else []
        command += [*suite.options, *(path for path in suite.paths if (root / path).exists())]
        kind = "-".join(["swapped" if swapped else "stock", *["ordinary"] * (not direct), *["again"] * again])
        log = CACHE / f"{suite.name.replace(' ', '-')}-{kind}.log"
        with log.open("w") as output:
            subprocess.run(command, check=False, cwd=root, env=environment, stdout=output, stderr=output)
        if not report.exists():
            sys.exit(f"{suite.name}: pytest failed, see {log}")
        return {
            f"{case.get('classname')}::{case.get('name')}": next((child.tag for child in case), "passed")
            for case in ET.parse(report).iter("testcase")
        }


def compare(suite: Suite, passing: set[str], expected: set[str]) -> tuple[set[str], set[str]]:
    """Run a suite with ssejet.

    Args:
        suite: the suite.
        passing: the tests that pass without ssejet.
        expected: the tests that are known to fail with it.

    Returns:
        Those of the passing tests that fail on one way at least, and those that passed when they ran again.
    """
    broken: set[str] = set()
    late: set[str] = set()
    for direct in (True, False) if suite.reads else (True,):
        outcomes = run(suite, swapped=True, direct=direct)
        failed = {test for test in passing if outcomes.get(test) != "passed"}
        wrong = failed - expected
        for _ in range(REPEATS):
            if wrong:
                outcomes = run(suite, swapped=True, direct=direct, again=True)
                wrong = {test for test in wrong if outcomes.get(test) != "passed"}
        broken |= failed & expected | wrong
        late |= failed - expected - wrong
    return broken, late - broken


def main() -> None:
    """Run the suites named as arguments, or all, and say which tests ssejet breaks."""
    known = tomllib.loads((HERE / "differences.toml").read_text())
    wanted = set(sys.argv[1:]) or {suite.name for suite in SUITES}
    failed = False
    for suite in SUITES:
        if suite.name not in wanted:
            continue
        if suite.needs_python > sys.version_info:
            print(f"{suite.name}: left out, as it needs Python {'.'.join(map(str, suite.needs_python))}")
            continue
        stock = run(suite, swapped=False)
        passing = {test for test, outcome in stock.items() if outcome == "passed"}
        expected = known.get(suite.name, {})
        broken, late = compare(suite, passing, set(expected))
        print(f"{suite.name} {metadata.version(suite.distribution)}: {len(stock)} tests,", end=" ")
        print(f"{len(passing)} pass, and of these {len(passing - broken)} with ssejet")
        for test in sorted(broken | late | set(expected)):
            if test in late:
                print(f"  passes when it runs again: {test}")
            elif test not in expected:
                print(f"  BROKEN {test}")
            elif test in broken:
                print(f"  differs: {test}: {expected[test]}")
            elif test in passing:
                print(f"  STALE, it passes: {test}")
            else:
                print(f"  fails without ssejet too: {test}")
        failed |= broken != passing & set(expected) or not passing
    sys.exit(failed)


if __name__ == "__main__":
    main()

"""`python -m benches.sdks`: measures one chunk of each SDK's stream, stock and with ssejet installed.

Each SDK has a process of its own; the processes take turns, round by round. The body comes from memory
through the SDK's HTTP library, whose cost is part of both figures. Figures are processor times.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from os import getloadavg
from pathlib import Path
from typing import Any

from benches import machine
from benches.harness import Cell, Samples
from benches.report import sdk_markdown
from benches.results import SDK_DIRECTORY, Entrant, Results
from benches.sdk_worker import SDKS
from benches.workloads import Description

MS = 1_000_000
STOCK, FAST = "stock", "ssejet"


class Worker:
    """The process of an SDK."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.about: dict[str, Any] = self._read()

    @classmethod
    def start(cls, python: str, name: str, slice_ns: int) -> subprocess.Popen[str]:
        command = [python, "-m", "benches.sdk_worker", name, str(slice_ns)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self) -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        figures: list[float] = self._read()
        return figures

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError("the process of the SDK ended")
        return json.loads(line)


def measure(python: str, names: list[str], rounds: int, slice_ns: int) -> tuple[Samples, dict[str, Entrant]]:
    """Measure SDKs; those that cannot be read are left out, with a message."""
    samples = Samples()
    entrants = {FAST: Entrant(importlib.metadata.version("ssejet"), "Python")}
    with ExitStack() as stack:
        workers = {}
        for name in names:
            process = stack.enter_context(Worker.start(python, name, slice_ns))
            try:
                workers[name] = worker = Worker(process)
            except EOFError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            about = worker.about
            sizes = (about[key] for key in ("events", "bytes", "read_size"))
            samples.workloads[name] = Description(f"{name} {about['version']}", *sizes)
            entrants[name] = Entrant(about["version"], "Python")
            samples.figures[Cell(name, STOCK)] = []
            if about["reason"]:
                samples.wrong[Cell(name, FAST)] = about["reason"]
            else:
                samples.figures[Cell(name, FAST)] = []
        for _ in range(rounds):
            for name, worker in workers.items():
                for contestant, figure in zip((STOCK, FAST), worker.round(), strict=False):
                    samples.figures[Cell(name, contestant)].append(figure)
    return samples, entrants


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.sdks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SDKS, []], help="the SDKs (default: all)")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the SDKs")
    parser.add_argument("--quick", action="store_true", help="short slices, few rounds, nothing written")
    parser.add_argument("--rounds", type=int, help="the number of rounds (default: 9)")
    parser.add_argument(
        "--output", type=Path, help="the file for the results (default: in benches/results/sdks/)"
    )
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 9)
    slice_ms = 50 if options.quick else 300
    loads = [round(getloadavg()[0], 2)]
    samples, entrants = measure(options.python, options.names or list(SDKS), rounds, slice_ms * MS)
    loads.append(round(getloadavg()[0], 2))
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": rounds, "slice_ms": slice_ms, "load": loads},
        contestants=entrants,
        samples=samples,
    )
    if options.output is not None or not options.quick:
        path = options.output or SDK_DIRECTORY / f"{results.date}-{machine.slug()}.json"
        results.write(path)
        print(f"written to {path}", file=sys.stderr)
    print(sdk_markdown(results))


if __name__ == "__main__":
    main()

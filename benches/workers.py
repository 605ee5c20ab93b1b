"""Contestants in other languages: child processes that answer one request per line.

They keep running, so that all contestants can take turns and Node's compiler is warm.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from benches.workloads import Workload

ROOT = Path(__file__).parent.parent
NODE = ROOT / "benches" / "node"
RUST = ROOT / "rust" / "benches"


class WorkerError(Exception):
    """A worker cannot be used. The message says why and what to do."""


class Worker:
    """A child process that decodes workloads."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, Path] = {}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1
        )
        greeting = json.loads(self._read())
        language = greeting["language"]
        self.contestants = [
            WorkerContestant(name, version, language, self) for name, version in greeting["contestants"]
        ]

    def ask(self, command: str, contestant: str, workload: Workload, passes: int) -> str:
        if workload.name not in self._files:
            self._files[workload.name] = workload.write(self._directory)
        assert self._process.stdin is not None
        self._process.stdin.write(
            f"{command}\t{contestant}\t{workload.read_size}\t{passes}\t{self._files[workload.name]}\n"
        )
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise WorkerError(f"{self._process.args!r} ended with status {self._process.wait()}")
        return answer.rstrip("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The end of its input ends a worker.
        self._process.communicate()


@dataclass(frozen=True)
class WorkerContestant:
    """One decoder in a worker."""

    name: str
    version: str
    language: str
    worker: Worker

    def check(self, workload: Workload) -> str | None:
        verdict, _, reason = self.worker.ask("check", self.name, workload, 1).partition(" ")
        return None if verdict == "ok" else reason

    def time(self, workload: Workload, passes: int) -> int:
        return int(self.worker.ask("time", self.name, workload, passes).removeprefix("ok "))


def node(directory: Path) -> Worker:
    """eventsource-parser in Node."""
    if shutil.which("node") is None:
        raise WorkerError("eventsource-parser is left out: there is no node here")
    if not (NODE / "node_modules").is_dir():
        raise WorkerError(f"eventsource-parser is left out: run `npm ci` in {NODE.relative_to(ROOT)}")
    return Worker(["node", str(NODE / "bench.mjs")], directory)


def rust(directory: Path) -> Worker:
    """The crates."""
    if shutil.which("cargo") is None:
        raise WorkerError("the Rust crates are left out: there is no cargo here")
    build = ["cargo", "build", "--release", "--quiet", "--message-format=json"]
    environment = {"CARGO_TARGET_DIR": str(ROOT / "target" / "benches"), **os.environ}
    messages = subprocess.run(
        build, check=False, cwd=RUST, env=environment, stdout=subprocess.PIPE, text=True
    )
    if messages.returncode:
        raise WorkerError(f"the Rust crates are left out: {RUST.relative_to(ROOT)} does not build")
    artifacts = map(json.loads, messages.stdout.splitlines())
    [program] = [path for each in artifacts if (path := each.get("executable"))]
    return Worker([program], directory)

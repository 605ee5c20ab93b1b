"""Reads and writes files of results: every measured figure, and its conditions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benches.harness import Cell, Samples
from benches.workloads import Description

DIRECTORY = Path(__file__).parent / "results"
CHAT_DIRECTORY = DIRECTORY / "chat"
MESSAGES_DIRECTORY = DIRECTORY / "messages"
RESPONSES_DIRECTORY = DIRECTORY / "responses"
SWAP_DIRECTORY = DIRECTORY / "swap"
SDK_DIRECTORY = DIRECTORY / "sdks"
LIVE_DIRECTORY = DIRECTORY / "live"
HUB_DIRECTORY = DIRECTORY / "hub"


class Entrant(NamedTuple):
    """The version and language of a contestant."""

    version: str
    language: str


@dataclass(frozen=True)
class Results:
    """A run, measured or read from a file."""

    date: str
    machine: dict[str, Any]
    settings: dict[str, Any]
    contestants: dict[str, Entrant]
    samples: Samples

    def write(self, path: Path) -> None:
        cells: list[dict[str, Any]] = []
        for cell, figures in self.samples.figures.items():
            # Six digits are more than the clocks can measure.
            cells.append({**cell._asdict(), "rounds": [float(f"{figure:.6g}") for figure in figures]})
        for cell, reason in self.samples.wrong.items():
            cells.append({**cell._asdict(), "wrong": reason})
        document = {
            "date": self.date,
            "machine": self.machine,
            "settings": self.settings,
            "contestants": {name: each._asdict() for name, each in self.contestants.items()},
            "workloads": {name: each._asdict() for name, each in self.samples.workloads.items()},
            "cells": cells,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_one_line_per_member(document), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        document = json.loads(path.read_text(encoding="utf-8"))
        samples = Samples({name: Description(**each) for name, each in document["workloads"].items()})
        for entry in document["cells"]:
            cell = Cell(entry["workload"], entry["contestant"], entry["metric"])
            if "wrong" in entry:
                samples.wrong[cell] = entry["wrong"]
            else:
                samples.figures[cell] = entry["rounds"]
        contestants = {name: Entrant(**each) for name, each in document["contestants"].items()}
        return cls(document["date"], document["machine"], document["settings"], contestants, samples)


def latest(directory: Path = DIRECTORY) -> Path:
    """Return the path of the newest file of results."""
    files = sorted(directory.glob("*.json"))
    if not files:
        raise FileNotFoundError("there are no results yet: run `make bench`")
    return files[-1]


def _one_line_per_member(document: dict[str, Any]) -> str:
    """Write JSON that gives short diffs: one line for each value that can change alone."""
    members = []
    for key, value in document.items():
        if isinstance(value, dict):
            lines = [f"    {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items()]
            text = "{\n" + ",\n".join(lines) + "\n  }"
        elif isinstance(value, list):
            text = "[\n" + ",\n".join(f"    {json.dumps(each)}" for each in value) + "\n  ]"
        else:
            text = json.dumps(value)
        members.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"

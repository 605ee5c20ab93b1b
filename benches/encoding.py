"""`python -m benches.encoding`: measures encoders on chat chunks in turn, and compares them with the goals.

sse-starlette and openai-responses take part if they are installed. openai-responses requires openai before 3,
so it needs a separate environment.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

import ssejet
from benches.goals import Faster
from benches.harness import Cell, Run
from benches.report import duration, times_as_long
from benches.workloads import all_workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.workloads import Workload

MS = 1_000_000

PEERS = ("sse-starlette", "openai-responses")
TITLES = {
    "encode-text": "a chat chunk's JSON text",
    "encode-dict": "a chat chunk as a dict",
    "encode-model": "a chat chunk as openai's model",
}
GOALS = [Faster(workload, "ssejet", (peer,), 5) for workload in TITLES for peer in PEERS]


@dataclass(frozen=True)
class Encoder:
    """An encoder, with a function for each workload that it supports."""

    name: str
    version: str
    functions: dict[str, Callable[[Any], bytes]]
    items: dict[str, list[Any]]
    language: str = "Python"

    def check(self, workload: Workload) -> str | None:
        """Check that each event arrives with the fields that were sent; defaults may be added."""
        function = self.functions.get(workload.name)
        if function is None:
            return "there is no such function"
        for item, text in zip(self.items[workload.name], workload.data, strict=True):
            (event,) = ssejet.Decoder().feed(function(item))
            if not _contains(event.json(), json.loads(text)):
                return f"{event.data[:60]!r} instead of {text[:60]!r}"
        return None

    def time(self, workload: Workload, passes: int) -> int:
        function = self.functions[workload.name]
        items = self.items[workload.name]
        started = perf_counter_ns()
        for _ in range(passes):
            for item in items:
                function(item)
        return perf_counter_ns() - started


def _contains(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return all(key in found and _contains(found[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(_contains, found, expected))
    return bool(found == expected)


def _sse_starlette() -> dict[str, Callable[[Any], bytes]]:
    from sse_starlette.event import JSONServerSentEvent, ServerSentEvent

    return {
        "encode-text": lambda text: ServerSentEvent(text).encode(),
        "encode-dict": lambda value: JSONServerSentEvent(value).encode(),
        "encode-model": lambda model: ServerSentEvent(model.model_dump_json()).encode(),
    }


def _openai_responses() -> dict[str, Callable[[Any], bytes]]:
    from openai_responses.streaming import EventStream

    return {"encode-model": lambda model: b"".join(filter(None, EventStream._dump_event(model)))}


def _encoders(items: dict[str, list[Any]]) -> list[Encoder]:
    encoders = [Encoder("ssejet", ssejet.__version__, dict.fromkeys(TITLES, ssejet.encode), items)]
    for name, load in (("sse-starlette", _sse_starlette), ("openai-responses", _openai_responses)):
        try:
            encoders.append(Encoder(name, importlib.metadata.version(name), load(), items))
        except ImportError as error:  # noqa: PERF203 - twice
            Console(stderr=True).print(f"{name} is left out: {error}", style="yellow")
    return encoders


def main() -> None:
    from openai.types.chat import ChatCompletionChunk

    parser = argparse.ArgumentParser(prog="python -m benches.encoding", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="the number of rounds (default: 15)")
    options = parser.parse_args()
    chat = next(each for each in all_workloads() if each.name == "chat-64k")
    items = {
        "encode-text": list(chat.data),
        "encode-dict": [json.loads(text) for text in chat.data],
        "encode-model": [ChatCompletionChunk.model_validate_json(text) for text in chat.data],
    }
    workloads = [replace(chat, name=name, title=title) for name, title in TITLES.items()]
    encoders = _encoders(items)
    samples = Run(workloads, encoders, options.rounds, slice_ns=40 * MS).measure()

    table = Table("", *(f"{encoder.name} {encoder.version}" for encoder in encoders))
    for name, title in TITLES.items():
        medians = [samples.median(Cell(name, encoder.name)) for encoder in encoders]
        table.add_row(title, *("" if median is None else duration(median) for median in medians))
    console = Console()
    console.print(table)
    for goal in GOALS:
        verdict = goal.judge(samples)
        if verdict is not None:
            mark = "pass" if verdict.met else "fail"
            measured = times_as_long(verdict.value)
            console.print(
                f"{mark}: {verdict.workload}, against {verdict.rival}: {measured} (goal {verdict.bound})"
            )


if __name__ == "__main__":
    main()

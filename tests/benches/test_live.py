from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benches import live
from benches.harness import Cell
from benches.results import Results

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[2]


def measure(tmp_path: Path, setting: str, *variants: str) -> Results:
    output = tmp_path / "live.json"
    command = [sys.executable, "-m", "benches.live", setting, "--quick", "--only", ",".join(variants)]
    path = os.pathsep.join([str(ROOT), *sys.path])
    subprocess.run(
        [*command, "--output", output], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )
    return Results.read(output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "variants"),
    [
        ("async-20", ["floor", "httpx", "anthropic-fast", "aiohttp-bytes"]),
        ("sync-1-tls", ["floor", "httpx", "openai-fast"]),
        ("sync-20", ["floor", "client"]),
    ],
    ids=["async", "TLS", "threads"],
)
def test_every_variant_reads_each_chunk_by_itself(tmp_path: Path, setting: str, variants: list[str]) -> None:
    samples = measure(tmp_path, setting, *variants).samples
    assert {*samples.figures} == {Cell(setting, variant) for variant in variants}
    assert all(figure > 0 for figures in samples.figures.values() for figure in figures)
    assert not samples.wrong


def test_each_pair_of_kind_number_and_tls_is_measured() -> None:
    measured = [(each.kind, each.streams, each.tls) for each in live.SETTINGS.values()]
    for first, second in combinations(range(3), 2):
        values = [{setting[place] for setting in measured} for place in (first, second)]
        assert {(setting[first], setting[second]) for setting in measured} == {*product(*values)}
    assert {streams for _, streams, _ in measured} == {1, 20, 1000}


def test_a_few_threads_open_their_streams_at_a_time() -> None:
    opening: list[None] = []
    go_on = threading.Event()
    clock = live.Clock(60, 40, memoryview(bytearray(8)).cast("Q"))

    def variant(base: str, clock: live.Clock) -> None:
        opening.append(None)
        go_on.wait()
        live.run_stream(clock, iter(range(40)), lambda item: None)

    runner = threading.Thread(target=live.run_threads, args=(variant, "", clock), daemon=True)
    runner.start()
    try:
        while len(opening) < live.MAX_OPENING:
            time.sleep(0.001)
        time.sleep(0.1)  # others would come now
        assert len(opening) == live.MAX_OPENING
    finally:
        go_on.set()
    runner.join()
    assert len(opening) == clock.running == 60


def test_the_results_say_the_load_and_each_version() -> None:
    for path in live.LIVE_DIRECTORY.glob("*.json"):
        results = Results.read(path)
        assert results.settings["load"]
        assert {cell.contestant for cell in results.samples.figures} <= {*results.contestants}


def test_reads_are_counted_only_while_the_clock_runs() -> None:
    clock = live.Clock(1, 40, memoryview(bytearray(8)).cast("Q"))
    clock.reads = 5
    clock.warmed_up()
    clock.received[0], clock.reads = 6, 8
    clock.ended()
    nanoseconds, chunks_per_read = clock.figures
    assert nanoseconds > 0
    assert chunks_per_read == 2


async def test_the_clock_stops_at_the_first_last_chunk_before_any_stream_is_closed() -> None:
    log: list[str] = []
    received = memoryview(bytearray(8)).cast("Q")
    clock = live.Clock(2, 40, received, lambda clock: log.append(f"stopped after {received[0]}"))

    @asynccontextmanager
    async def open_stream() -> AsyncIterator[Any]:
        async def items() -> AsyncIterator[int]:
            for number in range(40 + 1):  # the sentinel is an item of some libraries
                yield number
                await asyncio.sleep(0)

        yield items()
        log.append("closed")

    await live.run_streams(clock, open_stream, lambda item: None)
    assert log == ["stopped after 79", "closed", "closed"]


def test_the_clock_stops_at_the_end_of_a_stream_whose_chunks_came_in_fewer_reads() -> None:
    stopped: list[live.Clock] = []
    clock = live.Clock(1, 40, memoryview(bytearray(8)).cast("Q"), stopped.append)
    live.run_stream(clock, iter(range(39)), lambda item: None)
    assert stopped == [clock]

"""Measures one event of 64 MiB: time and peak memory, with small and with large reads.

Each measurement runs in a separate process, because peak memory never decreases:
`python -m benches.scaling 64` measures with 64-byte reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

from benches.harness import Cell
from benches.workloads import KIB, MIB, Description

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benches.harness import Samples

ITERATOR = "ssejet iter_bytes"
EVENT_BYTES = 64 * MIB
READ_SIZES = {"giant-64b": 64, "giant-64k": 64 * KIB}


def add_to(samples: Samples, rounds: int, watch: Callable[[str], None] = lambda _: None) -> None:
    """Measure, and add the figures to the results."""
    for name, read_size in READ_SIZES.items():
        reads = "64-byte" if read_size == 64 else "64 KiB"
        samples.workloads[name] = Description(f"one 64 MiB event, {reads} reads", 1, EVENT_BYTES, read_size)
    for number in range(rounds):
        for name, read_size in READ_SIZES.items():
            watch(f"round {number + 1}: {samples.workloads[name].title}")
            child = [sys.executable, "-m", "benches.scaling", str(read_size)]
            figures = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
            for metric, figure in figures.items():
                samples.figures.setdefault(Cell(name, ITERATOR, metric), []).append(figure)


def measure(read_size: int) -> dict[str, float]:
    """Decode the event; return the nanoseconds, and the peak memory as a multiple of the event's size."""
    from ssejet import Decoder

    before = _peak_memory()
    started = perf_counter_ns()
    events = list(Decoder().iter_bytes(_reads(read_size)))
    elapsed = perf_counter_ns() - started
    after = _peak_memory()
    assert [len(event.data) for event in events] == [EVENT_BYTES - len("data: \n\n")]
    figures: dict[str, float] = {"ns per event": elapsed}
    if before is not None and after is not None:
        figures["peak memory"] = (after - before) / EVENT_BYTES
    return figures


def _reads(size: int) -> Iterator[bytes]:
    """Split the event into reads. All but the first and last are one object, so that they need no memory."""
    first, last = b"data: ".ljust(size, b"x"), b"\n\n".rjust(size, b"x")
    return chain([first], repeat(b"x" * size, EVENT_BYTES // size - 2), [last])


def _peak_memory() -> int | None:
    """The most bytes that this process has ever had in memory, where the system tells.

    `getrusage` would answer with the parent's figure if that is larger.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) * KIB


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))

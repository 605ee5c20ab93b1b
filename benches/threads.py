"""Measures how decoding scales with threads: `python -m benches.threads`, on free-threaded CPython.

Each thread has its own decoder and stream. With a GIL the factor is 1.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
from threading import Barrier, Thread
from time import perf_counter

from benches.report import times_as_long
from benches.workloads import all_workloads
from ssejet import Decoder

ROUNDS = 9
PASSES = 200


def main() -> None:
    [workload] = [each for each in all_workloads() if each.name == "chat-64k"]
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"{workload.title}, {os.cpu_count()} cores, {'with a' if gil else 'without the'} GIL")
    gc.disable()
    alone = [elapsed(1, workload.chunks) for _ in range(ROUNDS)]
    for threads in (2, 4):
        together = [elapsed(threads, workload.chunks) for _ in range(ROUNDS)]
        throughput = statistics.median(
            threads * one / all_ for one, all_ in zip(alone, together, strict=True)
        )
        print(f"{threads} threads decode {times_as_long(throughput)} as much as one")


def elapsed(threads: int, chunks: list[bytes]) -> float:
    """Measure the seconds of this many threads when each decodes all passes."""
    start = Barrier(threads + 1)

    def decode() -> None:
        start.wait()
        for _ in range(PASSES):
            feed = Decoder().feed
            for chunk in chunks:
                for event in feed(chunk):
                    event.data  # noqa: B018 - read, as a user would

    workers = [Thread(target=decode) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    started = perf_counter()
    for worker in workers:
        worker.join()
    return perf_counter() - started


if __name__ == "__main__":
    main()

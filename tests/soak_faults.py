"""Random faults by the thousand: ``python tests/soak_faults.py [--schedules 1000] [--seed 0]``.

Each schedule of faults is run with one client, synchronously, on asyncio or on trio. Printed are how many
schedules were run, how many events were lost or came twice, which failures the subscribers told of, what was
left when all were closed, and how long it takes to notice each kind of fault. Ends with status 1 if anything
was lost, came twice or was left.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
import threading
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fault_strategies import schedules, sources
from faults import Fault, FaultServer, Framing, Then
from subscribers import SUBSCRIBERS, Subscriber

if TYPE_CHECKING:
    from ssejet import SSEError

IDLE_TIMEOUT = 0.1
CUT = 40

# More failures than any schedule has, so that a subscriber which comes to no end fails.
MANY = 50

# What is noticed in the middle of the second event, unless there is no response at all.
KINDS = {
    "the response never comes": Fault(status=0, then=Then.STALL),
    "the connection is closed instead": Fault(status=0),
    "the connection is reset instead": Fault(status=0, then=Then.RESET),
    "what comes is not HTTP": Fault(status=0, then=Then.GARBAGE),
    "the stream stalls": Fault(cut=CUT, then=Then.STALL),
    "the stream is cut short": Fault(cut=CUT, then=Then.CLOSE),
    "the connection is reset": Fault(cut=CUT, then=Then.RESET),
    "the stream ends as if all were well": Fault(framing=Framing.CLOSE, cut=CUT),
    "the length says more": Fault(framing=Framing.LENGTH, wrong_length=7),
    "the framing is broken": Fault(cut=CUT, then=Then.GARBAGE),
    "the compression is broken": Fault(framing=Framing.GZIP, cut=CUT, then=Then.GARBAGE),
    "an error status": Fault(status=503),
}
BLOCKS = [f"id: {number}\ndata: event {number}\n\n".encode() for number in (1, 2, 3)]


class Soak:
    """Runs schedules, and counts."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.counts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    def run(self, subscriber: Subscriber, blocks: list[tuple[bytes, str]], schedule: list[Fault]) -> None:
        many = self.failures.total() + MANY

        def try_again(error: SSEError) -> bool:
            self.failures[getattr(error, "kind", "") + type(error).__name__] += 1
            return self.failures.total() < many

        source = self.server.source(*(block for block, _ in blocks), faults=schedule)
        outcome = subscriber.read(
            source.url, reconnection_time=0, max_backoff=0.005, idle_timeout=IDLE_TIMEOUT, on_error=try_again
        )
        got = Counter(event.id for event in outcome.events)
        wanted = [str(number) for number in range(1, len(blocks) + 1)]
        self.counts["schedules"] += 1
        self.counts["faults"] += len(schedule) - len(source.faults)
        self.counts["events"] += len(blocks)
        self.counts["lost"] += sum(not got[each] for each in wanted)
        self.counts["doubled"] += sum(max(0, got[each] - 1) for each in wanted)
        self.counts["tasks left"] += outcome.tasks_left
        self.counts["wrong"] += [event.data for event in outcome.events] != [data for _, data in blocks]


def time_to_notice(server: FaultServer, subscriber: Subscriber, fault: Fault) -> float:
    """Seconds from when the server does its worst to when the subscriber says so."""
    noticed: list[float] = []

    def stop(error: SSEError) -> bool:
        noticed.append(perf_counter())
        return False

    source = server.source(*BLOCKS, faults=[fault])
    subscriber.read(source.url, idle_timeout=IDLE_TIMEOUT, on_error=stop)
    return noticed[0] - source.struck[0]


def sockets() -> int:
    """How many sockets of TCP this process has open."""
    count = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            sock = socket.socket(fileno=os.dup(int(path.name)))
        except OSError:  # no socket, or the one of the listing itself
            continue
        with sock:
            count += sock.family == socket.AF_INET
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    unraisable: list[str] = []
    sys.unraisablehook = lambda each: unraisable.append(str(each.exc_value))

    with FaultServer() as server:
        soak = Soak(server)
        before = sockets(), threading.active_count()
        example = given(st.sampled_from(SUBSCRIBERS), sources(), schedules)(
            lambda subscriber, blocks, schedule: soak.run(subscriber, blocks, schedule)
        )
        example = settings(
            max_examples=arguments.schedules,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(seed(arguments.seed)(example))
        example()
        server.wait_until(lambda: server.connections == 0)
        gc.collect()
        after = sockets(), threading.active_count()
        left = [now - then for now, then in zip(after, before, strict=True)]
        print(", ".join(f"{name} {count:,}" for name, count in soak.counts.items()))
        print("told of:", ", ".join(f"{name} {count:,}" for name, count in soak.failures.most_common()))
        print(f"left: {left[0]} sockets, {left[1]} threads; warnings {len(unraisable)}")

        print(f"\ntime to notice, in ms (idle_timeout is {IDLE_TIMEOUT * 1000:g}): median, longest")
        random = Random(arguments.seed)
        for name, fault in KINDS.items():
            subscribers = SUBSCRIBERS * 5
            random.shuffle(subscribers)
            times = [1000 * time_to_notice(server, each, fault) for each in subscribers]
            print(f"  {name:36} {median(times):7.2f} {max(times):7.2f}")
        server.wait_until(lambda: server.connections == 0)
    for text in unraisable:
        print("warning:", text, file=sys.stderr)
    counts = soak.counts
    faults = counts["lost"], counts["doubled"], counts["wrong"], counts["tasks left"]
    return int(any([*faults, *left, unraisable]))


if __name__ == "__main__":
    sys.exit(main())

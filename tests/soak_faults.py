"""Random faults by the thousand: ``python tests/soak_faults.py [--schedules 1000] [--seed 0]``.

Each schedule of faults is run with one client, synchronously, on asyncio or on trio. Printed are how many
schedules were run, how many bodies were read directly from their sockets, how many events were lost or came
twice, which failures the subscribers told of, and what was left when all were closed. Then each client
notices each kind of fault, those of httpx in both ways. Ends with status 1 if anything was lost, came twice
or was left, or if a fault was not noticed. The times are only printed, side by side: the machine may be busy.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
import threading
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
import httpx2
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fault_strategies import schedules, sources
from faults import Fault, FaultServer, Framing, Then
from ssejet import APITimeoutError
from ssejet._http.direct._httpcore import Connection
from subscribers import A_LONG_TIME, SUBSCRIBERS, Subscriber

if TYPE_CHECKING:
    from ssejet import SSEError

IDLE_TIMEOUT = 0.1
CUT = 40

ROUNDS = 5
"""How often each client notices each kind of fault, each way."""

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


class Notice:
    """How subscribers notice faults, and after how many milliseconds."""

    def __init__(self) -> None:
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.missed: list[str] = []

    def notice(self, server: FaultServer, subscriber: Subscriber, name: str, *, direct: bool) -> None:
        """Let a subscriber notice a kind of fault."""
        fault = KINDS[name]
        is_silent = fault.then is Then.STALL
        told: list[tuple[float, bool, str]] = []  # errors would keep responses open

        def stop(error: SSEError) -> bool:
            told.append((perf_counter(), isinstance(error, APITimeoutError), repr(error)))
            return False

        source = server.source(*BLOCKS, faults=[fault])
        # Where there is something to notice, no busy machine may let the wait for events end before.
        idle_timeout = IDLE_TIMEOUT if is_silent else A_LONG_TIME
        bodies = BODIES.count
        subscriber.read(source.url, idle_timeout=idle_timeout, on_error=stop, direct=direct)
        way = "directly" if BODIES.count > bodies else "ordinary" if can_be_direct(subscriber) else "others"
        if not told or told[0][1] is not is_silent:
            self.missed.append(f"{name}: {subscriber}, {way}: told of {told}")
            return
        # A subscriber's wait may end while the server, on a busy machine, has not begun to be silent.
        server.wait_until(lambda: source.struck)
        self.times[way].append(1000 * max(0.0, told[0][0] - source.struck[0]))


def can_be_direct(subscriber: Subscriber) -> bool:
    """Whether the responses of a subscriber can be read directly."""
    return subscriber.http in {httpx, httpx2} and getattr(subscriber, "backend", "asyncio") == "asyncio"


class Bodies:
    """Counts the bodies that are read directly."""

    def __init__(self) -> None:
        self.count = 0
        take = Connection.take

        def count(connection: Connection, response: object) -> bytes:
            self.count += 1
            return take(connection, response)

        Connection.take = count  # type: ignore[method-assign]


BODIES = Bodies()


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
        soak.counts["bodies read directly"] = BODIES.count
        print(", ".join(f"{name} {count:,}" for name, count in soak.counts.items()))
        print("told of:", ", ".join(f"{name} {count:,}" for name, count in soak.failures.most_common()))
        print(f"left: {left[0]} sockets, {left[1]} threads; warnings {len(unraisable)}")

        print(f"\ntime to notice, in ms (idle_timeout is {IDLE_TIMEOUT * 1000:g}): median, longest")
        print(f"  {'':36} {'read directly':>18} {'the ordinary way':>18} {'others, trio':>18}")
        random = Random(arguments.seed)
        missed: list[str] = []
        for name in KINDS:
            notice = Notice()
            plan = [(each, True) for each in SUBSCRIBERS]
            plan += [(each, False) for each in SUBSCRIBERS if can_be_direct(each)]
            plan *= ROUNDS
            random.shuffle(plan)
            for subscriber, direct in plan:
                notice.notice(server, subscriber, name, direct=direct)
            columns = [notice.times[way] for way in ("directly", "ordinary", "others")]
            cells = [
                f"{median(times):9.2f} {max(times):8.2f}" if times else f"{'–':>9} {'':8}"
                for times in columns
            ]
            print(f"  {name:36} {' '.join(cells)}")
            missed += notice.missed
        for text in missed:
            print("not noticed:", text, file=sys.stderr)
        server.wait_until(lambda: server.connections == 0)
    for text in unraisable:
        print("warning:", text, file=sys.stderr)
    counts = soak.counts
    faults = counts["lost"], counts["doubled"], counts["wrong"], counts["tasks left"]
    return int(any([*faults, *left, unraisable, missed]))


if __name__ == "__main__":
    sys.exit(main())

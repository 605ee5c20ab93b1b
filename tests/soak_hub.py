"""The hub over Redis while producers die or freeze, followers leave, and Redis and its connections break.

`python tests/soak_hub.py --schedules 100` runs random schedules, and says what came of them. A schedule has
one producer in a process of its own, which counts; followers in another process, which leave and come back
with the id of their last event; and some faults. Then every follower must have got each number once and in
order, then the end; and if the producer is gone, the end must have come within the lease and two seconds.

Redis writes each append to its disk before it confirms it, so it loses nothing when it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezing import stay_frozen
from redis_server import RedisServer
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# On a machine that is very busy, a process may not run for a second, so that its producer counts as dead.
LEASE = float(os.environ.get("SOAK_LEASE", "1"))
TOLD_WITHIN = LEASE + 2.0

# How often the process of the followers looks whether the machine lets it run, in seconds.
WATCH = 0.05

# In seconds: for followers, before a schedule counts as hung.
A_LONG_TIME = 40.0

FAULTS = ("kill", "freeze", "pause producer", "pause followers", "cut", "restart", "freeze redis", "stop")

processes = multiprocessing.get_context("forkserver")


@dataclass
class Fault:
    """One fault, so many seconds after the producer has begun.

    Attributes:
        kind: one of FAULTS.
        at: when.
        span: how long it lasts, in seconds.
    """

    kind: str
    at: float
    span: float


@dataclass
class Schedule:
    """What happens in one run."""

    seed: int
    items: int
    pause: float
    followers: int
    drops: float
    faults: list[Fault]

    @classmethod
    def random(cls, seed: int) -> Schedule:
        chance = random.Random(seed)
        kinds = chance.sample(FAULTS, k=chance.choice([0, 1, 1, 2, 3]))
        if "restart" in kinds and "freeze redis" in kinds:
            kinds.remove("freeze redis")
        faults = []
        for kind in kinds:
            span = LEASE + chance.uniform(0.3, 1.0) if kind == "freeze" else chance.uniform(0.05, 0.5)
            faults.append(Fault(kind, chance.uniform(0.0, 0.8), span))
        faults.sort(key=lambda fault: fault.at)
        return cls(
            seed, items=chance.randint(1, 200), pause=chance.choice([0.0, 0.003, 0.01, 0.02]),
            followers=chance.randint(1, 4), drops=chance.choice([0.0, 0.02, 0.1]), faults=faults,
        )  # fmt: skip


@dataclass
class Redis:
    """The server that all schedules share, and when it was away."""

    server: RedisServer
    lock: threading.Lock = field(default_factory=threading.Lock)
    outages: list[tuple[float, float]] = field(default_factory=list)

    def fail(self, fault: Fault) -> None:
        with self.lock:
            began = time.monotonic()
            if fault.kind == "cut":
                self.server.cut()
            elif fault.kind == "restart":
                self.server.kill()
                time.sleep(fault.span)
                self.server.start()
            else:
                self.server.freeze()
                time.sleep(fault.span)
                self.server.thaw()
            self.outages.append((began, time.monotonic()))

    def lost_time(self, since: float) -> float:
        """The seconds since then in which Redis was away, and those that clients took to come back."""
        # One second is the grace for producers after an outage, the other one that of a client's backoff.
        spans = [(start, end + 2.0) for start, end in self.outages]
        return sum(end - max(start, since) for start, end in spans if end > since)


def produce(url: str, key: str, items: int, pause: float, pipe: Any) -> None:
    """The process of a producer."""
    run_producer(url, key, items, pause, pipe)


def run_producer(url: str, key: str, items: int, pause: float, pipe: Any) -> None:
    """Start a producer that counts; send whether it was started, then how long it did not run at most."""
    stay_frozen()

    async def main() -> None:
        hub = AsyncHub(url)

        async def count() -> AsyncIterator[int]:
            for number in range(items):
                if pause:
                    await asyncio.sleep(pause)
                yield number

        stalls: list[tuple[float, float]] = []
        watcher = asyncio.create_task(watch(stalls))
        pipe.send(await hub.start(key, count, lease=LEASE))
        while key in hub._producers:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await hub.aclose()
        watcher.cancel()
        pipe.send(max((end - start for start, end in stalls), default=0.0))

    asyncio.run(main())


def follow(url: str, key: str, schedule: Schedule, pipe: Any) -> None:
    """The process of the followers: it sends what each one got, and when the end came."""
    stay_frozen()
    chance = random.Random(schedule.seed)

    async def one(hub: AsyncHub, chance: random.Random) -> tuple[list[Any], float]:
        got: list[Any] = []
        last_id = ""
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        while True:
            async with contextlib.aclosing(hub.follow(key, last_event_id=last_id)) as events:
                async for event in events:
                    got.append((event.id, event.event, event.data))
                    last_id = event.id or ""
                    if event.event == "end":
                        return got, time.monotonic()
                    if chance.random() < schedule.drops:
                        break
            await asyncio.sleep(chance.uniform(0.0, 0.02))

    stalls: list[tuple[float, float]] = []

    async def main() -> None:
        async with AsyncHub(url) as hub:
            pipe.send("ready")
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print_tasks, hub)
            watcher = asyncio.create_task(watch(stalls))
            chances = [random.Random(chance.random()) for _ in range(schedule.followers)]
            results = await asyncio.gather(*(one(hub, each) for each in chances))
            watcher.cancel()
            pipe.send((results, stalls))

    asyncio.run(main())


async def watch(stalls: list[tuple[float, float]]) -> None:
    """Take note of the times in which the machine does not run this process."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(WATCH)
        if time.monotonic() - began > 2 * WATCH:
            stalls.append((began + WATCH, time.monotonic()))


def print_tasks(hub: Any) -> None:
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    reader = hub._engine._engine._reader
    for feed in reader.feeds.values():
        print({name: value for name, value in vars(feed).items() if name != "window"}, file=sys.stderr)
        print("window", feed.window.first, feed.window.last, file=sys.stderr)
    for shard in (shard for shards in reader._shards.values() for shard in shards):
        print(vars(shard), file=sys.stderr, flush=True)


class ProblemError(Exception):
    """What is wrong after a schedule."""


@dataclass
class Notice:
    """How many seconds after its producer was gone a log's last follower was told the end.

    Attributes:
        told: by the clock on the wall.
        not_run: those of them in which the machine did not run the process of the followers.
        away: those that faults of Redis may have cost.
        ended: how many seconds after that Redis had the end.
    """

    told: float
    not_run: float
    away: float
    ended: float

    @property
    def late(self) -> float:
        """By how much it was too late, without the seconds in which it could not come."""
        return self.told - TOLD_WITHIN - self.not_run - self.away


@dataclass
class Totals:
    """What came of all schedules."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    appended: int = 0
    delivered: int = 0

    def report(self) -> str:
        """Say it in some lines."""
        lines = [
            f"{self.ends.total()} schedules without a problem: {dict(self.ends)}",
            f"{len(self.problems)} with a problem",
            f"{self.appended} events appended, {self.delivered} delivered, each once and in order",
        ]
        strict = [notice for notice in self.notices if not notice.away]
        if strict:
            latest = max(strict, key=lambda notice: notice.told)
            over = sum(notice.told > TOLD_WITHIN for notice in strict)
            ran = max(notice.told - notice.not_run for notice in strict)
            lines += [
                f"{len(strict)} producers were gone while Redis was up",
                f"followers told after more than {TOLD_WITHIN:g} s by the clock: in {over} schedules",
                f"the latest was told after {latest.told:.2f} s, Redis had it after {latest.ended:.2f} s",
                f"the latest one's process did not run for {latest.not_run:.2f} s of them",
                f"without the time in which the followers' processes did not run: {ran:.2f} s at most",
            ]
        if self.faults:
            lines.append(f"faults: {dict(self.faults)}")
        if self.gaps:
            lines.append(
                f"{len(self.gaps)} followers were told of losses, after {max(self.gaps):.2f} s at most"
            )
        return "\n".join(lines)


def run(schedule: Schedule, redis: Redis, totals: Totals) -> str:
    """Run a schedule, and return how its log ended."""
    key = f"soak-{schedule.seed}-{os.getpid()}"
    url = redis.server.url
    ours, theirs = processes.Pipe()
    follower_end, follower_pipe = processes.Pipe()
    followers = processes.Process(target=follow, args=(url, key, schedule, follower_pipe))
    producer = processes.Process(target=produce, args=(url, key, schedule.items, schedule.pause, theirs))
    followers.start()
    producer.start()
    gone_since: float | None = None
    try:
        if not (follower_end.poll(A_LONG_TIME) and ours.poll(A_LONG_TIME)):
            raise ProblemError("the processes did not begin")
        follower_end.recv()
        if ours.recv() is not True:
            raise ProblemError("the producer was not started")
        began = time.monotonic()
        for fault in schedule.faults:
            time.sleep(max(0.0, began + fault.at - time.monotonic()))
            if fault.kind == "kill":
                producer.kill()
                gone_since = gone_since or time.monotonic()
            elif fault.kind in ("freeze", "pause producer"):
                stopped = time.monotonic()
                pause(producer, fault.span)
                if fault.kind == "freeze":
                    gone_since = gone_since or stopped
            elif fault.kind == "pause followers":
                pause(followers, fault.span)
            elif fault.kind == "stop":
                asyncio.run(stop(url, key))
            else:
                redis.fail(fault)
        if not follower_end.poll(A_LONG_TIME):
            raise ProblemError(
                f"the followers were not told the end: {state_of(key, redis.server, followers)}"
            )
        results, stalls = follower_end.recv()
        time.sleep(0.3 if gone_since else 0.0)
        log = asyncio.run(read(url, key))
        reason = check(schedule, results, log)
        if gone_since:
            check_times(reason, results, gone_since, stalls, redis, key, totals)
        totals.appended += len(log)
        totals.delivered += sum(len(got) for got, _ in results)
        return reason
    finally:
        for process in (producer, followers):
            process.kill()
            process.join()


def state_of(key: str, server: RedisServer, followers: Any) -> str:
    """Say what Redis has of a log, and have the followers' process write its tasks to its standard error."""
    os.kill(followers.pid, signal.SIGUSR1)
    with server.client() as client:
        meta = client.hgetall(f"ssejet:{{{key}}}:meta")
        last = client.xrevrange(f"ssejet:{{{key}}}:log", count=1)
        reads = [(each["age"], each["idle"], each["cmd"]) for each in client.client_list()]
    time.sleep(1.0)
    return f"{meta} {last} {reads}"


def pause(process: Any, span: float) -> None:
    if process.is_alive():
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(span)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)


async def stop(url: str, key: str) -> None:
    async with AsyncHub(url) as hub:
        await hub.stop(key)


async def read(url: str, key: str) -> list[Any]:
    async with AsyncHub(url) as hub:
        return [(event.id, event.event, event.data) async for event in hub.follow(key)]


def check_times(
    reason: str,
    results: list[Any],
    gone_since: float,
    stalls: list[tuple[float, float]],
    redis: Redis,
    key: str,
    totals: Totals,
) -> None:
    last = max(told for _, told in results)
    # In these times the followers' process did not run: it was paused, or the machine was too busy.
    stalled = sum(end - max(start, gone_since) for start, end in stalls if end > gone_since)
    with redis.server.client() as client:
        ((id, data),) = client.xrevrange(f"ssejet:{{{key}}}:log", count=1)
    now, wall = time.monotonic(), time.time()
    ended = int(id.split(b"-")[1]) / 1000 - (wall - now) - gone_since
    notice = Notice(last - gone_since, stalled, redis.lost_time(gone_since), ended)
    if reason == "abandoned":
        totals.notices.append(notice)
    elif notice.away:
        # The producer was frozen for longer than its lease while Redis was away, too. It may go on.
        return
    if notice.late > 0:
        raise ProblemError(
            f"the followers were told {notice.late:.2f} s too late: {notice.told:.2f} s after the fault; "
            f"their process did not run for {stalled:.2f} s of it; the log ended after {ended:.2f} s: {data}"
        )


def check(schedule: Schedule, results: list[Any], log: list[Any]) -> str:
    for got, _ in results:
        ids = [id for id, _, _ in got]
        if len(set(ids)) != len(ids):
            raise ProblemError(f"an event came twice: {ids}")
        if got != log:
            raise ProblemError(f"a follower did not get what is in the log:\n{got}\n{log}")
    numbers = [int(data) for _, type, data in log if type == "message"]
    if numbers != list(range(len(numbers))):
        raise ProblemError(f"events were lost or doubled: {numbers}")
    if any(type == "gap" for _, type, _ in log):
        raise ProblemError(f"there is a gap: {log}")
    if [type for _, type, _ in log].count("end") != 1 or log[-1][1] != "end":
        raise ProblemError(f"the end is not at the end: {log[-4:]}")
    reason = str(json.loads(log[-1][2])["reason"])
    kinds = {fault.kind for fault in schedule.faults}
    if reason == "finished" and len(numbers) != schedule.items:
        raise ProblemError(f"the log ended after {len(numbers)} of {schedule.items} events")
    if reason == "stopped" and "stop" not in kinds:
        raise ProblemError("nobody asked to stop")
    # A producer that cannot renew its lease because Redis is away may count as dead.
    if reason == "abandoned" and not kinds & {"kill", "freeze", "restart", "freeze redis"} and not SHARED:
        raise ProblemError("the producer was alive, and counts as dead")
    return reason


# Whether faults of Redis can come from other schedules.
SHARED = False


def run_many(count: int, seed: int, jobs: int) -> Totals:
    """Run schedules, and return what came of them."""
    global SHARED
    SHARED = jobs > 1
    totals = Totals()
    processes.set_forkserver_preload(["ssejet.hub", "ssejet.hub._redis", "redis_server"])
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(RedisServer(Path(folder)))

        def one(number: int) -> None:
            schedule = Schedule.random(number)
            try:
                totals.ends[run(schedule, redis, totals)] += 1
            except Exception as error:
                totals.problems.append(f"{schedule}: {type(error).__name__}: {error}")

        try:
            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(one, range(seed, seed + count)))
        finally:
            redis.server.close()
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule")
    parser.add_argument("--jobs", type=int, default=4, help="schedules at a time")
    parser.add_argument(
        "--kinds",
        choices=["faults", "outages"],
        default="faults",
        help="see soak_hub_outages.py for the second",
    )
    parser.add_argument("--json", type=Path, help="a file to which to add the figures, as one line")
    options = parser.parse_args()
    if options.kinds == "outages":
        import soak_hub_outages

        many = soak_hub_outages.run_many
    else:
        many = run_many
    totals = many(options.schedules, options.seed, options.jobs)
    for problem in totals.problems:
        print(problem[:2000])
    print(totals.report())
    print(f"load {os.getloadavg()[0]:.0f}")
    if options.json:
        with options.json.open("a") as file:
            notices = [vars(notice) for notice in totals.notices]
            file.write(json.dumps(vars(totals) | {"notices": notices}) + "\n")
    sys.exit(bool(totals.problems))


if __name__ == "__main__":
    main()

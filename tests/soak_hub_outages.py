"""The hub over Redis while Redis is emptied, full or evicts keys, its clock jumps, or the network is cut.

`python tests/soak_hub.py --kinds outages --schedules 100` runs random schedules, and says what came of them.
Each schedule has a Redis of its own; some processes that try to start the producer at the same time, of which
one has to win; followers in another process, which leave and come back with the id of their last event; and
some faults. The producers and the followers each have a proxy between them and Redis. A network that is cut
forwards nothing and closes nothing, and the connections that it had stay dead.

Then every follower must have got an end; and each number once and in order, as far as there is no `gap`
between. There is a gap only if Redis has lost something.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezing import stay_frozen
from redis_server import RedisServer
from soak_hub import (
    A_LONG_TIME,
    LEASE,
    WATCH,
    Fault,
    Notice,
    ProblemError,
    Schedule,
    Totals,
    pause,
    print_tasks,
    processes,
    read,
    run_producer,
    state_of,
    stop,
    watch,
)
from ssejet.hub import AsyncHub, HubError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *ahead;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("SOAK_CLOCK"), O_RDONLY);
    void *found = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) ahead = found;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (!failed && ahead && is_wall) now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""
"""A library that sets the clock of one process: a file has by how many seconds."""

FAULTS = (
    "kill", "freeze", "empty", "full", "evict meta", "evict log", "evict w", "cut producer", "cut followers",
    "clock forward", "clock back", "stop",
)  # fmt: skip

# What Redis has lost is a gap.
LOSSES = {"empty", "evict meta", "evict log", "evict w"}

# What can end a log whose producer is alive.
DEADLY = {"kill", "freeze", "empty", "full", "cut producer", "clock forward", "cut followers"}

# So many seconds after Redis has lost a log followers are told.
_TOLD_LOSS_WITHIN = 9.0

# A connection that is dead is noticed after so many seconds, and another one is made.
_NOTICED_WITHIN = 7.0

# How far the clock of Redis jumps, in seconds.
_JUMP = 30


@dataclass
class OutageSchedule(Schedule):
    """What happens in one run.

    Attributes:
        rivals: how many other processes start the producer at the same time.
    """

    rivals: int

    @classmethod
    def random(cls, seed: int) -> OutageSchedule:
        chance = random.Random(seed)
        kinds = chance.sample(FAULTS, k=chance.choice([1, 1, 2, 3]))
        if chance.random() < 0.3 and "stop" not in kinds:
            kinds.append("stop")
        faults = []
        for kind in kinds:
            span = chance.uniform(0.05, 3.0)
            if kind == "freeze":
                span += LEASE + 0.3
            faults.append(Fault(kind, chance.uniform(0.0, 1.0), span))
        faults.sort(key=lambda fault: fault.at)
        return cls(
            seed, items=chance.randint(1, 200), pause=chance.choice([0.0, 0.01, 0.02, 0.05]),
            followers=chance.randint(1, 4), rivals=chance.choice([0, 1, 2]),
            drops=chance.choice([0.0, 0.02, 0.1]), faults=faults,
        )  # fmt: skip


class Network:
    """Runs proxies in a thread, which all schedules share."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def proxy(self, port: int) -> Proxy:
        proxy = Proxy(self, port)
        self.call(proxy.open())
        return proxy

    def watch(self, port: int) -> Watch:
        """Watch how fast a server answers over these proxies' thread."""
        watch = Watch()
        watch.task = asyncio.run_coroutine_threadsafe(watch.run(port), self.loop)
        return watch

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(A_LONG_TIME)


class Watch:
    """Takes note of how long Redis or the proxies did not run at most: then a renewal comes too late.

    Attributes:
        longest: the seconds.
        task: what watches.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.task: Any = None

    async def run(self, port: int) -> None:
        while True:
            began = time.monotonic()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # Redis restarts
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.closing(writer):
                    while True:
                        began = time.monotonic()
                        writer.write(b"PING\r\n")
                        await reader.readuntil(b"\n")
                        self.longest = max(self.longest, time.monotonic() - began)
                        await asyncio.sleep(WATCH)
            self.longest = max(self.longest, time.monotonic() - began)
            await asyncio.sleep(WATCH)


class Proxy:
    """Forwards connections to a port. A cut one forwards nothing, and closes nothing."""

    def __init__(self, network: Network, port: int) -> None:
        self._network = network
        self._target = port
        self._is_cut = False
        self._age = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Kill all connections in silence, those too that are made before ``heal``."""
        self._is_cut = True

    def heal(self) -> None:
        """Let new connections through."""
        self._age += 1
        self._is_cut = False

    def close(self) -> None:
        self._network.call(self._close())

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        age = self._age
        self._writers.append(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            if not self._is_cut:
                writer.close()
            return
        self._writers.append(back)
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._forward(source, target, age))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, age: int) -> None:
        chunk = b"."
        while chunk:
            try:
                chunk = await source.read(65536)
            except OSError:
                chunk = b""
            if self._is_cut or age != self._age:
                continue
            with contextlib.suppress(OSError):
                if chunk:
                    target.write(chunk)
                    await target.drain()
                else:
                    target.close()


class Redis:
    """A server that can be emptied, filled, and whose clock can jump."""

    def __init__(self, folder: Path, library: Path | None) -> None:
        self._folder = folder
        self._clock = folder / "clock"
        self.jump(0)
        env = {} if library is None else {"LD_PRELOAD": str(library), "SOAK_CLOCK": str(self._clock)}
        self.server = RedisServer(folder, env=env)
        self.url = self.server.url

    def jump(self, seconds: int) -> None:
        """Set the clock of the server forward or back."""
        with self._clock.open("r+b" if self._clock.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    def empty(self, span: float) -> None:
        """Restart the server without what it had."""
        self.server.kill()
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        (self._folder / "appendonly.aof").unlink(missing_ok=True)
        time.sleep(min(span, 0.5))
        self.server.start()

    def fill(self, span: float) -> None:
        """Let the server have no room for so many seconds."""
        with self.server.client() as client:
            client.config_set("maxmemory", "1")
            time.sleep(span)
            client.config_set("maxmemory", "0")

    def evict(self, what: str) -> None:
        """Remove keys of one kind, as a server does that is full and may evict keys."""
        with self.server.client() as client:
            for key in client.keys(f"*:{what}*"):
                client.unlink(key)

    def has_log(self, key: str) -> bool:
        with self.server.client() as client:
            return bool(client.exists(f"ssejet:{{{key}}}:meta"))


def produce(url: str, key: str, items: int, pause: float, barrier: Any, pipe: Any) -> None:
    """The process of a producer, which may find that another one has won."""
    barrier.wait(A_LONG_TIME)
    run_producer(url, key, items, pause, pipe)


def follow(url: str, key: str, schedule: OutageSchedule, pipe: Any) -> None:
    """The process of the followers: it sends what each one got, and when."""
    stay_frozen()
    chance = random.Random(schedule.seed)

    async def one(hub: AsyncHub, chance: random.Random, got: list[Any]) -> None:
        last_id = ""
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        while True:
            async with contextlib.aclosing(hub.follow(key, last_event_id=last_id)) as events:
                async for event in events:
                    got.append((event.id, event.event, event.data, time.monotonic()))
                    last_id = event.id or ""
                    if event.event == "end":
                        return
                    if chance.random() < schedule.drops:
                        break
            await asyncio.sleep(chance.uniform(0.0, 0.02))

    async def main() -> None:
        stalls: list[tuple[float, float]] = []
        async with AsyncHub(url) as hub:
            pipe.send("ready")
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print_tasks, hub)
            watcher = asyncio.create_task(watch(stalls))
            results: list[list[Any]] = [[] for _ in range(schedule.followers)]
            tasks = [asyncio.create_task(one(hub, random.Random(chance.random()), got)) for got in results]
            while not all(task.done() for task in tasks):
                await asyncio.wait(tasks, timeout=0.1)
                if pipe.poll():
                    # There is no log any more. One that has got nothing waits for the next one.
                    pipe.recv()
                    waiting = [task for task, got in zip(tasks, results, strict=True) if not got]
                    for task in waiting:
                        task.cancel()
                    await asyncio.wait(waiting or tasks, timeout=1.0)
            watcher.cancel()
            for task in tasks:
                if not task.cancelled():
                    task.result()
            pipe.send((results, stalls))

    asyncio.run(main())


def run(schedule: OutageSchedule, network: Network, folder: Path, clock: Path | None, totals: Totals) -> str:
    """Run a schedule, and return how its log ended."""
    key = f"soak-{schedule.seed}"
    with contextlib.ExitStack() as stack:
        redis = Redis(folder, clock)
        stack.callback(redis.server.close)
        near, far = network.proxy(redis.server.port), network.proxy(redis.server.port)
        answers = network.watch(redis.server.port)
        stack.callback(answers.task.cancel)
        stack.callback(near.close)
        stack.callback(far.close)
        follower_end, follower_pipe = processes.Pipe()
        followers = processes.Process(target=follow, args=(far.url, key, schedule, follower_pipe))
        barrier = processes.Barrier(schedule.rivals + 1)
        producers = []
        for _ in range(schedule.rivals + 1):
            ours, theirs = processes.Pipe()
            args = (near.url, key, schedule.items, schedule.pause, barrier, theirs)
            producers.append((processes.Process(target=produce, args=args), ours))
        for process in (followers, *(process for process, _ in producers)):
            process.start()
            stack.callback(process.join)
            stack.callback(process.kill)
        if not follower_end.poll(A_LONG_TIME) or not all(pipe.poll(A_LONG_TIME) for _, pipe in producers):
            raise ProblemError("the processes did not begin")
        follower_end.recv()
        won = [(process, pipe) for process, pipe in producers if pipe.recv() is True]
        if len(won) != 1:
            raise ProblemError(f"{len(won)} of {len(producers)} processes have won")
        times = play(schedule, redis, won[0][0], near, far, key)
        results, stalls = wait_for_end(key, redis, won[0][0], followers, follower_end)
        log = asyncio.run(read(redis.url, key)) if redis.has_log(key) else []
        # A machine that is too busy to run the producer, Redis or the proxy between them is as bad as one
        # that freezes the producer: its lease is not renewed in time.
        stalled = 0.0
        producer, pipe = won[0]
        deadline = time.monotonic() + A_LONG_TIME
        while not pipe.poll(0.5) and producer.is_alive() and time.monotonic() < deadline:
            pass
        if pipe.poll():
            with contextlib.suppress(EOFError):  # it was killed
                stalled = pipe.recv()
        is_frozen = max(stalled, answers.longest) > LEASE / 2
        reason = check(schedule, results, log, is_frozen=is_frozen)
        check_times(schedule, reason, times, results, stalls, totals)
        totals.appended += len(log)
        totals.delivered += sum(map(len, results))
        return reason
    raise AssertionError


def play(
    schedule: OutageSchedule, redis: Redis, producer: Any, near: Proxy, far: Proxy, key: str
) -> dict[str, tuple[float, float]]:
    """Let the faults happen; return when each kind began and ended."""
    times = {}
    healings: list[tuple[float, Proxy]] = []
    began = time.monotonic()

    def heal(until: float) -> None:
        for at, proxy in sorted(healings, key=lambda each: each[0]):
            if at <= until:
                time.sleep(max(0.0, at - time.monotonic()))
                proxy.heal()
                healings.remove((at, proxy))

    for fault in schedule.faults:
        heal(began + fault.at)
        time.sleep(max(0.0, began + fault.at - time.monotonic()))
        start = time.monotonic()
        until = start
        if fault.kind == "kill":
            producer.kill()
        elif fault.kind == "freeze":
            pause(producer, fault.span)
        elif fault.kind == "empty":
            redis.empty(fault.span)
        elif fault.kind == "full":
            redis.fill(fault.span)
        elif fault.kind.startswith("evict"):
            redis.evict(fault.kind.split()[1])
        elif fault.kind.startswith("cut"):
            proxy = near if fault.kind == "cut producer" else far
            proxy.cut()
            until = start + fault.span
            healings.append((until, proxy))
        elif fault.kind.startswith("clock"):
            redis.jump(_JUMP if fault.kind == "clock forward" else -_JUMP)
        else:
            with contextlib.suppress(HubError):  # Redis may have no room for the request
                asyncio.run(stop(redis.url, key))
        times[fault.kind] = (start, max(until, time.monotonic()))
    heal(float("inf"))
    return times


def wait_for_end(
    key: str, redis: Redis, producer: Any, followers: Any, pipe: Any
) -> tuple[list[Any], list[Any]]:
    """Return what the followers got. Those that wait for a log that nobody makes are told to give up."""
    began = time.monotonic()
    nothing_since = None
    has_given_up = False
    while not pipe.poll(0.5):
        now = time.monotonic()
        if now - began > A_LONG_TIME + _JUMP:
            state = state_of(key, redis.server, followers)
            raise ProblemError(
                f"the followers were not told the end: {producer.is_alive()} {has_given_up} {state}"
            )
        if producer.is_alive() or redis.has_log(key):
            nothing_since = None
        elif nothing_since is None:
            nothing_since = now
        elif now - nothing_since > _TOLD_LOSS_WITHIN + _NOTICED_WITHIN and not has_given_up:
            has_given_up = True
            pipe.send("give up")
    results, stalls = pipe.recv()
    return results, stalls


def check(schedule: OutageSchedule, results: list[Any], log: list[Any], *, is_frozen: bool) -> str:
    kinds = {fault.kind for fault in schedule.faults}
    reasons = set()
    for got in results:
        if not got:
            if not kinds & LOSSES:
                raise ProblemError("a follower got nothing")
            continue
        events = [(event_id, kind, data) for event_id, kind, data, _ in got]
        if [kind for _, kind, _ in events].count("end") != 1 or events[-1][1] != "end":
            raise ProblemError(f"the end is not at the end: {events[-4:]}")
        for (last_id, last_kind, _), (event_id, kind, _) in pairwise(events):
            if "gap" not in (last_kind, kind) and event_id.split("-")[0] != last_id.split("-")[0]:
                raise ProblemError(f"the incarnation changes without a gap: {events}")
        if log and events[-1][0].split("-")[0] not in (log[-1][0].split("-")[0], "0"):
            raise ProblemError(f"the ids are not those of the log: {events}\n{log}")
        parts = list(parts_of(events))
        if len(parts) > 1 and not kinds & LOSSES:
            raise ProblemError(f"there is a gap: {events}")
        for number, part in enumerate(parts):
            first = part[0] if part and number else 0
            if part != list(range(first, first + len(part))):
                raise ProblemError(f"events were lost or doubled: {part} of {events}")
        reason = str(json.loads(events[-1][2])["reason"])
        if len(parts) == 1:
            if reason == "finished" and len(parts[0]) != schedule.items:
                raise ProblemError(f"the log ended after {len(parts[0])} of {schedule.items} events")
            if log and log[0][1] != "gap" and events != log:
                raise ProblemError(f"a follower did not get what is in the log:\n{events}\n{log}")
        if reason == "stopped" and "stop" not in kinds:
            raise ProblemError("nobody asked to stop")
        if reason == "missing" and not kinds & LOSSES:
            raise ProblemError("the log is missing")
        if reason == "abandoned" and not kinds & DEADLY and not is_frozen:
            raise ProblemError("the producer was alive, and counts as dead")
        reasons.add(reason)
    return " and ".join(sorted(reasons)) or "nothing"


def parts_of(events: list[Any]) -> Iterator[list[int]]:
    """The numbers between the gaps."""
    part: list[int] = []
    for _, kind, data in events:
        if kind == "gap":
            yield part
            part = []
        elif kind == "message":
            part.append(int(data))
    yield part


def check_times(
    schedule: OutageSchedule,
    reason: str,
    times: dict[str, tuple[float, float]],
    results: list[Any],
    stalls: list[tuple[float, float]],
    totals: Totals,
) -> None:
    kinds = set(times)
    told = [got for got in results if got]

    def not_run(since: float) -> float:
        return sum(end - max(start, since) for start, end in stalls if end > since)

    gone = [times[kind][0] for kind in ("kill", "freeze", "cut producer") if kind in kinds]
    if reason == "abandoned" and gone and kinds <= {"kill", "freeze", "cut producer", "stop"}:
        last = max(got[-1][3] for got in told)
        notice = Notice(last - min(gone), not_run(min(gone)), 0.0, last - min(gone))
        totals.notices.append(notice)
        if notice.late > 0:
            raise ProblemError(f"the followers were told {notice.late:.2f} s too late: {notice}")
    losses = [times[kind] for kind in ("empty", "evict meta") if kind in kinds]
    if len(losses) == 1 and len(kinds) == 1:
        lost_at = losses[0][0]
        for got in told:
            gaps = [at for _, kind, _, at in got if kind == "gap"]
            if gaps:
                late = gaps[0] - lost_at - not_run(lost_at) - (losses[0][1] - lost_at)
                totals.gaps.append(late)
                if late > _TOLD_LOSS_WITHIN + 2.0:
                    raise ProblemError(f"the followers were told of the loss after {late:.2f} s")


def run_many(count: int, seed: int, jobs: int) -> Totals:
    """Run schedules, and return what came of them."""
    totals = Totals()
    processes.set_forkserver_preload(["ssejet.hub", "ssejet.hub._redis", "redis_server"])
    network = Network()

    def one(number: int) -> None:
        schedule = OutageSchedule.random(number)
        if clock is None:
            schedule.faults = [fault for fault in schedule.faults if not fault.kind.startswith("clock")]
        try:
            with tempfile.TemporaryDirectory() as folder:
                totals.ends[run(schedule, network, Path(folder), clock, totals)] += 1
                for fault in schedule.faults:
                    totals.faults[fault.kind] += 1
        except Exception as error:
            totals.problems.append(f"{schedule}: {type(error).__name__}: {error}")

    with tempfile.TemporaryDirectory() as folder:
        clock = build_clock(Path(folder))
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, range(seed, seed + count)))
    return totals


def build_clock(folder: Path) -> Path | None:
    """Build the library that sets a clock; None if there is no compiler for it."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        print("the clock of Redis does not jump: that needs Linux and a C compiler")
        return None
    library = folder / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-O", "-o", str(library), "-x", "c", "-"]
    subprocess.run(command, input=_CLOCK, text=True, check=True)
    return library

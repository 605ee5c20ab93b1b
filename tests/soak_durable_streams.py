"""Durable Streams over Redis, with two workers, while clients, connections, workers and Redis fail.

`python tests/soak_durable_streams.py --schedules 100` runs random schedules, and says what came of them. In a
schedule, some producers append numbers to one stream at the same time, and repeat each request until it is
answered; readers read it by plain requests, long-poll and events, lose their connection, and go on with their
last offset; and there are some faults. Then all readers must have got the same messages: each number of each
producer once, and in order.

Redis writes each change to its disk before it confirms it, so it loses nothing when it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from redis_server import RedisServer
from ssejet import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

FAULTS = ("cut", "restart", "freeze", "kill worker")
MODES = ("plain", "long-poll", "sse")

# In seconds: before a schedule counts as hung.
A_LONG_TIME = 90.0

JSON = {"content-type": "application/json"}

counts: Counter[str] = Counter()


class Site:
    """Redis, and a server with two workers."""

    def __init__(self, folder: Path) -> None:
        self.redis = RedisServer(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.lock = asyncio.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--workers", "2", "--port", str(self.port), "--log-level",
             "critical", "durable_streams_app:app"],
            cwd=Path(__file__).parent / "hub",
            env={**os.environ, "TEST_REDIS": self.redis.url, "TEST_LONG_POLL": "1"},
        )  # fmt: skip

    async def wait(self) -> None:
        """Return when the server answers."""
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    await client.head(f"{self.base}/x")
                    return
                except httpx.TransportError:  # noqa: PERF203
                    await asyncio.sleep(0.1)

    def workers(self) -> list[int]:
        """The processes of the workers."""
        command = ["ps", "-o", "pid=,args=", "--ppid", str(self._process.pid)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [int(line.split()[0]) for line in lines if "spawn_main" in line]

    async def fail(self, kind: str, span: float) -> None:
        """Make a fault."""
        async with self.lock:
            counts[kind] += 1
            if kind == "cut":
                await asyncio.to_thread(self.redis.cut)
            elif kind == "restart":
                await asyncio.to_thread(self.redis.kill)
                await asyncio.sleep(span)
                await asyncio.to_thread(self.redis.start)
            elif kind == "freeze":
                self.redis.freeze()
                await asyncio.sleep(span)
                self.redis.thaw()
            elif len(workers := self.workers()) == 2:
                os.kill(random.choice(workers), signal.SIGKILL)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self.redis.close()


async def until_answered(ask: Callable[[], Coroutine[Any, Any, httpx.Response]]) -> httpx.Response:
    """Repeat a request until its answer says something about the stream."""
    while True:
        try:
            answer = await ask()
        except httpx.TransportError:
            counts["requests without an answer"] += 1
        else:
            if answer.status_code != 503:
                return answer
            counts["requests answered 503"] += 1
        await asyncio.sleep(0.1)


async def produce(
    client: httpx.AsyncClient, url: str, number: int, items: int, chance: random.Random
) -> None:
    sequence, sent = 0, 0
    while sent < items:
        size = min(chance.randint(1, 5), items - sent)
        body = json.dumps([[number, count] for count in range(sent, sent + size)])
        headers = {
            **JSON, "producer-id": f"p{number}", "producer-epoch": "0", "producer-seq": str(sequence),
        }  # fmt: skip
        answer = await until_answered(lambda: client.post(url, headers=headers, content=body))  # noqa: B023
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 204:
            counts["repeated appends that were made before"] += 1
        sequence, sent = sequence + 1, sent + size
        if chance.random() < 0.3:
            await asyncio.sleep(chance.uniform(0, 0.02))


async def read(
    client: httpx.AsyncClient, url: str, mode: str, drops: float, chance: random.Random
) -> list[Any]:
    found: list[Any] = []
    offset = "-1"
    while True:
        parameters = {"offset": offset} if mode == "plain" else {"offset": offset, "live": mode}
        try:
            if mode == "sse":
                async with client.stream("GET", url, params=parameters) as answer:
                    if answer.status_code == 503:
                        await asyncio.sleep(0.1)
                        continue
                    assert answer.status_code == 200, answer.status_code
                    decoder = Decoder()
                    messages: list[Any] = []
                    async for part in answer.aiter_raw():
                        for event in decoder.feed(part):
                            if event.event == "data":
                                messages = event.json()
                                continue
                            control = event.json()
                            found += messages
                            messages = []
                            offset = control["streamNextOffset"]
                            if control.get("streamClosed"):
                                return found
                        if chance.random() < drops:
                            counts["readers that left"] += 1
                            break
                continue
            with anyio.fail_after(chance.uniform(0.001, 0.05) if chance.random() < drops else None):
                answer = await client.get(url, params=parameters)
        except (httpx.TransportError, TimeoutError):
            counts["readers that left"] += 1
            await asyncio.sleep(0.05)
            continue
        if answer.status_code == 503:
            await asyncio.sleep(0.1)
            continue
        assert answer.status_code in (200, 204), (answer.status_code, answer.text)
        if answer.status_code == 200:
            found += answer.json()
        offset = answer.headers["stream-next-offset"]
        if answer.headers.get("stream-closed"):
            return found
        if mode == "plain":
            await asyncio.sleep(0.02)


async def play(site: Site, seed: int) -> str | None:
    """Run a schedule, and return what was wrong."""
    chance = random.Random(seed)
    url = f"{site.base}/soak/{seed}"
    producers, items = chance.randint(1, 6), chance.randint(1, 60)
    drops = chance.choice([0.0, 0.1, 0.3])
    faults = [(kind, chance.uniform(0, 0.8)) for kind in chance.sample(FAULTS, chance.choice([0, 1, 1, 2]))]

    async def fail(kind: str, at: float) -> None:
        await asyncio.sleep(at)
        await site.fail(kind, chance.uniform(0.05, 0.5))

    limits = httpx.Limits(max_keepalive_connections=0)  # each request goes to any of the workers
    async with httpx.AsyncClient(limits=limits, timeout=15) as client:
        made = await until_answered(lambda: client.put(url, headers=JSON))
        assert made.status_code in (200, 201), made.text
        readers = [
            asyncio.ensure_future(read(client, url, mode, drops, random.Random(f"{seed}{mode}")))
            for mode in (*MODES, chance.choice(MODES))
        ]
        failing = [asyncio.ensure_future(fail(*fault)) for fault in faults]
        try:
            with anyio.fail_after(A_LONG_TIME):
                await asyncio.gather(
                    *(
                        produce(client, url, number, items, random.Random(f"{seed}p{number}"))
                        for number in range(producers)
                    )
                )
                closed = await until_answered(lambda: client.post(url, headers={"stream-closed": "true"}))
                assert closed.status_code == 204, closed.text
                results = await asyncio.gather(*readers)
        except TimeoutError:
            return f"schedule {seed} hangs"
        except AssertionError as error:
            return f"schedule {seed}: {error}"
        finally:
            await asyncio.gather(*failing)
            for task in readers:
                task.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
    counts["messages appended"] += producers * items
    counts["messages read"] += sum(map(len, results))
    if any(result != results[0] for result in results):
        return f"schedule {seed}: readers got different messages: {list(map(len, results))}"
    for number in range(producers):
        got = [count for who, count in results[0] if who == number]
        if got != list(range(items)):
            return f"schedule {seed}: of producer {number} with {items} messages, readers got {got}"
    return None


async def run_many(schedules: int, *, seed: int, jobs: int) -> list[str]:
    """Run schedules, some at the same time, and return what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            await site.wait()
            seeds = iter(range(seed, seed + schedules))
            problems: list[str] = []

            async def work() -> None:
                for each in seeds:
                    problem = await play(site, each)
                    counts["schedules"] += 1
                    if problem:
                        print(problem, flush=True)
                        problems.append(problem)

            await asyncio.gather(*(work() for _ in range(jobs)))
            return problems
        finally:
            site.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args()
    problems = asyncio.run(run_many(options.schedules, seed=options.seed, jobs=options.jobs))
    for name, count in sorted(counts.items()):
        print(f"{count:>8} {name}")
    print(f"{len(problems):>8} schedules with lost, doubled or disordered messages, or that hang")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()

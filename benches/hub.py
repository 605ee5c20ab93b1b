"""What the hub costs: CPU of each delivery and append, latency, and memory of idle followers.

`python -m benches.hub` starts a redis-server of its own, and measures the hub and two other ways to do the
same. It writes the figures to benches/results/hub, and the table and the pictures of docs/hub.md. CPU is that
of the process that is measured, user and system, so other programs on the machine change it little. Latency
is wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis.asyncio

from benches import machine
from benches.harness import Cell, Samples
from benches.plot import IMAGES, draw_hub
from benches.report import hub_markdown
from benches.results import HUB_DIRECTORY, Entrant, Results
from benches.workloads import Description
from ssejet.cli._svg import DARK, LIGHT
from ssejet.hub import AsyncHub

try:
    from fastapi_resumable_stream import ResumableStream
except ImportError:
    ResumableStream = None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

FOLLOWERS = 200
EVENTS = 2000
RATE = 200  # events a second
KEYS = 10_000

# The other ways cannot send faster to so many followers.
SLOW_EVENTS = 200
SLOW_RATE = 10

PAGE = Path(__file__).parent.parent / "docs" / "hub.md"

_processes = multiprocessing.get_context("spawn")


@contextmanager
def redis_server() -> Iterator[str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit("there is no redis-server on this machine: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def produce(url: str, key: str, events: int, rate: int) -> None:
    """Publish the time at a rate, from another process."""

    async def main() -> None:
        async with AsyncHub(url) as hub:
            await asyncio.sleep(1.5)
            await hub.start(key, lambda: clock(events, rate))
            while await hub.status(key) == "live":  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    asyncio.run(main())


async def clock(events: int, rate: int) -> AsyncIterator[str]:
    began = time.monotonic()
    for number in range(events):
        wait = began + number / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        yield str(time.monotonic_ns())


def naive_produce(url: str, key: str, events: int, rate: int) -> None:
    async def main() -> None:
        client = redis.asyncio.Redis.from_url(url)
        await asyncio.sleep(1.5)
        async for item in clock(events, rate):
            await client.xadd(key, {"d": item})
        await client.xadd(key, {"d": "end"})
        await client.aclose()

    asyncio.run(main())


class Deliveries:
    """Counts deliveries, and how long they took."""

    def __init__(self) -> None:
        self.delays: list[int] = []

    def add(self, sent: str) -> None:
        self.delays.append(time.monotonic_ns() - int(sent))

    def figures(self, cpu: float) -> dict[str, float]:
        self.delays.sort()
        count = len(self.delays)
        median, last = (self.delays[int(count * part)] / 1e6 for part in (0.5, 0.99))
        return {"µs of CPU": cpu / count * 1e6, "ms, median": median, "ms, 99 %": last}


async def measured(follow: Callable[[Deliveries], Awaitable[None]]) -> tuple[Deliveries, float]:
    deliveries = Deliveries()
    gc.collect()
    gc.freeze()
    began = time.process_time()
    await asyncio.gather(*(follow(deliveries) for _ in range(FOLLOWERS)))
    return deliveries, time.process_time() - began


async def follow_hub(hub: AsyncHub, key: str, deliveries: Deliveries) -> None:
    async for event in hub.follow(key):
        if event.event == "message":
            deliveries.add(event.data)


async def memory(events: int, rate: int) -> dict[str, float]:
    async with AsyncHub() as hub:
        alone = time.process_time()
        async for _ in clock(events, rate):
            pass
        alone = time.process_time() - alone
        await hub.start("key", lambda: clock(events, rate))
        deliveries, cpu = await measured(lambda each: follow_hub(hub, "key", each))
        return deliveries.figures(cpu - alone)


async def over_redis(url: str, events: int, rate: int) -> dict[str, float]:
    key = f"key-{rate}"
    producer = _processes.Process(target=produce, args=(url, key, events, rate))
    producer.start()
    async with AsyncHub(url) as hub:
        deliveries, cpu = await measured(lambda each: follow_hub(hub, key, each))
    producer.join()
    return deliveries.figures(cpu)


async def naive(url: str, events: int, rate: int) -> dict[str, float]:
    async def follow(deliveries: Deliveries) -> None:
        client = redis.asyncio.Redis.from_url(url, socket_timeout=None)
        last: Any = "0"
        while True:
            for _, entries in await client.xread({"naive": last}, block=5000):
                for id, fields in entries:
                    last = id
                    if fields[b"d"] == b"end":
                        await client.aclose()
                        return
                    deliveries.add(fields[b"d"].decode())

    producer = _processes.Process(target=naive_produce, args=(url, "naive", events, rate))
    producer.start()
    deliveries, cpu = await measured(follow)
    producer.join()
    return deliveries.figures(cpu)


def peer_produce(url: str, key: str, events: int, rate: int) -> None:
    async def main() -> None:
        async with redis.asyncio.Redis.from_url(url) as client:
            streams = ResumableStream(client)
            await asyncio.sleep(1.5)
            async for _ in await streams.start(key, lambda: clock(events, rate)):
                pass

    asyncio.run(main())


async def peer(url: str, events: int, rate: int) -> dict[str, float]:
    # Each follower has a connection.
    client = redis.asyncio.Redis.from_url(url, max_connections=4 * FOLLOWERS)
    streams = ResumableStream(client)

    async def follow(deliveries: Deliveries) -> None:
        while (stream := await streams.resume("peer")) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        async for item in stream:
            deliveries.add(item)

    producer = _processes.Process(target=peer_produce, args=(url, "peer", events, rate))
    producer.start()
    await asyncio.sleep(1.5)
    deliveries, cpu = await measured(follow)
    producer.join()
    await client.aclose()
    return deliveries.figures(cpu)


async def appends(url: str, events: int) -> dict[str, float]:
    async with AsyncHub(url) as hub:

        async def burst() -> AsyncIterator[dict[str, str]]:
            for number in range(events):
                if not number % 100:
                    await asyncio.sleep(0)
                yield {"delta": f"token {number}"}

        async with redis.asyncio.Redis.from_url(url) as client:
            server = await server_cpu(client)
            cpu, wall = time.process_time(), time.monotonic()
            await append(hub, burst)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            server = await server_cpu(client) - server
    return {
        "µs of CPU": cpu / events * 1e6,
        "µs of Redis's CPU": server / events * 1e6,
        "µs in all": wall / events * 1e6,
    }


async def append(hub: AsyncHub, burst: Callable[[], AsyncIterator[Any]]) -> None:
    await hub.start("appends", burst)
    while await hub.status("appends") == "live":  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def server_cpu(client: Any) -> float:
    info = await client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


async def many_keys(url: str | None, keys: int) -> dict[str, float]:
    async with AsyncHub(url) as hub:
        got = 0
        started = asyncio.Event()

        async def follow(number: int) -> None:
            nonlocal got
            async for _ in hub.follow(f"many-{number}"):
                got += 1
                if got == keys:
                    started.set()

        for first in range(0, keys, 500):
            many = range(first, min(first + 500, keys))
            await asyncio.gather(*(hub.publish(f"many-{number}", "first") for number in many))
        gc.collect()
        before = resident()
        tasks = [asyncio.create_task(follow(number)) for number in range(keys)]
        await started.wait()
        await asyncio.sleep(0.5)
        gc.collect()
        size = (resident() - before) / keys
        delays: list[float] = []
        for number in range(0, keys, max(1, keys // 100)):
            sent, seen = time.monotonic(), got
            await hub.publish(f"many-{number}", "second")
            while got == seen:  # noqa: ASYNC110
                await asyncio.sleep(0)
            delays.append(time.monotonic() - sent)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    delays.sort()
    return {
        "bytes each": size,
        "ms, median": delays[len(delays) // 2] * 1e3,
        "ms, 99 %": delays[int(len(delays) * 0.99)] * 1e3,
    }


def resident() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def measure(options: argparse.Namespace) -> Samples:
    """Measure everything, and print each figure as soon as it is known."""
    samples = Samples()

    def add(workload: str, contestant: str, figures: dict[str, float]) -> None:
        for metric, figure in figures.items():
            samples.figures[Cell(workload, contestant, metric)] = [figure]
        text = "   ".join(f"{figure:.2f} {metric}" for metric, figure in figures.items())
        print(f"{samples.workloads[workload].title:48} {contestant:26} {text}", flush=True)

    def begin(name: str, title: str, events: int) -> None:
        samples.workloads[name] = Description(title, events, 0, 0)

    fast, slow = f"deliver-{options.rate}", f"deliver-{SLOW_RATE}"
    begin(fast, f"{FOLLOWERS} followers, {options.rate} events a second", options.events)
    begin(slow, f"{FOLLOWERS} followers, {SLOW_RATE} events a second", SLOW_EVENTS)
    begin("append", "append by a producer, pipelined", 20_000)
    begin("many", f"{options.keys:,} keys with a follower each", options.keys)
    with redis_server() as url:
        add(fast, "hub in memory", asyncio.run(memory(options.events, options.rate)))
        add(fast, "hub over Redis", asyncio.run(over_redis(url, options.events, options.rate)))
        add(slow, "hub over Redis", asyncio.run(over_redis(url, SLOW_EVENTS, SLOW_RATE)))
        if ResumableStream is None:
            print("fastapi-resumable-stream is left out: it is not installed")
        else:
            add(slow, "fastapi-resumable-stream", asyncio.run(peer(url, SLOW_EVENTS, SLOW_RATE)))
        add(slow, "XREAD for each follower", asyncio.run(naive(url, SLOW_EVENTS, SLOW_RATE)))
        add("append", "hub over Redis", asyncio.run(appends(url, 20_000)))
        add("many", "hub in memory", asyncio.run(many_keys(None, options.keys)))
        add("many", "hub over Redis", asyncio.run(many_keys(url, options.keys)))
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--no-write", action="store_true", help="only print the figures")
    options = parser.parse_args()
    load = [round(os.getloadavg()[0], 1)]
    samples = measure(options)
    load.append(round(os.getloadavg()[0], 1))
    contestants = {"redis-py": Entrant(version("redis"), "Python"), "Redis": Entrant(server_version(), "C")}
    if ResumableStream is not None:
        contestants["fastapi-resumable-stream"] = Entrant(version("fastapi-resumable-stream"), "Python")
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": 1, "load": load, "followers": FOLLOWERS},
        contestants=contestants,
        samples=samples,
    )
    if options.no_write:
        return
    path = HUB_DIRECTORY / f"{results.date}-{machine.slug()}.json"
    results.write(path)
    between = r"(<!-- hub table: begin[^>]*-->).*?(<!-- hub table: end -->)"
    table = hub_markdown(results).replace("\\", "\\\\")
    PAGE.write_text(re.sub(between, f"\\1\n{table}\n\\2", PAGE.read_text(), flags=re.DOTALL))
    for theme in (LIGHT, DARK):
        (IMAGES / f"hub-{theme.name}.svg").write_text(draw_hub(results, theme), encoding="utf-8")
    print(f"written to {path}")


def server_version() -> str:
    program = shutil.which("redis-server") or shutil.which("valkey-server") or ""
    text = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return text.partition("v=")[2].partition(" ")[0]


if __name__ == "__main__":
    main()

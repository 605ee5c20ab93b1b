"""What the hub costs: CPU of each delivery and append, latency, and memory of idle followers.

`python -m benches.hub` starts a redis-server of its own, and prints a table. CPU is that of the process that
is measured, user and system, so other programs on the machine change it little. Latency is wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis.asyncio

from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

FOLLOWERS = 200
EVENTS = 2000
RATE = 200  # events a second
KEYS = 10_000

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

    def row(self, name: str, cpu: float) -> str:
        self.delays.sort()
        count = len(self.delays)
        median, last = (self.delays[int(count * part)] / 1e6 for part in (0.5, 0.99))
        return f"{name:42} {cpu / count * 1e6:6.1f} µs CPU   p50 {median:6.2f} ms   p99 {last:6.2f} ms"


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


async def memory(events: int, rate: int) -> str:
    async with AsyncHub() as hub:
        alone = time.process_time()
        async for _ in clock(events, rate):
            pass
        alone = time.process_time() - alone
        await hub.start("key", lambda: clock(events, rate))
        deliveries, cpu = await measured(lambda each: follow_hub(hub, "key", each))
        return deliveries.row("hub in memory, the producer left out", cpu - alone)


async def over_redis(url: str, events: int, rate: int) -> str:
    producer = _processes.Process(target=produce, args=(url, "key", events, rate))
    producer.start()
    async with AsyncHub(url) as hub:
        deliveries, cpu = await measured(lambda each: follow_hub(hub, "key", each))
    producer.join()
    return deliveries.row("hub over Redis", cpu)


async def naive(url: str, events: int, rate: int) -> str:
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
    return deliveries.row("a blocking XREAD for each follower", cpu)


async def appends(url: str, events: int) -> str:
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
    return (
        f"{'append by a producer, pipelined':42} {cpu / events * 1e6:6.1f} µs CPU   "
        f"{server / events * 1e6:.1f} µs of Redis's CPU   {wall / events * 1e6:.1f} µs in all"
    )


async def append(hub: AsyncHub, burst: Callable[[], AsyncIterator[Any]]) -> None:
    await hub.start("appends", burst)
    while await hub.status("appends") == "live":  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def server_cpu(client: Any) -> float:
    info = await client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


async def many_keys(url: str | None, keys: int) -> str:
    async with AsyncHub(url) as hub:
        got = 0
        started = asyncio.Event()

        async def follow(number: int) -> None:
            nonlocal got
            async for _ in hub.follow(f"many-{number}"):
                got += 1
                if got == keys:
                    started.set()

        for number in range(keys):
            await hub.publish(f"many-{number}", "first") if number % 500 == 0 else None
        await asyncio.gather(
            *(hub.publish(f"many-{number}", "first") for number in range(keys) if number % 500)
        )
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
    name = f"{keys:,} keys with a follower each, {'over Redis' if url else 'in memory'}"
    return f"{name:42} {size:6.0f} bytes each   p99 of publish and delivery {delays[-2] * 1e3:.2f} ms"


def resident() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--keys", type=int, default=KEYS)
    options = parser.parse_args()
    events, rate = options.events, options.rate
    print(f"{FOLLOWERS} followers of one key, {events} events, {rate} a second")
    with redis_server() as url:
        print(asyncio.run(memory(events, rate)), flush=True)
        print(asyncio.run(over_redis(url, events, rate)), flush=True)
        print(asyncio.run(naive(url, max(200, events // 10), min(rate, 10))), flush=True)
        print(asyncio.run(appends(url, 20_000)), flush=True)
        for place in (None, url):
            print(asyncio.run(many_keys(place, options.keys)), flush=True)


if __name__ == "__main__":
    main()

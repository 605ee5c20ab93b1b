"""What a log in Redis does when processes freeze or race, and when Redis loses data, is full, fails over."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from contextlib import ExitStack
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from counting import Answer, check_continuity, counted, data, everything, numbers
from redis import asyncio as redis_asyncio

from freezing import stay_frozen
from redis_server import RedisServer
from servers import A_LONG_TIME
from ssejet.hub import AsyncHub, HubError, _redis_link
from ssejet.hub._engine import Lease
from ssejet.hub._redis_feed import Feed
from ssejet.hub._redis_reader import _Shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ssejet import ServerSentEvent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP"),
]

STARTS = 10_000
LEASE = 2.0

_processes = multiprocessing.get_context("spawn")


def claim_all(url: str, pipe: Any, seed: int) -> None:
    """Start all keys in random order, many at a time; send the numbers of those that this process started."""

    async def main() -> None:
        async with AsyncHub(url, prefix="race") as hub:
            pipe.send("ready")
            pipe.recv()
            mine: list[int] = []

            async def start(number: int) -> None:
                if await hub._engine.claim(str(number), Lease(token_hex(8), 60)):
                    mine.append(number)

            # In the same order, a process that is a little late would win none.
            order = random.Random(seed).sample(range(STARTS), STARTS)
            for first in range(0, STARTS, 100):
                await asyncio.gather(*map(start, order[first : first + 100]))
            pipe.send(mine)

    asyncio.run(main())


def test_one_of_two_processes_starts_each_of_ten_thousand_keys(
    redis_server: RedisServer,
) -> None:
    pipes = []
    workers = []
    for seed in range(2):
        ours, theirs = _processes.Pipe()
        worker = _processes.Process(target=claim_all, args=(redis_server.url, theirs, seed))
        worker.start()
        pipes.append(ours)
        workers.append(worker)
    for pipe in pipes:
        assert pipe.poll(200)
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    started = []
    for pipe in pipes:
        assert pipe.poll(200)
        started.append(pipe.recv())
    for worker in workers:
        worker.join()
    # Both won some, so they did race.
    assert all(started)
    assert sorted(started[0] + started[1]) == list(range(STARTS))


def produce(url: str, pipe: Any) -> None:
    stay_frozen()
    # On a busy machine it may be frozen for longer than Redis may take, which counts as a lost connection.
    _redis_link._ANSWER_TIME = 10.0 * A_LONG_TIME

    async def main() -> None:
        hub = AsyncHub(url, prefix="frozen")
        assert await hub.start("key", numbers(100_000, 0.005), lease=LEASE)
        pipe.send("started")
        while "key" in hub._producers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        pipe.send("ended")
        await hub.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("meanwhile", ["nobody looks", "the log is abandoned", "the key is started anew"])
async def test_a_producer_that_was_frozen_beyond_its_lease_writes_nothing(
    own_redis: RedisServer, meanwhile: str
) -> None:
    ours, theirs = _processes.Pipe()
    producer = _processes.Process(target=produce, args=(own_redis.url, theirs))
    producer.start()

    def entries() -> list[Any]:
        with own_redis.client() as client:
            return list(client.xrange("frozen:{key}:log"))

    try:
        assert await anyio.to_thread.run_sync(ours.poll, 200)
        ours.recv()
        while len(entries()) < 20:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        os.kill(producer.pid or 0, signal.SIGSTOP)
        await anyio.sleep(LEASE + 0.3)
        if meanwhile == "the key is started anew":
            # As if the log's time to live were over.
            with own_redis.client() as client:
                client.delete(*client.keys("frozen:{key}:*"))
        async with AsyncHub(own_redis.url, prefix="frozen") as hub:
            if meanwhile == "the log is abandoned":
                assert (await data(hub, "key"))[-1] == '{"reason":"abandoned"}'
            if meanwhile == "the key is started anew":
                assert await hub.start("key", numbers(3, 0.01))
                assert await data(hub, "key") == counted(3)
            before = entries()
            os.kill(producer.pid or 0, signal.SIGCONT)
            assert await anyio.to_thread.run_sync(ours.poll, 200)
            assert ours.recv() == "ended"
            assert entries() == before
            expected = "finished" if meanwhile == "the key is started anew" else "abandoned"
            assert await hub.status("key") == expected
    finally:
        producer.kill()
        producer.join()


async def test_followers_are_told_of_a_producer_that_died_before_its_first_event(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The regular look at logs without a lease does not do it.
    monkeypatch.setattr("ssejet.hub._redis_feed._CHECK_INTERVAL", 10 * A_LONG_TIME)
    async with AsyncHub(redis_server.url, prefix="early") as hub:
        engine: Any = hub._engine

        async def follow(key: str) -> None:
            assert (await data(hub, key))[-1] == '{"reason":"abandoned"}'

        await hub.publish("published", "x")
        with anyio.fail_after(A_LONG_TIME):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, "new")
                tasks.start_soon(follow, "published")
                await anyio.sleep(0.3)
                for key in ("new", "published"):
                    assert await engine.claim(key, Lease(f"{key} dies", 0.5))


async def test_a_log_that_another_process_deleted_begins_again_at_one(redis_server: RedisServer) -> None:
    async with (
        AsyncHub(redis_server.url, prefix="again") as one,
        AsyncHub(redis_server.url, prefix="again") as other,
    ):
        for text in "abc":
            await one.publish("key", text)
        await other.delete("key")
        id = await one.publish("key", "d")
        assert id.endswith("-1")
        await one.finish("key")
        assert await data(other, "key") == ["d", '{"reason":"finished"}']


async def test_a_log_that_was_made_again_unseen_is_not_taken_for_the_old_one(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.hub._redis_feed._CHECK_INTERVAL", 10 * A_LONG_TIME)
    may_read = anyio.Event()
    may_read.set()
    read = _Shard._read

    async def read_when_allowed(shard: _Shard, connection: Any) -> None:
        await may_read.wait()
        await read(shard, connection)

    monkeypatch.setattr(_Shard, "_read", read_when_allowed)
    async with (
        AsyncHub(redis_server.url, prefix="unseen") as hub,
        AsyncHub(redis_server.url, prefix="unseen") as other,
    ):
        await other.publish("key", "old 1")
        events: list[ServerSentEvent] = []
        with anyio.fail_after(A_LONG_TIME):
            async for event in hub.follow("key"):
                events.append(event)
                if event.data == "old 1":
                    await other.publish("key", "old 2")
                elif event.data == "old 2":
                    may_read = anyio.Event()  # The read that has begun goes on.
                    await other.publish("key", "old 3")
                elif event.data == "old 3":
                    await other.delete("key")
                    for number in range(1, 6):
                        await other.publish("key", f"new {number}")
                    may_read.set()
                elif event.data == "new 5":
                    break
        news = [f"new {number}" for number in range(1, 6)]
        assert [event.data for event in events if event.event != "gap"] == ["old 1", "old 2", "old 3", *news]
        assert events[3].event == "gap"
        assert json.loads(events[3].data)["reason"] == "restarted"
        old, *new = [(event.id or "").partition("-")[0] for event in (events[2], *events[4:])]
        assert old not in new
        assert len(set(new)) == 1


async def test_a_follower_of_a_deleted_log_waits_without_asking_all_the_time(
    redis_server: RedisServer,
) -> None:
    async with AsyncHub(redis_server.url, prefix="deleted") as hub:
        await hub.publish("key", "a")
        await hub.delete("key")
        results: list[list[str]] = []

        async def follow() -> None:
            results.append(await data(hub, "key"))

        with anyio.fail_after(200), redis_server.client() as client:
            async with anyio.create_task_group() as tasks:
                before = reads(client)
                tasks.start_soon(follow)
                while reads(client) == before:  # noqa: ASYNC110
                    await anyio.sleep(0.02)
                await anyio.sleep(0.5)
                assert reads(client) - before < 30
                await hub.start("key", numbers(2, 0))
        assert results == [counted(2)]


def reads(client: Any) -> int:
    """How many times streams were read."""
    return int(client.info("commandstats").get("cmdstat_xread", {"calls": 0})["calls"])


async def test_a_stream_that_redis_evicted_is_a_gap_and_the_rest_is_kept(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="evict", max_bytes=5_000) as hub:
        for _ in range(4):
            await hub.publish("key", "x" * 1_000)
        with redis_server.client() as client:
            client.delete("evict:{key}:log")
        for text in ("a" * 1_000, "b", "c"):
            await hub.publish("key", text)
        await hub.finish("key")
        gap, *events = await everything(hub, "key")
        assert json.loads(gap.data) == {"reason": "trimmed", "missed": 4}
        assert [event.data for event in events[1:]] == ["b", "c", '{"reason":"finished"}']


async def test_followers_of_a_log_whose_last_entries_redis_evicted_are_told(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes any more, and only the state says that the log has ended."""
    monkeypatch.setattr("ssejet.hub._redis_feed._CHECK_INTERVAL", 0.3)
    async with AsyncHub(redis_server.url, prefix="tail") as hub:
        await hub.publish("key", "0")
        events: list[ServerSentEvent] = []

        async def follow() -> None:
            async for event in hub.follow("key"):
                events.append(event)
                if event.data == "0":
                    with redis_server.client() as client:
                        client.delete("tail:{key}:log")
                        client.hset("tail:{key}:meta", mapping={"s": "finished", "p": 3})

        with anyio.fail_after(20):
            await follow()
        assert [event.event for event in events] == ["message", "gap", "end"]
        assert [json.loads(event.data) for event in events[1:]] == [
            {"reason": "trimmed", "missed": 1},
            {"reason": "missing"},
        ]


async def test_while_redis_is_full_producers_and_followers_wait_and_lose_nothing(
    own_redis: RedisServer,
) -> None:
    async with AsyncHub(own_redis.url) as hub, AsyncHub(own_redis.url, timeout=0.3) as hasty:
        await hub.start("key", numbers(80, 0.01))
        results: list[list[str]] = []

        async def follow() -> None:
            results.append(await data(hub, "key"))

        with anyio.fail_after(200), own_redis.client() as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow)
                await anyio.sleep(0.2)
                client.config_set("maxmemory", 1)
                with pytest.raises(HubError, match=r"(?i)not allowed when used memory"):
                    await hasty.publish("other", "x")
                await anyio.sleep(0.3)
                client.config_set("maxmemory", 0)
        assert results == [counted(80)]


async def test_after_flushall_followers_are_told_and_the_producer_ends(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.hub._redis_feed._CHECK_INTERVAL", 0.3)
    async with AsyncHub(own_redis.url) as hub:
        await hub.start("key", numbers(100_000, 0.01))
        events: list[ServerSentEvent] = []

        async def follow() -> None:
            events.extend(await everything(hub, "key"))

        with anyio.fail_after(200):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow)
                await anyio.sleep(0.3)
                with own_redis.client() as client:
                    client.flushall()
        *_, gap, end = events
        assert json.loads(gap.data) == {"reason": "missing", "missed": None}
        assert end.data == '{"reason":"missing"}'
        assert await hub.status("key") == "missing"
        assert not hub._producers
        assert await hub.start("key", numbers(3, 0))
        assert await data(hub, "key") == counted(3)


async def test_after_a_restart_without_a_log_on_disk_the_producer_goes_on_and_followers_are_told(
    tmp_path: Path,
) -> None:
    server = RedisServer(tmp_path, "--appendonly", "no")
    has_some, has_more = anyio.Event(), anyio.Event()

    async def count() -> AsyncIterator[int]:
        for number in range(80):
            if number == 40:
                await has_some.wait()
                server.kill()
                await anyio.to_thread.run_sync(server.start)
            elif number == 60:
                await has_more.wait()
            yield number

    try:
        async with AsyncHub(server.url) as hub:
            await hub.start("key", count)
            events: list[ServerSentEvent] = []

            async def follow() -> None:
                async for event in hub.follow("key"):
                    events.append(event)
                    if event.data == "39":
                        has_some.set()
                    elif event.data == "59":
                        has_more.set()

            with anyio.fail_after(200):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(follow)
            check_continuity(events, until=80)
            late = await everything(hub, "key")
            assert late[0].event == "gap"
            assert late[-1].data == '{"reason":"finished"}'
    finally:
        server.close()


async def test_after_a_failover_to_a_replica_that_was_behind_followers_are_told(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        primary = RedisServer(tmp_path / "one", "--appendonly", "no")
        stack.callback(primary.close)
        replica = RedisServer(
            tmp_path / "two", "--appendonly", "no", "--replicaof", "127.0.0.1", str(primary.port)
        )
        stack.callback(replica.close)
        while True:
            with replica.client() as client:
                if client.info("replication")["master_link_status"] == "up":
                    break
            await anyio.sleep(0.05)
        ports = [primary.port]

        class Connection(redis_asyncio.Connection):
            """Connects to a name that means another server after the failover."""

            async def _connect(self) -> None:
                self.port = ports[-1]
                await super()._connect()

        def isolate() -> None:
            with replica.client() as client:
                client.replicaof("NO", "ONE")

        def fail_over() -> None:
            ports.append(replica.port)
            primary.kill()

        pools = [redis_asyncio.ConnectionPool(connection_class=Connection) for _ in range(2)]
        clients = [redis_asyncio.Redis(connection_pool=pool) for pool in pools]
        async with AsyncHub(client=clients[0]) as hub, AsyncHub(client=clients[1]) as other:
            answer = Answer()
            with anyio.fail_after(200):
                await answer.outlive_a_failover(hub, other, isolate, fail_over)
                late = await everything(hub, "key")
                assert '{"reason":"lost","missed":null}' in [event.data for event in late]
        for pool in pools:
            await pool.disconnect()


async def test_a_producer_is_right_or_told_if_redis_stands_still_for_longer_than_its_lease(
    own_redis: RedisServer,
) -> None:
    async with AsyncHub(own_redis.url) as hub, AsyncHub(own_redis.url) as other:
        with anyio.fail_after(A_LONG_TIME):
            assert await hub.start("key", numbers(300, 0.005), lease=LEASE)
            events = other.follow("key")
            got = [(await anext(events)).data]
            own_redis.freeze()
            await anyio.sleep(LEASE + 0.3)
            own_redis.thaw()
            got += [event.data async for event in events]
            # It was alive, but Redis cannot know that: the first call that it gets decides.
            if got[-1] == '{"reason":"abandoned"}':
                assert got[:-2] == counted(300)[: len(got) - 2]
            else:
                assert got == counted(300)
            while hub._producers:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            assert await data(hub, "key") == got


def test_a_log_that_is_followed_is_checked_before_its_time_to_live_is_over() -> None:
    feed = Feed("key", "log", 6.0)
    assert feed.next_check - time.monotonic() < 3
    feed.plan_check(-1.0)
    assert feed.next_check - time.monotonic() < 3
    feed.plan_check(100.0)
    assert feed.next_check - time.monotonic() < 3

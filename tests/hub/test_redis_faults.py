"""What a hub over Redis does when Redis, a connection or a process fails. The soak test has random faults."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from counting import counted, data, numbers
from redis import asyncio as redis_asyncio

from soak_hub import run_many
from ssejet.errors import FencedError
from ssejet.hub import AsyncHub, HubError
from ssejet.hub._engine import Lease

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_server import RedisServer
    from ssejet import ServerSentEvent


async def test_two_hubs_start_one_producer_and_follow_it(redis_server: RedisServer) -> None:
    async with (
        AsyncHub(redis_server.url, prefix="two") as one,
        AsyncHub(redis_server.url, prefix="two") as other,
    ):
        started = [await hub.start("key", numbers(30, 0.003)) for hub in (one, other)]
        assert started == [True, False]
        results: list[list[str]] = []

        async def follow(hub: AsyncHub) -> None:
            results.append(await data(hub, "key"))

        async with anyio.create_task_group() as tasks:
            for hub in (one, other, other):
                tasks.start_soon(follow, hub)
        assert results == [counted(30)] * 3


async def test_stop_reaches_the_producer_in_another_hub(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="s") as one, AsyncHub(redis_server.url, prefix="s") as other:
        await one.start("key", numbers(10_000, 0.01), lease=60)
        async with aclosing(other.follow("key")) as events:
            await anext(events)
            await other.stop("key")
            assert [event.data async for event in events][-1] == '{"reason":"stopped"}'


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut", "restart", "freeze"])
async def test_followers_and_producers_lose_nothing_while_redis_is_away(
    own_redis: RedisServer, fault: str
) -> None:
    async with AsyncHub(own_redis.url) as hub, AsyncHub(own_redis.url) as other:
        await hub.start("key", numbers(60, 0.01))
        results: list[list[str]] = []

        async def follow(each: AsyncHub) -> None:
            results.append(await data(each, "key"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, hub)
            tasks.start_soon(follow, other)
            await anyio.sleep(0.2)
            if fault == "cut":
                for _ in range(5):
                    own_redis.cut()
                    await anyio.sleep(0.03)
            elif fault == "restart":
                own_redis.kill()
                await anyio.sleep(0.3)
                await anyio.to_thread.run_sync(own_redis.start)
            else:
                own_redis.freeze()
                await anyio.sleep(0.3)
                own_redis.thaw()
        assert results == [counted(60)] * 2
        assert await data(other, "key") == counted(60)


@pytest.mark.slow
async def test_a_log_that_redis_has_lost_goes_on_and_followers_are_told(own_redis: RedisServer) -> None:
    """As after a failover to a replica that was behind."""
    async with AsyncHub(own_redis.url) as hub:
        is_lost = anyio.Event()

        async def source() -> AsyncIterator[str]:
            for number in range(60):
                if number == 20:
                    await is_lost.wait()
                yield str(number)

        await hub.start("key", source)
        events: list[ServerSentEvent] = []

        async def follow() -> None:
            async for event in hub.follow("key"):
                events.append(event)  # noqa: PERF401  # one by one

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            while len(events) < 20:  # noqa: ASYNC110
                await anyio.sleep(0.005)
            with own_redis.client() as client:
                # The last three events are forgotten, and the writer's count with them.
                (meta,) = client.keys("*:meta")
                log = meta.replace(b":meta", b":log")
                (writer,) = client.keys("*:w:*")
                position = int(client.hget(meta, "p")) - 3
                for id, _ in client.xrevrange(log, count=3):
                    client.xdel(log, id)
                client.hset(meta, "p", position)
                client.hincrby(writer, "n", -3)
            is_lost.set()
        gaps = [json.loads(event.data)["reason"] for event in events if event.event == "gap"]
        assert gaps == ["lost"]
        # This follower had got the events before they were lost.
        assert [event.data for event in events if event.event != "gap"] == counted(60)
        ids = [event.id for event in events if event.event != "gap"]
        assert len(set(ids)) == len(ids)
        assert len({(id or "").split("-")[0] for id in ids}) == 2
        # One that comes later is told too.
        assert '{"reason":"lost","missed":null}' in await data(hub, "key")
        first, *_ = await data(hub, "key", ids[0] or "")
        assert json.loads(first)["reason"] == "restarted"


@pytest.mark.slow
async def test_a_producer_without_a_lease_writes_nothing(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="fence") as hub:
        engine: Any = hub._engine
        right, wrong = Lease("right", 2.0), Lease("wrong", 60)
        assert await engine.claim("key", right)
        assert await engine.claim("key", right)  # repeated after a lost answer
        assert not await engine.claim("key", wrong)
        with pytest.raises(FencedError, match="the producer of 'key' may not write"):
            await engine.writer("key", wrong).append([])
        await anyio.sleep(2.1)
        assert await hub.status("key") == "abandoned"
        with pytest.raises(FencedError):
            await engine.writer("key", right).append([])
        error, end = await data(hub, "key")
        assert json.loads(error)["error"]["code"] == "abandoned"
        assert end == '{"reason":"abandoned"}'


async def test_an_append_that_is_repeated_is_not_doubled(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="double") as hub:
        await hub.publish("key", "a")
        writer: Any = hub._writers["key"]
        made: Any = writer._writer or writer._made()
        link: Any = made._context.writes
        exchange, calls = link._exchange, []

        async def lose_the_answer(batch: Any) -> Any:
            calls.append(batch)
            replies = await exchange(batch)
            if len(calls) < 3:
                raise ConnectionResetError
            return replies

        link._exchange = lose_the_answer
        id = await hub.publish("key", "b")
        link._exchange = exchange
        await hub.finish("key")
        assert len(calls) == 3
        assert id.endswith("-2")
        assert await data(hub, "key") == ["a", "b", '{"reason":"finished"}']


async def test_many_events_are_gathered_to_few_calls_and_the_first_goes_at_once(
    redis_server: RedisServer,
) -> None:
    async with AsyncHub(redis_server.url, prefix="gather", gather=0.5) as hub:
        with redis_server.client() as client:
            before = client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
            await hub.start("key", numbers(200, 0))
            assert await data(hub, "key") == counted(200)
            calls = client.info("commandstats")["cmdstat_evalsha"]["calls"] - before
        assert calls < 40


async def test_one_connection_reads_for_all_followers(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="one") as hub:
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(data, hub, f"key{number % 10}")
            mine: list[Any] = []
            with redis_server.client() as client:
                while not mine:
                    await anyio.sleep(0.1)
                    mine = [each for each in client.client_list() if each["cmd"] == "xread"]
            for number in range(10):
                await hub.start(f"key{number}", numbers(3, 0.001))
        assert len(mine) == 1


async def test_a_client_may_be_passed_and_stays_open(redis_server: RedisServer) -> None:
    client = redis_asyncio.Redis(port=redis_server.port, decode_responses=True)
    async with AsyncHub(client=client, prefix="client") as hub:
        await hub.start("key", numbers(3, 0))
        assert await data(hub, "key") == counted(3)
    assert await client.ping()
    await client.aclose()


def test_a_wrong_client_is_refused() -> None:
    with pytest.raises(TypeError, match=r"redis\.asyncio\.Redis or RedisCluster, not int"):
        AsyncHub(client=5)
    with pytest.raises(ValueError, match="not both"):
        AsyncHub("redis://x", client=redis_asyncio.Redis())
    with pytest.raises(ValueError, match="scheme"):
        AsyncHub("http://x")


def test_without_redis_py_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("ssejet.hub._redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    AsyncHub()
    with pytest.raises(ImportError, match=r"pip install 'ssejet\[redis\]'"):
        AsyncHub("redis://localhost")


async def test_a_call_says_that_redis_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from ssejet.hub._redis_context import RedisContext

    monkeypatch.setattr(RedisContext, "timeout", 0.2)
    async with AsyncHub("redis://127.0.0.1:1") as hub:
        with pytest.raises(HubError, match=r"has not answered for 0\.2 s"):
            await hub.start("key", list)
        with pytest.raises(HubError, match=r"has not answered for 0\.2 s"):
            await hub.publish("key", "x")
        with pytest.raises(HubError, match=r"has not answered for 0\.2 s"):
            await hub.status("key")


@pytest.mark.slow
def test_random_faults_lose_and_double_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    ends, problems = run_many(20, seed=1000, jobs=4)
    assert problems == []
    assert sum(ends.values()) == 20

"""What a hub over Redis does when Redis, a connection or a process fails. The soak test has random faults."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from counting import counted, data, numbers
from redis import asyncio as redis_asyncio

from soak_hub import run_many
from ssejet.errors import FencedError
from ssejet.hub import AsyncHub, HubError
from ssejet.hub._engine import Lease
from ssejet.hub._redis import RedisCursor
from ssejet.hub._redis_link import connected

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


# Forgets the last three events, and the writer's count with them, if the follower has them.
FORGET = """
local position = redis.call('HGET', KEYS[1], 'p')
if position ~= ARGV[1] then return 0 end
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 3)) do
  redis.call('XDEL', KEYS[2], entry[1])
end
redis.call('HSET', KEYS[1], 'p', position - 3)
redis.call('HINCRBY', KEYS[3], 'n', -3)
return 1
"""


@pytest.mark.slow
async def test_a_log_that_redis_has_lost_goes_on_and_followers_are_told(own_redis: RedisServer) -> None:
    """As after a failover to a replica that was behind."""
    may_go_on = anyio.Event()

    async def count() -> AsyncIterator[int]:
        for number in range(60):
            if number == 20:
                await may_go_on.wait()
            yield number

    async with AsyncHub(own_redis.url) as hub:
        await hub.start("key", count)
        events: list[ServerSentEvent] = []

        async def follow() -> None:
            async for event in hub.follow("key"):
                events.append(event)  # noqa: PERF401 (the test reads them meanwhile)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            while len(events) < 20:  # noqa: ASYNC110
                await anyio.sleep(0.001)
            with own_redis.client() as client:
                (meta,) = client.keys("*:meta")
                (writer,) = client.keys("*:w:*")
                names = (meta, meta.replace(b":meta", b":log"), writer)
                while not client.eval(FORGET, 3, *names, (events[-1].id or "").split("-")[1]):  # noqa: ASYNC110
                    await anyio.sleep(0.001)
            may_go_on.set()
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


async def test_a_call_says_that_redis_does_not_answer() -> None:
    async with AsyncHub("redis://127.0.0.1:1", timeout=0.2) as hub:
        with pytest.raises(HubError, match=r"has not answered for 0\.2 s"):
            await hub.start("key", list)
        with pytest.raises(HubError, match=r"has not answered for 0\.2 s"):
            await hub.publish("key", "x")
        with pytest.raises(HubError, match=r"has not answered for 0\.2 s"):
            await hub.status("key")


@pytest.mark.slow
def test_random_faults_lose_and_double_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    totals = run_many(20, seed=1000, jobs=4)
    assert totals.problems == []
    assert totals.ends.total() == 20


class LateEngine:
    """Reads like an engine, and gives the answers when it is told to.

    Args:
        engine: the engine.

    Attributes:
        has_read: set when an answer is there.
        is_let: whether answers are given.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.has_read = anyio.Event()
        self.is_let = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def read(self, key: str, after: int) -> Any:
        answer = await self._engine.read(key, after)
        self.has_read.set()
        await self.is_let.wait()
        return answer


@pytest.mark.parametrize("ends", [True, False])
async def test_a_follower_that_hears_late_that_there_was_no_log_looks_again(
    redis_server: RedisServer, ends: bool
) -> None:
    """Another follower has found the log meanwhile, so that nothing new may come to wake the late one."""
    async with AsyncHub(redis_server.url, prefix="late") as hub:
        key = f"key-{ends}"
        engine = hub._engine._engine  # type: ignore[attr-defined]
        late = LateEngine(engine)
        cursor = RedisCursor(late, key)  # type: ignore[arg-type]
        late.is_let.set()
        assert (await cursor.read(0, wait=True)).status == "missing"
        late.has_read, late.is_let = anyio.Event(), anyio.Event()
        pages: list[Any] = []

        async def read() -> None:
            pages.append(await cursor.read(0, wait=True))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await late.has_read.wait()
                await hub.publish(key, "x")
                if ends:
                    await hub.finish(key)
                async with aclosing(hub.follow(key)) as events:
                    assert (await anext(events)).data == "x"
                late.is_let.set()
        assert pages[0].log
        await cursor.aclose()


@pytest.mark.slow
async def test_a_redis_that_answers_too_late_has_not_answered_nothing(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All limits are over at once if the process did not run meanwhile."""
    monkeypatch.setattr("ssejet.hub._redis_link._ANSWER_TIME", 0.4)
    async with AsyncHub(own_redis.url) as hub:
        ids = [await hub.publish("key", "0")]

        async def publish() -> None:
            ids.append(await hub.publish("key", "1"))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                own_redis.freeze()
                tasks.start_soon(publish)
                await anyio.sleep(0.1)
                time.sleep(0.6)  # noqa: ASYNC251 (the event loop does not run)
                await anyio.sleep(0.1)
                own_redis.thaw()
            ids.append(await hub.publish("key", "2"))
        assert [id.partition("-")[2] for id in ids] == ["1", "2", "3"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a task does not tell that it was cancelled")
async def test_a_cancellation_that_redis_py_swallows_while_it_connects_ends_the_task() -> None:
    class Connection:
        async def disconnect(self, *, nowait: bool) -> None:
            pass

    class Pool:
        def __init__(self) -> None:
            self.released = 0

        async def get_connection(self) -> Connection:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)
            return Connection()

        async def release(self, connection: Connection) -> None:
            self.released += 1

    pool = Pool()
    task = asyncio.ensure_future(connected(pool))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.released == 1

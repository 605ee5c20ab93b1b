"""What a hub does when Redis refuses a command, is busy with a script, or the caller goes away in between."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from counting import counted, data, numbers

from ssejet.hub import AsyncHub, HubError, durable_streams
from ssejet.hub._engine import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_server import RedisServer

pytestmark = pytest.mark.slow

LIMIT = 200
# Longer than a test may take, so that only an answer of Redis ends a call.
PATIENT = {"timeout": 2.0 * LIMIT}


def user_without(server: RedisServer, *commands: str, keys: str = "~*") -> str:
    """Make a user who may call all commands but these; return the URL."""
    name = "".join(commands).strip("-") or "keys"
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", name, "reset", "on", ">word", keys, "&*", "+@all", *commands)
    return f"redis://{name}:word@127.0.0.1:{server.port}"


WRONG: dict[str, Callable[[RedisServer], str]] = {
    "no such database": lambda server: f"{server.url}/99",
    "a wrong password": lambda server: user_without(server, "-get").replace("word", "wrong"),
    "no SCRIPT LOAD": lambda server: user_without(server, "-script"),
    "no EVALSHA": lambda server: user_without(server, "-evalsha"),
    "no right to the keys": lambda server: user_without(server, keys="~another:*"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_each_call_says_at_once_what_redis_refuses(redis_server: RedisServer, what: str) -> None:
    async with AsyncHub(WRONG[what](redis_server), prefix="wrong", **PATIENT) as hub:
        with anyio.fail_after(LIMIT):
            for call in (
                lambda: hub.publish("key", "x"),
                lambda: hub.start("key", list),
                lambda: hub.status("key"),
                lambda: hub.stop("key"),
                lambda: hub.delete("key"),
                lambda: anext(hub.follow("key")),
            ):
                with pytest.raises(HubError, match="Redis refuses a command: "):
                    await call()


async def test_a_log_that_could_not_be_begun_blocks_nobody_and_expires(redis_server: RedisServer) -> None:
    url = user_without(redis_server, "-xadd")
    async with (
        AsyncHub(url, prefix="half", **PATIENT) as poor,
        AsyncHub(redis_server.url, prefix="half") as hub,
    ):
        for key in ("started", "published"):
            with pytest.raises(HubError, match="Redis refuses"):
                await (poor.start(key, list) if key == "started" else poor.publish(key, "x"))
            with redis_server.client() as client:
                assert client.ttl(f"half:{{{key}}}:meta") > 0
            assert await hub.start(key, numbers(2))
            with anyio.fail_after(LIMIT):
                assert await data(hub, key) == counted(2)


async def test_the_rights_that_the_page_names_are_enough(own_redis: RedisServer) -> None:
    page = (Path(__file__).parents[2] / "docs" / "hub.md").read_text(encoding="utf-8")
    rule = page[page.index("ACL SETUSER") :].partition("```")[0]
    with own_redis.client() as client:
        client.execute_command(*rule.split())
    url = f"redis://hub:password@127.0.0.1:{own_redis.port}/0"
    async with AsyncHub(url, max_events=5, **PATIENT) as hub, AsyncHub(url, **PATIENT) as other:
        with anyio.fail_after(LIMIT):
            await hub.start("key", numbers(20), lease=0.3)
            assert (await data(other, "key"))[-1] == counted(20)[-1]
            await hub.start("long", numbers(10_000, 0.01))
            events = other.follow("long")
            await anext(events)
            await other.stop("long")
            assert [event.data async for event in events][-1] == '{"reason":"stopped"}'
            await hub.publish("other", "x")
            await hub.delete("other")
            dead = Lease("dead", 0.1)
            assert await hub._engine.claim("dead", dead)
            assert (await data(other, "dead"))[-1] == '{"reason":"abandoned"}'
        app = durable_streams.app(hub)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            headers = {"content-type": "text/plain", "stream-ttl": "60"}
            assert (await client.put("/s", headers=headers, content=b"a")).status_code == 201
            assert (await client.get("/s")).content == b"a"


async def test_followers_are_told_that_redis_does_not_let_them_wait(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncHub(user_without(redis_server, "-xread"), prefix="unread") as hub:
        await hub.publish("key", "a")
        events = hub.follow("key")
        with anyio.fail_after(LIMIT):
            assert (await anext(events)).data == "a"
            with pytest.raises(HubError, match=r"Redis refuses a command: .*xread"):
                await anext(events)
    assert "the followers' reader failed" in caplog.text


async def test_a_producer_whose_end_redis_refuses_ends(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = user_without(redis_server, "-xtrim")
    async with AsyncHub(url, prefix="end", **PATIENT) as hub:

        async def source() -> Any:
            yield "a"
            with redis_server.client() as client:
                client.execute_command("ACL", "SETUSER", "xtrim", "-evalsha")
            yield "b"

        await hub.start("key", source)
        with anyio.fail_after(LIMIT):
            while hub._producers:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    assert "the end of the log 'key' was not written" in caplog.text


async def test_a_connection_that_is_made_while_redis_is_busy_is_made_again(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        try:
            client.config_set("busy-reply-threshold", 20)
        except Exception:
            client.config_set("lua-time-limit", 20)  # Redis 6

    def hog() -> None:
        with own_redis.client() as client, pytest.raises(Exception, match="killed"):
            client.eval("while true do end", 0)

    def is_busy() -> bool:
        with own_redis.client() as client:
            try:
                client.ping()
            except Exception as error:
                return "BUSY" in str(error)
        return False

    thread = threading.Thread(target=hog)
    thread.start()
    while not await anyio.to_thread.run_sync(is_busy):  # noqa: ASYNC110
        await anyio.sleep(0.01)
    async with AsyncHub(own_redis.url, **PATIENT) as hub:
        with anyio.fail_after(LIMIT):
            calls = [asyncio.ensure_future(hub.publish(f"key {number}", number)) for number in range(3)]
            while not hub._engine._engine._context.writes.losses:  # type: ignore[attr-defined] # noqa: ASYNC110
                await anyio.sleep(0.01)
            with own_redis.client() as client:
                client.script_kill()
            ids = await asyncio.gather(*calls)
            assert all(id.endswith("-1") for id in ids)
            # Each answer is that of its call.
            for number in range(3):
                assert (await hub.publish(f"key {number}", "x")) == ids[number].replace("-1", "-2")
    thread.join()


async def test_after_script_flush_the_hub_goes_on(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="flush") as hub:
        for number in range(5):
            with redis_server.client() as client:
                client.script_flush()
            assert (await hub.publish("key", number)).endswith(f"-{number + 1}")


async def test_a_start_that_its_caller_cancels_starts_the_producer_or_nothing(
    redis_server: RedisServer,
) -> None:
    """``task.cancel()`` reaches into all waits. A key that nobody serves would be blocked for the lease."""
    async with AsyncHub(redis_server.url, prefix="cancel") as hub:
        await hub.publish("connect", "x")
        with anyio.fail_after(LIMIT):
            for steps in range(25):
                key = str(steps)
                starting = asyncio.ensure_future(hub.start(key, numbers(2), lease=10.0 * LIMIT))
                for _ in range(steps):
                    await asyncio.sleep(0)
                starting.cancel()
                await asyncio.wait([starting])
                await hub.start(key, numbers(2), lease=10.0 * LIMIT)
                assert await data(hub, key) == counted(2)


# The loops that ended left connections open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_hub_that_was_not_closed_serves_the_next_event_loop(hub_options: dict[str, Any]) -> None:
    """As tests do that each have an event loop."""
    hub = AsyncHub(**hub_options, **PATIENT)

    async def use(number: int) -> None:
        with anyio.fail_after(LIMIT):
            assert (await hub.publish("key", "x")).endswith(f"-{number + 1}")
            await hub.start(f"key {number}", numbers(2))
            assert await data(hub, f"key {number}") == counted(2)

    for number in range(3):
        asyncio.run(use(number))

    async def close_and_use() -> None:
        async with hub:
            pass
        async with hub:
            await use(3)

    asyncio.run(close_and_use())
    gc.collect()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_that_are_forked_with_a_hub_have_hubs_of_other_names(redis_server: RedisServer) -> None:
    hub: Any = AsyncHub(redis_server.url)
    names = []
    for _ in range(2):
        ours, theirs = os.pipe()
        if not os.fork():
            try:
                os.write(theirs, hub._engine._engine._context.id.encode())
            finally:
                os._exit(0)
        os.wait()
        names.append(os.read(ours, 100))
        os.close(ours)
        os.close(theirs)
    assert len(set(names)) == 2
    assert all(names)


async def test_at_most_five_hundred_followers_read_from_redis_at_once(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="many") as hub:
        await hub.start("first", numbers(1))
        await data(hub, "first")
        context: Any = hub._engine._engine._context  # type: ignore[attr-defined]
        read, may_read = context.read, anyio.Event()
        reading = 0

        async def read_when_allowed(*args: Any, **options: Any) -> Any:
            nonlocal reading
            reading += 1
            await may_read.wait()
            reading -= 1
            return await read(*args, **options)

        context.read = read_when_allowed
        got: list[list[str]] = []

        async def follow(number: int) -> None:
            got.append(await data(hub, str(number)))

        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as tasks:
                for number in range(520):
                    tasks.start_soon(follow, number)
                while reading < 500:
                    await anyio.lowlevel.checkpoint()
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
                assert reading == 500
                may_read.set()
                await asyncio.gather(*(hub.start(str(number), numbers(1)) for number in range(520)))
        assert got == [counted(1)] * 520


async def test_a_client_that_resumes_one_by_one_after_a_loss_begins_again_once(
    redis_server: RedisServer,
) -> None:
    """The end of the log is in memory, with the ids from before Redis lost what the writer had appended."""
    async with AsyncHub(redis_server.url, prefix="loss") as hub:
        may_go_on, may_end = anyio.Event(), anyio.Event()

        async def source() -> Any:
            for number in range(20):
                if number == 10:
                    await may_go_on.wait()
                elif number == 15:
                    await may_end.wait()
                yield number

        await hub.start("key", source)
        ids: list[str] = []

        async def follow() -> None:
            async for event in hub.follow("key"):
                ids.append(event.id or "")
                if len(ids) == 10:
                    with redis_server.client() as client:
                        client.delete(*client.keys("loss:{key}:w:*"))
                    may_go_on.set()

        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow)
                while len(ids) < 16:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                id = ids[4]
                seen: list[str] = []
                while len(seen) < 40 and seen[-1:] != ["14"]:
                    async with aclosing(hub.follow("key", last_event_id=id)) as events:
                        event = await anext(events)
                    id = event.id or ""
                    seen.append(json.loads(event.data)["reason"] if event.event == "gap" else event.data)
                may_end.set()
        numbers = list(map(str, range(15)))
        assert seen == ["restarted", *numbers[:10], "lost", *numbers[10:]]

"""Durable Streams over Redis: several workers, and Redis that fails."""

from __future__ import annotations

import json
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from test_conditional_changes import change
from test_durable_streams import JSON, TEXT, client_of, error_of, events_of, offset_of, one_waits

from servers import A_LONG_TIME
from soak_durable_streams import run_many
from ssejet.hub import AsyncHub, durable_streams
from ssejet.hub._engine import Lifetime

if TYPE_CHECKING:
    import httpx

    from redis_server import RedisServer

pytestmark = pytest.mark.slow


async def test_requests_to_two_workers_at_once_are_appended_in_one_order(redis_server: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            hub = await stack.enter_async_context(AsyncHub(redis_server.url, prefix="order"))
            clients.append(await stack.enter_async_context(client_of(durable_streams.app(hub))))
        await clients[0].put("/s", headers=JSON)
        offsets: dict[str, list[int]] = {}
        read: list[Any] = []

        async def send(client: httpx.AsyncClient, worker: int) -> None:
            for number in range(20):
                messages = [[worker, number, part] for part in range(random.randint(1, 3))]
                answer = await client.post("/s", headers=JSON, content=json.dumps(messages))
                assert answer.status_code == 204
                offsets[offset_of(answer)] = messages[-1]

        async def follow() -> None:
            answer = await clients[1].get("/s", params={"offset": "-1", "live": "sse"})
            for event in events_of(answer):
                read.extend(event.json() if event.event == "data" else [])

        async with anyio.create_task_group() as readers:
            readers.start_soon(follow)
            async with anyio.create_task_group() as tasks:
                for worker in range(8):
                    tasks.start_soon(send, clients[worker % 2], worker)
            await clients[0].post("/s", headers={"stream-closed": "true"})
        found = (await clients[0].get("/s")).json()
        assert read == found
        positions = [found.index(offsets[offset]) for offset in sorted(offsets)]
        assert positions == sorted(positions)
        assert len({(worker, number) for worker, number, _ in found}) == 8 * 20
        for each in range(8):
            mine = [message for message in found if message[0] == each]
            assert mine == sorted(mine)


async def test_what_another_worker_has_done_is_seen_at_the_next_request(redis_server: RedisServer) -> None:
    async with (
        AsyncHub(redis_server.url, prefix="seen") as one,
        AsyncHub(redis_server.url, prefix="seen") as two,
        client_of(durable_streams.app(one)) as first,
        client_of(durable_streams.app(two)) as second,
    ):
        await first.put("/s", headers=TEXT, content="a")
        seq = {**TEXT, "stream-seq": "1"}
        assert (await second.post("/s", headers=seq, content="b")).status_code == 204
        assert (await first.post("/s", headers=seq, content="x")).status_code == 409
        assert (await first.get("/s")).text == "ab"
        await second.post("/s", headers={"stream-closed": "true"})
        assert (await first.post("/s", headers=TEXT, content="x")).headers["stream-closed"] == "true"
        await second.delete("/s")
        assert (await first.post("/s", headers=TEXT, content="x")).status_code == 404
        await second.put("/s", headers=JSON)
        assert (await first.post("/s", headers=TEXT, content="x")).status_code == 409
        assert (await first.post("/s", headers=JSON, content="1")).status_code == 204


async def test_a_client_at_one_worker_is_told_when_the_stream_is_deleted_at_another(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The regular check does not do it, nor does the end of a response.
    monkeypatch.setattr("ssejet.hub._redis_feed._CHECK_INTERVAL", 10 * A_LONG_TIME)
    async with (
        AsyncHub(redis_server.url, prefix="deleted") as one,
        AsyncHub(redis_server.url, prefix="deleted") as two,
        client_of(
            durable_streams.app(one, long_poll_timeout=10 * A_LONG_TIME, sse_lifetime=10 * A_LONG_TIME)
        ) as first,
        client_of(durable_streams.app(two)) as second,
    ):
        await first.put("/s", headers=JSON, content="[1]")
        results: list[httpx.Response] = []

        async def read(live: str) -> None:
            results.append(await first.get("/s", params={"offset": "now", "live": live}))

        with anyio.fail_after(A_LONG_TIME):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read, "long-poll")
                tasks.start_soon(read, "sse")
                await one_waits(one)
                await second.delete("/s")
                await second.put("/s", headers=JSON, content="[2, 3, 4]")
        assert not any(b"3" in event.data.encode() for each in results if each.status_code == 200
                       for event in events_of(each) if event.event == "data")  # fmt: skip


async def test_a_stream_that_lost_messages_gets_other_offsets(own_redis: RedisServer) -> None:
    async with AsyncHub(own_redis.url) as hub, client_of(durable_streams.app(hub)) as client:
        await client.put("/s", headers=JSON, content="[0]")
        with own_redis.client() as redis:
            names = [name for name in redis.scan_iter() if b":w:" not in name]
            kept = {name: redis.dump(name) for name in names}
            lost = offset_of(await client.post("/s", headers=JSON, content="[1, 2, 3, 4, 5, 6, 7]"))
            for name, value in kept.items():
                redis.restore(name, 0, value, replace=True)
        new = offset_of(await client.post("/s", headers=JSON, content="8"))
        assert new[:16] > lost[:16]
        assert (await client.get("/s")).json() == [0, 8]
        answer = await client.get("/s", params={"offset": lost})
        assert (answer.status_code, error_of(answer)) == (410, "offset-gone")
        assert (await client.get("/s", params={"offset": new})).json() == []
        await client.post("/s", headers={**JSON, "stream-closed": "true"}, content="9")
        answer = await client.get("/s", params={"offset": "-1", "live": "sse"})
        data = [event.json() for event in events_of(answer) if event.event == "data"]
        assert [message for part in data for message in part] == [0, 8, 9]


async def test_a_change_whose_answer_was_lost_is_made_once(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="r") as one, AsyncHub(redis_server.url, prefix="r") as two:
        await one._engine.commit("key", change("", "r1"))
        assert (await one._engine.commit("key", change("r1", "r2", b"1")))[0]
        assert (await two._engine.commit("key", change("r2", "r3", b"2", at=1)))[0]
        made, record = await one._engine.commit("key", change("r1", "r2", b"1"))
        assert (made, record.revision, record.page.last) == (True, "r3", 2)


async def test_what_is_read_at_once_is_bounded_in_bytes(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="bytes") as hub:
        parts = [bytes([number]) * 100_000 for number in range(100)]
        await hub._engine.commit("key", change("", "r1", *parts))
        found: list[bytes] = []
        sizes = []
        while len(found) < 100:
            page = (await hub._engine.load("key", after=len(found))).page
            found += [entry.frame for entry in page.entries]
            sizes.append(sum(len(entry.frame) for entry in page.entries))
        assert found == parts
        assert max(sizes) <= 2**21 + 100_000
        await hub._engine.commit("many", change("", "r1", *[b"x"] * 501))
        assert [len((await hub._engine.load("many", after=at)).page.entries) for at in (0, 1, 2)] == [
            500,
            500,
            499,
        ]


async def test_a_log_that_is_checked_keeps_its_own_lifetime(redis_server: RedisServer) -> None:
    async with AsyncHub(redis_server.url, prefix="check", ttl=300) as hub:
        engine: Any = hub._engine
        await hub._engine.commit("own", change("", "r1", b"1", lifetime=Lifetime(ttl=500)))
        await hub._engine.commit("forever", change("", "r1", b"1"))
        await hub.publish("hub's", "1")
        for key in ("own", "forever", "hub's"):
            await engine._engine._context.read(key, 0, entries=0, is_check=True)
        with redis_server.client() as redis:
            times = [redis.ttl(engine._engine._context.names.log(key)) for key in ("own", "forever", "hub's")]
        assert times[0] > 300
        assert times[1] == -1
        assert 0 < times[2] <= 300


async def test_while_redis_is_away_requests_get_503_and_waiting_clients_go_on(
    own_redis: RedisServer,
) -> None:
    async with (
        AsyncHub(own_redis.url, timeout=0.5) as hub,
        client_of(durable_streams.app(hub, long_poll_timeout=25)) as client,
    ):
        # Redis counts as away, too, while it is slower than the hub's timeout.
        while (await client.put("/s", headers=JSON)).status_code == 503:
            pass
        results: list[httpx.Response] = []

        async def read() -> None:
            while not results or results[-1].status_code == 503:
                results.append(await client.get("/s", params={"offset": "-1", "live": "long-poll"}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await one_waits(hub)
            refused = len(results)
            own_redis.kill()
            for answer in (await client.post("/s", headers=JSON, content="1"), await client.get("/s")):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            own_redis.start()
            while (await client.post("/s", headers=JSON, content="2")).status_code == 503:
                pass
        assert len(results) == refused + 1
        assert results[-1].json()[-1] == 2


async def test_workers_connections_and_redis_fail_and_no_message_is_lost_or_doubled() -> None:
    assert await run_many(6, seed=1, jobs=3) == []

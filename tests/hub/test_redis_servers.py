"""A hub with TLS and with Sentinel, and how many connections and how much memory it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
import redis
from counting import counted, data, numbers
from redis.asyncio.sentinel import Sentinel

from redis_server import RedisServer, free_port, need_redis
from ssejet.hub import AsyncHub
from ssejet.hub._redis_writer import _MAX_WAITING, _MAX_WAITING_BYTES
from tls import tls_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["tls_files"]

pytestmark = pytest.mark.slow

LIMIT = 200


async def test_a_hub_reaches_a_server_with_tls(tmp_path: Path, tls_files: tuple[Path, Path]) -> None:
    key, certificate = tls_files
    port = free_port()
    options = ("--tls-port", port, "--tls-key-file", key, "--tls-cert-file", certificate,
               "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")  # fmt: skip
    try:
        server = RedisServer(tmp_path, *map(str, options))
    except RuntimeError as error:
        pytest.skip(f"this server was built without TLS: {error}")
    try:
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}&ssl_check_hostname=false"
        async with AsyncHub(url) as hub:
            assert await hub.start("key", numbers(3))
            with anyio.fail_after(LIMIT):
                assert await data(hub, "key") == counted(3)
    finally:
        server.close()


async def is_known(sentinel: Sentinel) -> bool:
    try:
        await sentinel.discover_master("main")
    except redis.ConnectionError:
        return False
    return True


async def test_a_hub_reaches_the_server_that_sentinel_names(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {redis_server.port} 1\n"
    )
    process = await anyio.open_process([need_redis(), settings, "--sentinel"], cwd=tmp_path)
    sentinel = Sentinel([("127.0.0.1", port)])
    try:
        with anyio.fail_after(LIMIT):
            while not await is_known(sentinel):  # noqa: ASYNC110
                await anyio.sleep(0.05)
            client = sentinel.master_for("main")
            async with AsyncHub(client=client, prefix="sentinel") as hub:
                assert await hub.start("key", numbers(3))
                assert await data(hub, "key") == counted(3)
            await client.aclose()
    finally:
        for each in sentinel.sentinels:
            await each.aclose()
        process.kill()
        await process.aclose()


async def test_a_process_has_one_more_connection_for_so_many_logs(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.hub._redis_reader._MAX_FEEDS", 5)
    async with AsyncHub(redis_server.url, prefix="shards") as hub:
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as tasks:
                for number in range(12):
                    tasks.start_soon(data, hub, str(number))
                reading = 0
                with redis_server.client() as client:
                    while reading < 3:
                        await anyio.sleep(0.02)
                        reading = sum(each["cmd"] == "xread" for each in client.client_list())
                    assert len({each["id"] for each in client.client_list()}) <= 3 + 3
                for number in range(12):
                    await hub.start(str(number), numbers(1))


@pytest.mark.parametrize("size", [10, 100_000], ids=["events", "bytes"])
async def test_a_producer_waits_when_so_much_is_not_appended(own_redis: RedisServer, size: int) -> None:
    made = 0
    enough = _MAX_WAITING if size == 10 else _MAX_WAITING_BYTES // size

    async def source() -> AsyncIterator[str]:
        nonlocal made
        while made < 20_000:
            made += 1
            yield "x" * size

    async with AsyncHub(own_redis.url, shutdown="abandon", max_events=10) as hub:
        await hub.status("key")
        hub_writers: Any = hub._engine._engine._writers  # type: ignore[attr-defined]
        assert await hub.start("key", source)
        (writer,) = hub_writers.values()
        own_redis.freeze()
        with anyio.fail_after(LIMIT):
            while writer._room is None:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            stopped_at = made
            assert made >= enough
            await anyio.sleep(0.05)
            assert made == stopped_at
            own_redis.thaw()
            while made == stopped_at:  # noqa: ASYNC110
                await anyio.sleep(0.01)


async def test_a_live_log_is_kept_while_somebody_follows_it() -> None:
    async with AsyncHub(ttl=0.3) as hub:
        await hub.publish("key", "a")
        with anyio.fail_after(LIMIT):
            events = hub.follow("key")
            assert (await anext(events)).data == "a"
            await anyio.sleep(1.2)
            await hub.publish("key", "b")
            event = await anext(events)
            assert (event.data, (event.id or "")[-2:]) == ("b", "-2")
            await events.aclose()

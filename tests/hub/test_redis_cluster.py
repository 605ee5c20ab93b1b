"""The hub over a real Redis Cluster of three servers: slots that move, and a server that is away."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import redis
from counting import Answer, counted, data, everything, numbers
from redis import asyncio as redis_asyncio
from redis.crc import key_slot

from redis_server import RedisServer, free_port
from ssejet.hub import AsyncHub, HubError
from ssejet.hub._redis_cluster import ClusterLinks
from ssejet.hub._redis_names import Names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SLOTS = 16384
READY_TIME = 20


class RedisCluster:
    """Three servers, each with a third of the slots."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.servers: list[RedisServer] = []
        for number in range(3):
            self.servers.append(cluster_server(folder / str(number), stack))
        self.ids = [self.ask(number, "CLUSTER", "MYID").decode() for number in range(3)]
        for number in range(3):
            # Servers that begin with equal epochs correct them later. A replica that takes over before it
            # knows of that may have no later epoch than its server. The others then ignore it for ever.
            self.ask(number, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        bounds = [SLOTS * number // 3 for number in range(4)]
        for number in range(3):
            self.ask(number, "CLUSTER", "ADDSLOTS", *range(bounds[number], bounds[number + 1]))
            self.ask(number, "CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until all servers know each other and the latest epoch."""
        deadline = time.monotonic() + READY_TIME
        while not all(map(self.is_ready, range(len(self.servers)))):
            assert time.monotonic() < deadline, self.ask(0, "CLUSTER", "NODES")
            time.sleep(0.05)

    def ask(self, number: int, *command: Any) -> Any:
        with redis.Redis(port=self.servers[number].port, protocol=2) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    def is_ready(self, number: int) -> bool:
        info = self.ask(number, "CLUSTER", "INFO").splitlines()
        known = b"cluster_known_nodes:%d" % len(self.servers)
        return {b"cluster_state:ok", b"cluster_current_epoch:3", known} <= {*info}

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[AsyncHub]:
        async with (
            redis_asyncio.RedisCluster(port=self.servers[0].port, host="127.0.0.1") as client,
            AsyncHub(client=client) as hub,
        ):
            yield hub

    def owner(self, slot: int) -> int:
        for first, last, node, *_ in self.ask(0, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return [server.port for server in self.servers].index(node[1])
        raise AssertionError(slot)

    def move(self, slot: int, pause: float) -> None:
        """Move a slot to the next server, key by key, as redis-cli does it."""
        source = self.owner(slot)
        target = (source + 1) % 3
        self.ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
        self.ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[target])
        while names := self.ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            for name in names:
                self.ask(source, "MIGRATE", "127.0.0.1", self.servers[target].port, name, 0, 5000)
                time.sleep(pause)
        for number in (target, source, 3 - target - source):
            self.ask(number, "CLUSTER", "SETSLOT", slot, "NODE", self.ids[target])

    def add_replica(self, folder: Path, stack: ExitStack, of: int) -> RedisServer:
        """Start a server that copies another one, and wait until it has its data."""
        replica = cluster_server(folder / "replica", stack)
        self.servers.append(replica)
        self.ask(3, "CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        deadline = time.monotonic() + READY_TIME
        is_replica = False
        while b"master_link_status:up" not in self.ask(3, "INFO", "replication"):
            assert time.monotonic() < deadline, self.ask(3, "CLUSTER", "NODES")
            if not is_replica:
                with suppress(redis.ResponseError):  # it does not know the other one yet
                    self.ask(3, "CLUSTER", "REPLICATE", self.ids[of])
                    is_replica = True
            time.sleep(0.05)
        self.wait_until_ready()
        return replica

    def promote_replica(self) -> None:
        """Have the replica take the slots of a server that is away."""
        self.ask(3, "CLUSTER", "FAILOVER", "TAKEOVER")


def cluster_server(folder: Path, stack: ExitStack) -> RedisServer:
    """Start a server of a cluster."""
    folder.mkdir()
    options = {
        "cluster-enabled": "yes", "cluster-node-timeout": "2000", "cluster-require-full-coverage": "no",
        "appendonly": "yes", "appendfsync": "always",
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    server = RedisServer(folder, *words, port=port_of_a_cluster())
    stack.callback(server.close)
    return server


def port_of_a_cluster() -> int:
    """A free port that leaves the one 10,000 above it free, where servers of a cluster talk to each other.

    Before Redis 7, that cannot be another one.
    """
    while True:
        port = free_port()
        with socket.socket() as bus, suppress(OSError, OverflowError):
            bus.bind(("127.0.0.1", port + 10_000))
            return port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with ExitStack() as stack:
        yield RedisCluster(tmp_path_factory.mktemp("cluster"), stack)


async def test_a_call_that_waits_for_a_server_fails_when_the_hub_is_closed() -> None:
    class NoServers:
        async def pool(self, name: str) -> Any:
            raise redis.ConnectionError("away")

        async def refresh(self) -> None:
            pass

    links: Any = ClusterLinks(NoServers())  # type: ignore[arg-type]
    call = asyncio.ensure_future(links.command("key", lambda _: ("GET", "key")))
    await asyncio.sleep(0.05)
    await links.aclose()
    with pytest.raises(HubError, match="the hub is closed"):
        await asyncio.wait_for(call, 200)


async def test_logs_are_on_all_servers_and_are_followed_from_another_hub(cluster: RedisCluster) -> None:
    async with cluster.hub() as one, cluster.hub() as other:
        results: dict[str, list[str]] = {}

        async def follow(key: str) -> None:
            results[key] = await data(other, key)

        keys = [f"user {number}" for number in range(60)]
        with anyio.fail_after(200):
            async with anyio.create_task_group() as tasks:
                for key in keys:
                    tasks.start_soon(follow, key)
                for key in keys:
                    assert await one.start(key, numbers(5))
                    assert not await other.start(key, numbers(5))
            assert results == dict.fromkeys(keys, counted(5))
            assert await other.status(keys[0]) == "finished"
            await one.publish("published", "x")
            assert await other.status("published") == "live"
            await other.delete("published")
            assert await one.status("published") == "missing"
        for number in range(3):
            assert cluster.ask(number, "DBSIZE") > 0


async def test_stop_reaches_the_producer_in_another_hub(cluster: RedisCluster) -> None:
    async with cluster.hub() as one, cluster.hub() as other:
        with anyio.fail_after(200):
            await one.start("stopped", numbers(10_000, 0.01), lease=60)
            await other.stop("stopped")
            assert (await data(other, "stopped"))[-1] == '{"reason":"stopped"}'


async def test_a_log_whose_slot_moves_to_another_server_goes_on(cluster: RedisCluster) -> None:
    async with cluster.hub() as hub, cluster.hub() as other:
        slot = key_slot(Names("ssejet", is_cluster=True).log("moved").encode())
        results: list[list[str]] = []

        async def follow(each: AsyncHub) -> None:
            results.append(await data(each, "moved"))

        with anyio.fail_after(200):
            async with anyio.create_task_group() as tasks:
                await hub.start("moved", numbers(150, 0.01))
                tasks.start_soon(follow, hub)
                tasks.start_soon(follow, other)
                await anyio.sleep(0.3)
                before = cluster.owner(slot)
                await anyio.to_thread.run_sync(cluster.move, slot, 0.05)
                assert cluster.owner(slot) != before
            assert results == [counted(150)] * 2
            assert await data(other, "moved") == counted(150)


async def test_the_logs_of_other_servers_go_on_while_one_is_away(
    cluster: RedisCluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with cluster.hub() as hub, cluster.hub() as other:
        keys = [f"away {number}" for number in range(12)]
        results: dict[str, list[str]] = {}

        async def follow(key: str) -> None:
            results[key] = await data(other, key)

        with anyio.fail_after(200):
            async with anyio.create_task_group() as tasks:
                for key in keys:
                    await hub.start(key, numbers(60, 0.01))
                    tasks.start_soon(follow, key)
                await anyio.sleep(0.2)
                cluster.servers[1].kill()
                await anyio.sleep(2)
                await anyio.to_thread.run_sync(cluster.servers[1].start)
        assert results == dict.fromkeys(keys, counted(60))
        # Each hub has a connection that writes and one that reads. None tells of its attempts to connect.
        assert 1 <= caplog.text.count("Redis is away") < 10


async def test_after_a_failover_inside_the_cluster_the_followers_are_told_what_was_lost(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        cluster = RedisCluster(tmp_path, stack)
        owner = cluster.owner(key_slot(Names("ssejet", is_cluster=True).log("key").encode()))
        replica = cluster.add_replica(tmp_path, stack, of=owner)

        def isolate() -> None:
            with replica.client() as client:
                client.config_set("masterauth", "wrong")
                client.client_kill_filter(_type="master")

        def fail_over() -> None:
            cluster.servers[owner].kill()
            cluster.promote_replica()

        async with cluster.hub() as hub, cluster.hub() as other:
            answer = Answer()
            with anyio.fail_after(60):
                await answer.outlive_a_failover(hub, other, isolate, fail_over)
                before = {
                    (event.id or "").split("-")[0] for event in answer.events if event.event == "message"
                }
                assert len(before) == 2
                late = await everything(hub, "key")
                assert '{"reason":"lost","missed":null}' in [event.data for event in late]
                stale = await everything(other, "key", answer.events[10].id or "")
                assert '{"reason":"restarted","missed":null}' in [event.data for event in stale]

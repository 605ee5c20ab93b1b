"""Finds the server of a Redis Cluster that has a log, and calls its commands there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import redis.asyncio as redis_asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ssejet.errors import HubError
from ssejet.hub._redis_link import CONNECT_TIME, FAILURES, Calls, Link, is_transient, lost, pause

if TYPE_CHECKING:
    from ssejet.hub._redis_link import Command

__all__ = ["MAX_CONNECTIONS", "Cluster", "ClusterLinks", "OneServer"]

# The hub has one for each 500 logs that it follows; redis-py's own limit may be lower than what that takes.
MAX_CONNECTIONS = 10_000

# The options of a cluster's connections that a pool of one server does not take.
_CLUSTER_OPTIONS = ("event_dispatcher", "response_callbacks")


class OneServer:
    """The one server that has all logs, with the interface of ``Cluster``.

    Args:
        pool: makes connections.
        owns_pool: whether to close the pool.
    """

    is_cluster = False

    def __init__(self, pool: Any, *, owns_pool: bool) -> None:
        self._pool = pool
        self._owns_pool = owns_pool

    def link(self) -> Link:
        """Make a link."""
        return Link(self._pool)

    async def pool(self, _: str) -> Any:
        """The pool of connections for a name."""
        return self._pool

    async def refresh(self) -> None:
        """Do nothing: there is no other server."""

    def reset(self) -> None:
        """Forget the connections of an event loop that has ended."""
        self._pool.reset()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owns_pool:
            await self._pool.disconnect()


class Cluster:
    """The servers of a cluster, as a client of redis-py knows them.

    Args:
        client: a ``redis.asyncio.RedisCluster``. It tells which server has a slot; the connections are the
            hub's own.
    """

    is_cluster = True

    def __init__(self, client: Any) -> None:
        self._client = client
        self._pools: dict[str, Any] = {}
        self._lock = asyncio.Lock()

    def link(self) -> ClusterLinks:
        """Make links to all servers."""
        return ClusterLinks(self)

    async def pool(self, name: str) -> Any:
        """The pool of connections to the server that has a name."""
        with anyio.fail_after(CONNECT_TIME):
            await self._client.initialize()
        node = self._client.get_node_from_key(name)
        if node is None:
            raise exceptions.ConnectionError(f"no server of the cluster has the slot of {name!r}")
        return self._pool_of(node)

    async def pool_at(self, host: str, port: int) -> Any:
        """The pool of connections to a server that another one names."""
        node = self._client.get_node(host, port)
        if node is None:
            await self.refresh()
            node = self._client.get_node(host, port)
        if node is None:
            raise exceptions.ConnectionError(f"the cluster has no server {host}:{port}")
        return self._pool_of(node)

    async def refresh(self) -> None:
        """Ask the servers again which of them has which slot."""
        with suppress(exceptions.RedisError, OSError), anyio.move_on_after(CONNECT_TIME):
            await self._client.nodes_manager.initialize()

    def reset(self) -> None:
        """Forget the connections of an event loop that has ended."""
        self._pools.clear()

    async def aclose(self) -> None:
        """Close the connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.disconnect()

    def _pool_of(self, node: Any) -> Any:
        pool = self._pools.get(node.name)
        if pool is None:
            options = {
                name: value
                for name, value in node.connection_kwargs.items()
                if name not in _CLUSTER_OPTIONS and "maint" not in name
            }
            options |= {"retry": Retry(NoBackoff(), 0), "protocol": 2, "max_connections": MAX_CONNECTIONS}
            pool = redis_asyncio.ConnectionPool(connection_class=node.connection_class, **options)
            self._pools[node.name] = pool
        return pool


class ClusterLinks(Calls):
    """Calls commands of the servers of a cluster.

    A call goes to the server that has its slot. If that server is away, or says that another one has the
    slot, the call is repeated where the slot is then.

    Args:
        cluster: the servers.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.losses = 0
        self.last_error: BaseException | None = None
        self._cluster = cluster
        self._links: dict[int, Link] = {}
        self._asking: dict[int, Link] = {}
        self._is_closed = False

    async def aclose(self) -> None:
        """Close the connections. Calls that wait fail."""
        self._is_closed = True
        for link in (*self._links.values(), *self._asking.values()):
            await link.aclose()

    async def _answer(self, name: str, make: Command, *, is_repeated: bool) -> Any:
        asks_at: tuple[str, int] | None = None
        failures = 0
        while True:
            if self._is_closed:
                raise HubError("the hub is closed")
            try:
                if asks_at is None:
                    link = self._link(self._links, await self._cluster.pool(name))
                else:
                    link = self._link(self._asking, await self._cluster.pool_at(*asks_at), asks=True)
                return await link.command(name, make)
            except exceptions.MovedError as error:
                self._lose(error)
                await self._cluster.refresh()
                asks_at = None
            except exceptions.AskError as error:
                # The slot is moving, and the other server has this key already.
                asks_at = (error.host, error.port)
                continue
            except FAILURES as error:
                if not (is_transient(error) or isinstance(error, exceptions.RedisClusterException)):
                    raise
                self._lose(error)
                if not is_repeated:
                    raise lost(error) from error
                await self._cluster.refresh()
                asks_at = None
            await asyncio.sleep(pause(failures))
            failures += 1

    def _lose(self, error: BaseException) -> None:
        self.losses += 1
        self.last_error = error

    def _link(self, links: dict[int, Link], pool: Any, *, asks: bool = False) -> Link:
        link = links.get(id(pool))
        if link is None:
            link = links[id(pool)] = Link(pool, repeats=False, losses=self.losses, asks=asks)
        return link

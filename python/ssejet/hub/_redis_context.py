"""What all parts of the engine over Redis share: its connections, names and settings."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from ssejet.emit._event_loops import keep_task
from ssejet.errors import HubError
from ssejet.hub._engine import PAGE_SIZE
from ssejet.hub._entries import Entry, EventId, Kind
from ssejet.hub._lease import ABANDONED
from ssejet.hub._machine import Page
from ssejet.hub._redis_names import Names
from ssejet.hub._redis_scripts import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._machine import Status
    from ssejet.hub._redis_cluster import Cluster, OneServer
    from ssejet.hub._redis_link import Link
    from ssejet.hub._window import Bounds

__all__ = ["RedisContext", "entries_of", "entry_of", "state_of"]

_STATUSES: dict[bytes, Status] = {b"live": "live", b"finished": "finished", b"abandoned": "abandoned"}
_KINDS = {kind.value.encode(): kind for kind in Kind}

# How many seconds the stream that wakes a hub outlives it, and how many entries it has.
_WAKE_TTL = 600
_WAKE_LENGTH = 1000


class RedisContext:
    """The connections, names and settings of one engine.

    Args:
        servers: make connections.
        prefix: the first part of all names.
        ttl: the seconds after its last change after which a log is removed.
        bounds: how much of a log to keep.
        gather: the seconds for which events are gathered.
        timeout: how many seconds a call may take if somebody waits for its answer.

    Attributes:
        timeout: see above.
        writes: the connection for writes; in a cluster, one to each server.
        reads: the connection for reads, the same.
    """

    def __init__(
        self,
        servers: OneServer | Cluster,
        *,
        prefix: str,
        ttl: float,
        bounds: Bounds,
        gather: float,
        timeout: float,
    ) -> None:
        self.servers = servers
        self.names = Names(prefix, is_cluster=servers.is_cluster)
        self.bounds = bounds
        self.gather = gather
        self.timeout = timeout
        self.ttl_ms = max(1, int(ttl * 1000))
        self.writes = servers.link()
        self.reads = servers.link()

    @cached_property
    def id(self) -> str:
        """The name of this hub. It is made late, as processes that are forked may share the context."""
        return token_hex(8)

    def on_stop(self, key: str, token: str) -> None:
        """Called when a producer of this hub has to stop; the engine replaces it."""

    def keys(self, key: str) -> list[str]:
        """The names of what every script needs."""
        return [self.names.meta(key), self.names.log(key)]

    async def read(
        self, key: str, after: int, *, entries: int = PAGE_SIZE, is_check: bool = False
    ) -> tuple[Page, float]:
        """Read a page, and the seconds that the lease of its producer is left."""

        def args(link: Link) -> Sequence[Any]:
            # Right after a lost connection, a lease that has run out may be one that Redis could not renew.
            looks_at_lease = int(link.is_settled)
            used = self.ttl_ms if is_check else ""
            return (after, entries, looks_at_lease, used, ABANDONED[0].frame, ABANDONED[1].frame)

        reply = await self.reads.call(
            PAGE,
            self.keys(key),
            args,
            timeout=self.timeout if not entries else None,
            is_repeated=not is_check,
        )
        if not reply:
            return Page("missing"), -1.0
        log, incarnation, status = state_of(reply)
        found = entries_of(reply[6], incarnation)
        return Page(status, log, incarnation, int(reply[3]), int(reply[4]), found), reply[5] / 1000

    def wake(self, part: str, hub: str, stop: str = "") -> None:
        """End the read of a hub that waits, and tell it which producer has to stop."""
        keep_task(self._wake(self.names.wake(part, hub), stop))

    async def _wake(self, name: str, stop: str) -> None:
        length = ("MAXLEN", "~", _WAKE_LENGTH)
        field = "stop" if stop else "wake"
        add = self.writes.command(name, lambda _: ("XADD", name, *length, "*", field, stop))
        expire = self.writes.command(name, lambda _: ("EXPIRE", name, _WAKE_TTL))
        with suppress(HubError):  # the hub is closed
            await asyncio.gather(add, expire)


def state_of(reply: Sequence[bytes]) -> tuple[str, str, Status]:
    """Read the log's name, its incarnation and its status, with which each script's answer begins."""
    log = reply[0].decode()
    # A process may follow many logs, so equal texts are kept once.
    incarnation = log if reply[1] == reply[0] else reply[1].decode()
    return log, incarnation, _STATUSES[reply[2]]


def entries_of(replies: Sequence[Any], incarnation: str) -> list[Entry]:
    """Make entries of those of a stream."""
    return [
        entry_of(int(id[: id.index(b"-")]), field[:1], frame, incarnation) for id, (field, frame) in replies
    ]


def entry_of(position: int, kind: bytes, frame: bytes, incarnation: str) -> Entry:
    """Make an entry of what a stream has. ``incarnation`` is that of the entry before."""
    if kind == b"r":
        return Entry(EventId(frame.decode(), position), Kind.LOST, b"")
    return Entry(EventId(incarnation, position), _KINDS[kind], frame)

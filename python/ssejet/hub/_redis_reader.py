"""Reads the logs that this process follows: one blocking read for many of them."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
from redis.exceptions import AskError, RedisClusterException

from ssejet.emit._event_loops import keep_task
from ssejet.hub._redis_feed import MAX_ENTRIES, SECOND_LOOK, Feed
from ssejet.hub._redis_link import (
    CONNECT_TIME,
    NO_LIMIT,
    TRANSIENT,
    NoAnswerError,
    check_cancellation,
    connected,
    dropped,
    is_transient,
    pause,
    refused,
)
from ssejet.hub._tasks import logger

if TYPE_CHECKING:
    from ssejet.hub._redis_context import RedisContext

__all__ = ["Reader"]

# The most logs of one blocking read. Redis takes note of each of them anew in each read, so a process that
# follows more has more connections.
_MAX_FEEDS = 500

# How many seconds a read waits for the first entry.
_BLOCK = 3.0

# How many seconds more the answer may take. After that the connection counts as lost: a network that is cut
# does not say so.
_LATE = 2.0

# How many seconds pass between two looks for logs that are to be checked.
_TICK = 0.25

# How many logs without a lease are checked at once.
_MAX_CHECKS = 250

# How many seconds pass before a task that has not ended is cancelled again.
_CANCEL_INTERVAL = 0.05

# What says that another server of the cluster has the slot, or that none has it now.
_IN_CLUSTER: tuple[type[BaseException], ...] = (AskError, RedisClusterException)

_NO_ANSWER: tuple[type[BaseException], ...] = (NoAnswerError, *TRANSIENT)


class _Shard:
    """Reads some logs over one connection.

    ======= ========================================= ===========================================
    state   meaning                                   left when
    ======= ========================================= ===========================================
    idle    nobody needs it                           a follower or a producer comes
    reading a read waits for entries                  entries come, or the feeds change: it reads
                                                      again
    away    the connection was lost                   it is back; the read goes on where it was
    ======= ========================================= ===========================================

    A read that waits is ended by an entry in a stream of this shard's own; that of the first shard also says
    which producers of this hub have to stop.

    Args:
        context: what all parts of the engine share.
        part: the part of the logs; "" unless a cluster has them.
        hub: names the stream that ends a read.

    Attributes:
        feeds: the logs, by the names of their streams.
        producers: how many producers may be told to stop.
    """

    def __init__(self, context: RedisContext, part: str, hub: str) -> None:
        self.feeds: dict[bytes, Feed] = {}
        self.producers = 0
        self._context = context
        self._part = part
        self._hub = hub
        self._wake_name = context.names.wake(part, hub).encode()
        self._wake_id = b"0"
        self._task: asyncio.Task[None] | None = None
        self._is_blocked = False
        self._is_closed = False

    def refresh(self, feed: Feed | None) -> None:
        """Have this feed read from now on."""
        if self._task is None or self._task.done():
            self._task = keep_task(self._run())
        if self._is_blocked and feed is not None and feed.is_wanted and not feed.is_read:
            self._is_blocked = False
            self._context.wake(self._part, self._hub)

    async def aclose(self) -> None:
        """End the read."""
        self._is_closed = True
        await _cancelled(self._task)

    @property
    def _is_needed(self) -> bool:
        return not self._is_closed and (bool(self.feeds) or self.producers > 0)

    async def _run(self) -> None:
        servers = self._context.servers
        connection: Any = None
        pool: Any = None
        failures = 0
        try:
            while self._is_needed:
                try:
                    if connection is None:
                        # A server that does not answer, or a network that is cut, says nothing.
                        with anyio.fail_after(CONNECT_TIME):
                            pool = await servers.pool(self._wake_name.decode())
                            connection = await connected(pool)
                    await self._read(connection)
                    failures = 0
                except Exception as error:  # noqa: PERF203 (this is rare)
                    await dropped(pool, connection)
                    connection = None
                    if is_transient(error) or isinstance(error, _IN_CLUSTER):
                        logger.debug("the reader's connection to Redis was lost: %s", error)
                        for feed in self.feeds.values():
                            feed.doubt()
                        await servers.refresh()
                        await asyncio.sleep(pause(failures))
                        failures += 1
                        continue
                    # Followers must not wait for a reader that is gone.
                    logger.exception("the followers' reader failed, and tries again")
                    for feed in self.feeds.values():
                        feed.fail(refused(error))
                    await asyncio.sleep(SECOND_LOOK)
        finally:
            self._is_blocked = False
            # A follower that comes while the connection closes starts another task.
            self._task = None
            await dropped(pool, connection)

    async def _read(self, connection: Any) -> None:
        command = self._command()
        self._is_blocked = True
        try:
            with anyio.fail_after(_BLOCK + _LATE):
                await connection.send_command(*command)
                del command  # it names many logs
                check_cancellation()
                reply = await connection.read_response(disable_decoding=True, timeout=NO_LIMIT)
        finally:
            self._is_blocked = False
        if reply is None:
            return
        for name, entries in reply.items() if isinstance(reply, dict) else reply:
            if name == self._wake_name:
                self._receive_orders(entries)
            elif name in self.feeds:
                self.feeds[name].receive(entries)

    def _command(self) -> tuple[Any, ...]:
        feeds = [feed for feed in self.feeds.values() if feed.is_wanted]
        for feed in self.feeds.values():
            feed.is_read = feed.is_wanted
        return (
            b"XREAD", b"COUNT", MAX_ENTRIES, b"BLOCK", int(_BLOCK * 1000), b"STREAMS",
            self._wake_name, *[feed.name for feed in feeds],
            self._wake_id, *[feed.place for feed in feeds],
        )  # fmt: skip

    def _receive_orders(self, entries: list[Any]) -> None:
        for id, fields in entries:
            self._wake_id = id
            if fields[0] == b"stop":
                token, _, key = fields[1].decode().partition(" ")
                self._context.on_stop(key, token)


class Reader:
    """Reads all logs that this process follows, and checks them from time to time.

    Args:
        context: what all parts of the engine share.

    Attributes:
        feeds: the logs, by their keys.
    """

    def __init__(self, context: RedisContext) -> None:
        self.feeds: dict[str, Feed] = {}
        self._context = context
        # By the part of the logs. The first one of each part hears which producers have to stop.
        self._shards: dict[str, list[_Shard]] = {}
        self._shard_of: dict[Feed, _Shard] = {}
        self._check_task: asyncio.Task[None] | None = None
        self._is_closed = False

    def attach(self, key: str) -> Feed:
        """Begin to follow a log."""
        feed = self.feeds.get(key)
        if feed is None:
            feed = self.feeds[key] = Feed(key, self._context.names.log(key), self._context.ttl_ms / 1000)
            shard = self._shard_of[feed] = self._free_shard(key)
            shard.feeds[feed.name] = feed
        feed.followers += 1
        return feed

    def detach(self, feed: Feed) -> None:
        """Take note that a follower has left."""
        feed.followers -= 1
        if not feed.followers and self.feeds.get(feed.key) is feed:
            del self.feeds[feed.key]
            del self._shard_of.pop(feed).feeds[feed.name]

    def add_producer(self, key: str) -> None:
        """Listen whether the producer of a log has to stop."""
        shard = self._shards_of(key)[0]
        shard.producers += 1
        shard.refresh(None)

    def remove_producer(self, key: str) -> None:
        """Take note that the producer of a log has ended."""
        self._shards_of(key)[0].producers -= 1

    def refresh(self, feed: Feed) -> None:
        """Have this feed read from now on."""
        shard = self._shard_of.get(feed)
        if shard is not None and not self._is_closed:
            shard.refresh(feed)
            if self._check_task is None or self._check_task.done():
                self._check_task = keep_task(self._check())

    async def aclose(self) -> None:
        """End the reads."""
        self._is_closed = True
        for feed in self.feeds.values():
            feed.close()
        await _cancelled(self._check_task)
        for shards in self._shards.values():
            for shard in shards:
                await shard.aclose()

    def _shards_of(self, key: str) -> list[_Shard]:
        part = self._context.names.part(key)
        if part not in self._shards:
            self._shards[part] = [_Shard(self._context, part, self._context.id)]
        return self._shards[part]

    def _free_shard(self, key: str) -> _Shard:
        shards = self._shards_of(key)
        for shard in shards:
            if len(shard.feeds) < _MAX_FEEDS:
                return shard
        part = self._context.names.part(key)
        shards.append(_Shard(self._context, part, f"{self._context.id}:{len(shards)}"))
        return shards[-1]

    async def _check(self) -> None:
        while self.feeds:
            await asyncio.sleep(_TICK)
            now = monotonic()
            due = [feed for feed in self.feeds.values() if feed.next_check <= now and feed.status == "live"]
            # The checks of many logs at once would delay events. Leases are urgent, and logs in doubt.
            due.sort(key=lambda feed: (not (feed.has_lease or feed.is_doubtful), feed.next_check))
            urgent = sum(feed.has_lease or feed.is_doubtful for feed in due)
            due = due[: max(urgent, _MAX_CHECKS)]
            if due:
                await asyncio.gather(*map(self._check_feed, due))

    async def _check_feed(self, feed: Feed) -> None:
        feed.next_check = monotonic() + SECOND_LOOK
        doubts = feed.doubts
        try:
            page, lease = await self._context.read(feed.key, 0, entries=0, is_check=True)
        except _NO_ANSWER as error:
            logger.debug("a log was not checked: %s", error)
            feed.next_check = monotonic() + _TICK
        except Exception:
            logger.exception("the log %r was not checked", feed.key)
        else:
            if feed.doubts != doubts:
                feed.next_check = monotonic()
                return
            feed.check(page, lease)
            self.refresh(feed)


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    # redis-py can swallow a cancellation while it connects.
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_INTERVAL)

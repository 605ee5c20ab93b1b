"""Keeps logs in Redis Streams, which all processes share."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from ssejet.errors import FencedError, LogFinishedError
from ssejet.hub._any_loop import AnyLoopEngine
from ssejet.hub._engine import NO_RECORD, NOTHING_NEW, PAGE_SIZE, Record, Renewal
from ssejet.hub._entries import new_incarnation

try:
    import redis.asyncio as redis_asyncio
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError as _error:
    raise ImportError(
        "a hub over Redis needs redis-py 5 or newer: pip install 'ssejet[redis]'", name="redis"
    ) from _error

from ssejet.hub._lease import ClosedError, LogDeletedError
from ssejet.hub._machine import Page
from ssejet.hub._one_loop import OneLoop
from ssejet.hub._redis_cluster import MAX_CONNECTIONS, Cluster, OneServer
from ssejet.hub._redis_context import RedisContext, entries_of, state_of
from ssejet.hub._redis_reader import Reader
from ssejet.hub._redis_scripts import CLAIM, COMMIT, DELETE, LOAD, RENEW, STOP
from ssejet.hub._redis_writer import RedisWriter, Right
from ssejet.hub._signal import Waiter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._engine import Change, Lease
    from ssejet.hub._redis_feed import Feed
    from ssejet.hub._redis_link import Link

__all__ = ["RedisEngine", "redis_engine"]

# How many followers read from Redis at once.
_MAX_READS = 500


def redis_engine(url: str | None, client: Any, **options: Any) -> AnyLoopEngine:
    """Make an engine.

    Raises:
        TypeError: the client is no client of ``redis.asyncio``.
        ValueError: both a URL and a client were passed, or the URL is not one of Redis.
    """
    if client is None:
        assert url is not None
        pool = redis_asyncio.ConnectionPool.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=5.0,
            protocol=2,
            max_connections=MAX_CONNECTIONS,
        )
        return AnyLoopEngine(RedisEngine(OneServer(pool, owns_pool=True), **options))
    if url is not None:
        raise ValueError("pass a URL or a client, not both")
    if isinstance(client, redis_asyncio.RedisCluster):
        return AnyLoopEngine(RedisEngine(Cluster(client), **options))
    if not isinstance(client, redis_asyncio.Redis):
        raise TypeError(f"client must be a redis.asyncio.Redis or RedisCluster, not {type(client).__name__}")
    servers = OneServer(client.connection_pool, owns_pool=False)
    return AnyLoopEngine(RedisEngine(servers, **options))


class RedisEngine:
    """Keeps logs in Redis. See ``Engine`` for the methods. It needs asyncio.

    A process has three connections: one for writes, one for reads, and one for the read that waits. One that
    follows many logs has more of the last kind.

    Args:
        servers: make connections.
        **settings: those of ``RedisContext``.
    """

    def __init__(self, servers: OneServer | Cluster, **settings: Any) -> None:
        self._servers = servers
        self._settings = settings
        self._loop = OneLoop()
        self._is_used = False
        # By the tokens of the leases.
        self._rights: dict[str, Right] = {}
        self._writers: dict[str, RedisWriter] = {}
        self._reading: dict[tuple[str, int], asyncio.Future[tuple[Page, float]]] = {}
        self._connect()

    def _connect(self) -> None:
        self._reading.clear()
        self._turns = asyncio.Semaphore(_MAX_READS)
        self._context = RedisContext(self._servers, **self._settings)
        self._context.on_stop = lambda *args: self.on_stop(*args)  # type: ignore[method-assign]
        self._reader = Reader(self._context)

    def _check_loop(self) -> RedisContext:
        if self._loop.check():
            self._servers.reset()  # its connections ended with their loop
            self._connect()
        self._is_used = True
        return self._context

    async def claim(self, key: str, lease: Lease) -> bool:
        context = self._check_loop()
        args = (lease.token, new_incarnation(), int(lease.seconds * 1000), context.ttl_ms, context.id)
        right = Right(context, lease)
        reply = await context.writes.call(CLAIM, context.keys(key), args, timeout=context.timeout)
        if reply != 1:
            return False
        self._rights[lease.token] = right
        return True

    async def renew(self, key: str, lease: Lease) -> Renewal:
        context = self._check_loop()
        right, asked, losses = self._right(lease), monotonic(), context.writes.losses

        def args(_: Link) -> Sequence[Any]:
            return (lease.token, int(lease.seconds * 1000), context.ttl_ms, int(right.must_be_valid))

        keys = (*context.keys(key), context.names.writer(key, lease.token))
        reply = await context.writes.call(RENEW, keys, args, timeout=context.timeout)
        if reply[0] == 0:
            return Renewal.REFUSED
        if reply[0] == 1:
            right.renew(asked, losses)
            return Renewal.STOP_REQUESTED if reply[1] else Renewal.RENEWED
        writer = self._writers.get(lease.token)
        if writer is not None:
            try:
                await writer.append(())  # makes the log again if Redis has lost it
            except LogDeletedError:
                return Renewal.DELETED
            except (FencedError, LogFinishedError):
                return Renewal.REFUSED
        return Renewal.RENEWED

    def _right(self, lease: Lease) -> Right:
        right = self._rights.get(lease.token)
        return right or self._rights.setdefault(lease.token, Right(self._check_loop(), lease))

    def writer(self, key: str, lease: Lease | None = None) -> RedisWriter:
        context = self._check_loop()
        writer = RedisWriter(context, key, None if lease is None else self._right(lease))
        if lease is not None:
            self._writers[lease.token] = writer
            self._reader.add_producer(key)
        return writer

    def release(self, lease: Lease) -> None:
        self._rights.pop(lease.token, None)
        writer = self._writers.pop(lease.token, None)
        if writer is not None:
            self._reader.remove_producer(writer.key)

    async def request_stop(self, key: str) -> None:
        context = self._check_loop()
        reply = await context.writes.call(STOP, [context.names.meta(key)], (), timeout=context.timeout)
        _ask_to_stop(context, key, reply)

    async def page(self, key: str) -> Page:
        page, _ = await self._check_loop().read(key, 0, entries=0)
        return page

    async def load(
        self, key: str, names: Sequence[str] = (), *, after: int | None = None, is_use: bool = False
    ) -> Record:
        context = self._check_loop()
        count = 0 if after is None else PAGE_SIZE
        args = (int(is_use), after or 0, count, len(names), *map(_field, names))
        reply = await context.reads.call(LOAD, context.keys(key), args, timeout=context.timeout)
        return _record(reply, names)

    async def commit(self, key: str, change: Change, names: Sequence[str] = ()) -> tuple[bool, Record]:
        context = self._check_loop()
        bounds, (ttl, until) = context.bounds, change.lifetime
        args = (
            0,
            0,
            len(names),
            *map(_field, names),
            change.expected,
            change.revision,
            change.incarnation,
            change.position,
            bounds.max_events,
            bounds.max_bytes,
            "" if bounds.max_age is None else int(bounds.max_age * 1000),
            change.ends_as or "",
            "" if ttl is None else int(ttl * 1000),
            "" if until is None else int(until * 1000),
            len(change.fields),
            *[part for name, value in change.fields.items() for part in (_field(name), value)],
            *[part for draft in change.drafts for part in (draft.kind.value, draft.frame)],
        )
        keys = (*context.keys(key), context.names.writer(key, context.id))
        reply = await context.writes.call(COMMIT, keys, args, timeout=context.timeout)
        return reply[0] == 1, _record(reply[1], names)

    async def delete(self, key: str) -> None:
        context = self._check_loop()
        reply = await context.writes.call(DELETE, context.keys(key), (), timeout=context.timeout)
        _ask_to_stop(context, key, reply)
        feed = self._reader.feeds.get(key)
        if feed is not None:
            feed.reset()

    def cursor(self, key: str) -> RedisCursor:
        return RedisCursor(self, key)

    def on_stop(self, key: str, token: str) -> None:
        pass

    async def aclose(self) -> None:
        if not self._is_used:
            return
        self._check_loop()
        await self._reader.aclose()
        await self._context.reads.aclose()
        await self._context.writes.aclose()
        await self._servers.aclose()
        self._loop.forget()
        self._is_used = False
        self._connect()

    # The cursors call these.

    def attach(self, key: str) -> Feed:
        """Begin to follow a log."""
        self._check_loop()
        return self._reader.attach(key)

    def detach(self, feed: Feed) -> None:
        """Take note that a follower has left."""
        self._reader.detach(feed)

    async def read(self, key: str, after: int) -> tuple[Page, float]:
        """Read a page, and the seconds that the lease of its producer is left."""
        # A read takes more memory than a follower that waits for its turn.
        async with self._turns:
            return await asyncio.shield(self._begin_reading(key, after))

    def _begin_reading(self, key: str, after: int) -> asyncio.Future[tuple[Page, float]]:
        # Many followers of one key ask for the same page at once, when its log begins and after an outage.
        reading = self._reading.get((key, after))
        if reading is None:
            reading = asyncio.ensure_future(self._context.read(key, after))
            self._reading[key, after] = reading
            reading.add_done_callback(partial(self._end_reading, (key, after)))
        return reading

    def _end_reading(self, place: tuple[str, int], reading: asyncio.Future[Any]) -> None:
        self._reading.pop(place, None)
        if not reading.cancelled():
            reading.exception()  # all followers may have left

    def refresh(self, feed: Feed) -> None:
        """Have this feed read from now on."""
        self._reader.refresh(feed)


def _ask_to_stop(context: RedisContext, key: str, reply: Any) -> None:
    """Tell the hub that a script names to stop its producer."""
    if reply and reply[0] and reply[1]:
        context.wake(context.names.part(key), reply[0].decode(), stop=f"{reply[1].decode()} {key}")


def _field(name: str) -> str:
    """The name of a field in the hash, which has more than fields."""
    return f"f:{name}"


def _record(reply: Any, names: Sequence[str]) -> Record:
    if not reply:
        return NO_RECORD
    log, incarnation, status = state_of(reply)
    entries = entries_of(reply[7], incarnation)
    fields = {name: value.decode() for name, value in zip(names, reply[6], strict=True) if value is not None}
    page = Page(status, log, incarnation, int(reply[3]), int(reply[4]), entries)
    return Record(page, reply[5].decode(), fields)


class RedisCursor:
    """Reads a log for one follower: from memory if it is near the end, otherwise from Redis."""

    __slots__ = ("_engine", "_feed", "_key", "_seen", "change")

    def __init__(self, engine: RedisEngine, key: str) -> None:
        self._engine = engine
        self._key = key
        self._feed: Feed | None = None
        self._seen: str | None = None
        self.change: Waiter

    def peek(self, after: int) -> Page | None:
        feed = self._feed
        if feed is None or not self._seen or self._seen != feed.log or after + 1 < feed.window.first:
            return None
        return NOTHING_NEW if after >= feed.window.last else feed.page_after(after)

    async def read(self, after: int, *, wait: bool) -> Page:
        feed = self._feed
        if feed is None:
            feed = self._feed = self._engine.attach(self._key)
            self.change = Waiter(feed.signal)
        while True:
            if feed.is_closed:
                raise ClosedError
            if feed.failure is not None:
                raise feed.failure
            if self._seen and self._seen == feed.log and after + 1 >= feed.window.first:
                page = feed.page_after(after)
                if page.entries or not wait:
                    return page
            else:
                feed.is_stirred = False
                news = feed.news
                page, lease = await self._engine.read(self._key, after)
                is_new = page.log != self._seen
                self._seen = page.log
                if page.status != "missing":
                    if feed.followers:
                        feed.start(page, lease)
                    self._engine.refresh(feed)
                    # The log may have nothing that this follower has not: its entries can be gone.
                    if page.entries or is_new or not wait or page.first > after + 1:
                        return page
                    continue
                if is_new or not wait:
                    return page
                self._engine.refresh(feed)
                # Another follower may have taken note of the news, and found the log.
                if feed.news != news:
                    continue
            await self.change

    async def aclose(self) -> None:
        if self._feed is not None:
            feed, self._feed = self._feed, None
            self._engine.detach(feed)

"""Reads the logs that this process follows, with one blocking read, and keeps their last events in memory."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
from redis import exceptions

from ssejet.emit._event_loops import keep_task
from ssejet.hub._entries import Kind
from ssejet.hub._machine import Page
from ssejet.hub._redis_context import entry_of
from ssejet.hub._redis_link import TRANSIENT, NoAnswerError, connected, dropped, pause
from ssejet.hub._signal import Signal
from ssejet.hub._tasks import logger
from ssejet.hub._window import Bounds, Window

if TYPE_CHECKING:
    from ssejet.hub._machine import Status
    from ssejet.hub._redis_context import RedisContext

__all__ = ["Feed", "Reader"]

# How much of each log that is followed is kept in memory. A slower follower reads from Redis.
_WINDOW = Bounds(max_events=1000, max_bytes=2**20)

# The most entries of each log that one read returns, and the seconds that it waits for the first.
_MAX_ENTRIES = 500
_BLOCK = 5.0

# How many seconds pass between two looks for logs that are to be checked.
_TICK = 0.25

# After so many seconds at most, a log is checked: it may have been removed, or lost by Redis.
_CHECK_INTERVAL = 8.0

# The seconds between the end of a lease and the check.
_LEASE_MARGIN = 0.2

# The seconds after which a log that was missing is looked at again, before followers are told.
_SECOND_LOOK = 1.0

# How many seconds pass before a task that has not ended is cancelled again.
_CANCEL_INTERVAL = 0.05

_LAST = b"18446744073709551615"
"""The largest second half of an id: a read after it begins with the next position."""


class Feed:
    """The end of a log that this process follows.

    It is unstarted until a follower has read the log's state; then entries are kept, from there on.

    Attributes:
        key: the log's key.
        followers: how many followers there are.
        log: the log's name; ``""`` if the feed is unstarted.
        window: the last entries.
        signal: wakes the followers.
        is_stirred: whether an unstarted feed got entries, so that its followers have to read the state.
        is_read: whether the read that waits has this feed, from its last entry.
        next_check: when to check the log.
    """

    def __init__(self, key: str, name: str) -> None:
        self.key = key
        self.name = name.encode()
        self.followers = 0
        self.log = self.incarnation = ""
        self.status: Status = "live"
        self.window = Window(_WINDOW)
        self.signal = Signal()
        self.is_stirred = self.is_read = False
        self.next_check = monotonic() + _CHECK_INTERVAL
        self._missing_since = 0.0

    @property
    def is_wanted(self) -> bool:
        """Whether entries have to be read."""
        return self.status == "live" and not self.is_stirred

    def start(self, page: Page, lease: float) -> None:
        """Begin after the last entry of a log, unless the feed has begun with that log."""
        self.plan_check(lease)
        if self.log == page.log:
            return
        self.log, self.incarnation, self.status = page.log, page.incarnation, page.status
        self.window = Window(_WINDOW, page.last)
        self.is_stirred = self.is_read = False
        self._missing_since = 0.0

    def plan_check(self, lease: float) -> None:
        """Plan the next check by the seconds that a lease is left; a negative number for no lease."""
        wait = _CHECK_INTERVAL if lease < 0 else min(lease + _LEASE_MARGIN, _CHECK_INTERVAL)
        self.next_check = monotonic() + wait

    def reset(self) -> None:
        """Have the followers read the state of the log again."""
        self.log = self.incarnation = ""
        self.status = "live"
        self.window = Window(_WINDOW)
        self.is_stirred = True
        self.is_read = False
        self.signal.notify()

    def check(self, page: Page, lease: float) -> None:
        """Take the state of the log."""
        if page.status != "missing":
            self._missing_since = 0.0
            self.plan_check(lease)
            if page.log != self.log:
                self.reset()
        elif not self.log:
            self.next_check = monotonic() + _CHECK_INTERVAL
        elif not self._missing_since:
            self._missing_since = monotonic()
            self.next_check = monotonic() + _SECOND_LOOK
        else:
            self.next_check = monotonic() + _CHECK_INTERVAL
            self.reset()

    def receive(self, entries: list[Any]) -> None:
        """Take entries as Redis sends them."""
        if not self.log:
            self.is_stirred = True
            self.is_read = False
            self.signal.notify()
            return
        for id, (kind, frame) in entries:
            position = int(id[: id.index(b"-")])
            if position <= self.window.last:
                continue
            entry = entry_of(position, kind, frame, self.incarnation)
            self.incarnation = entry.id.incarnation
            self.window.append(entry)
            if entry.kind is Kind.END:
                self.status = "finished"
        self.signal.notify()

    def page(self, after: int) -> Page:
        """The part of the log after a position that is in memory."""
        window = self.window
        return Page(
            self.status, self.log, self.incarnation, 1, window.last, window.after(after, _MAX_ENTRIES)
        )


class Reader:
    """Reads all logs that this process follows over one connection.

    ======= ========================================= ===========================================
    state   meaning                                   left when
    ======= ========================================= ===========================================
    idle    nobody needs it                           a follower or a producer comes
    reading a read waits for entries                  entries come, or the feeds change: it reads
                                                      again
    away    the connection was lost                   it is back; the read goes on where it was
    ======= ========================================= ===========================================

    A read that waits is ended by an entry in a stream of this hub's own; the same stream says which
    producers of this hub have to stop.

    Args:
        context: what all parts of the engine share.
        pool: makes the connection.
    """

    def __init__(self, context: RedisContext, pool: Any) -> None:
        self.feeds: dict[str, Feed] = {}
        self._by_name: dict[bytes, Feed] = {}
        self._context = context
        self._pool = pool
        self._wake_name = context.names.wake(context.id).encode()
        self._wake_id = b"0"
        self._producers = 0
        self._task: asyncio.Task[None] | None = None
        self._check_task: asyncio.Task[None] | None = None
        self._is_blocked = False
        self._is_closed = False

    def attach(self, key: str) -> Feed:
        """Begin to follow a log."""
        feed = self.feeds.get(key)
        if feed is None:
            feed = self.feeds[key] = Feed(key, self._context.names.log(key))
            self._by_name[feed.name] = feed
        feed.followers += 1
        return feed

    def detach(self, feed: Feed) -> None:
        """Take note that a follower has left."""
        feed.followers -= 1
        if not feed.followers and self.feeds.get(feed.key) is feed:
            del self.feeds[feed.key]
            del self._by_name[feed.name]

    def add_producer(self) -> None:
        """Listen for producers of this hub that have to stop."""
        self._producers += 1
        self.refresh()

    def remove_producer(self) -> None:
        """Take note that a producer has ended."""
        self._producers -= 1

    def refresh(self, feed: Feed | None = None) -> None:
        """Have this feed read from now on."""
        if self._is_closed:
            return
        if self._task is None or self._task.done():
            self._task = keep_task(self._run())
        if self._check_task is None or self._check_task.done():
            self._check_task = keep_task(self._check())
        if self._is_blocked and feed is not None and feed.is_wanted and not feed.is_read:
            self._is_blocked = False
            self._context.wake(self._context.id)

    async def aclose(self) -> None:
        """End the read."""
        self._is_closed = True
        for task in (self._task, self._check_task):
            # redis-py can swallow a cancellation while it connects.
            while task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=_CANCEL_INTERVAL)

    @property
    def _is_needed(self) -> bool:
        return not self._is_closed and (bool(self.feeds) or self._producers > 0)

    async def _run(self) -> None:
        connection: Any = None
        failures = 0
        try:
            while self._is_needed:
                try:
                    if connection is None:
                        connection = await connected(self._pool)
                    await self._read(connection)
                    failures = 0
                except TRANSIENT as error:  # noqa: PERF203 (this is rare)
                    logger.debug("the reader's connection to Redis was lost: %s", error)
                    await dropped(self._pool, connection)
                    connection = None
                    await asyncio.sleep(pause(failures))
                    failures += 1
                except exceptions.RedisError:
                    logger.exception("Redis refuses to read")
                    await asyncio.sleep(_SECOND_LOOK)
        finally:
            self._is_blocked = False
            await dropped(self._pool, connection)

    async def _read(self, connection: Any) -> None:
        feeds = [feed for feed in self.feeds.values() if feed.is_wanted]
        command = (
            b"XREAD", b"COUNT", _MAX_ENTRIES, b"BLOCK", int(_BLOCK * 1000), b"STREAMS",
            self._wake_name, *[feed.name for feed in feeds],
            self._wake_id, *[b"%d-%s" % (feed.window.last, _LAST) for feed in feeds],
        )  # fmt: skip
        for feed in self.feeds.values():
            feed.is_read = feed.is_wanted
        self._is_blocked = True
        try:
            with anyio.fail_after(2 * _BLOCK):
                await connection.send_command(*command)
                reply = await connection.read_response(disable_decoding=True, timeout=2 * _BLOCK)
        finally:
            self._is_blocked = False
        if reply is None:
            return
        for name, entries in reply.items() if isinstance(reply, dict) else reply:
            if name == self._wake_name:
                self._receive_orders(entries)
            elif name in self._by_name:
                self._by_name[name].receive(entries)

    def _receive_orders(self, entries: list[Any]) -> None:
        for id, fields in entries:
            self._wake_id = id
            if fields[0] == b"stop":
                token, _, key = fields[1].decode().partition(" ")
                self._context.on_stop(key, token)

    async def _check(self) -> None:
        while self._is_needed:
            await asyncio.sleep(_TICK)
            now = monotonic()
            due = [feed for feed in self.feeds.values() if feed.next_check <= now and feed.status == "live"]
            if due:
                await asyncio.gather(*map(self._check_feed, due))

    async def _check_feed(self, feed: Feed) -> None:
        feed.next_check = monotonic() + _SECOND_LOOK
        try:
            page, lease = await self._context.read(feed.key, 0, entries=0, is_check=True)
        except (NoAnswerError, exceptions.RedisError) as error:
            logger.debug("a log was not checked: %s", error)
        else:
            feed.check(page, lease)

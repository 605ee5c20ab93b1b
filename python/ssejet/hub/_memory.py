"""Keeps logs in the memory of this process."""

from __future__ import annotations

import math
import time
from heapq import heapify, heappop, heappush
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from ssejet.emit._event_loops import running_loop
from ssejet.errors import FencedError, LogFinishedError
from ssejet.hub._engine import NO_RECORD, NOTHING_NEW, PAGE_SIZE, Record, Renewal
from ssejet.hub._entries import Entry, EventId, new_incarnation
from ssejet.hub._lease import ABANDONED, FENCED, FINISHED, ClosedError, LogDeletedError
from ssejet.hub._machine import Page
from ssejet.hub._one_loop import OneLoop
from ssejet.hub._shared_page import SharedPage
from ssejet.hub._signal import Signal, Waiter
from ssejet.hub._window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ssejet.hub._engine import Change, Lease
    from ssejet.hub._entries import Draft
    from ssejet.hub._machine import Status
    from ssejet.hub._window import Bounds

__all__ = ["MemoryEngine"]

# How many seconds pass between two looks for leases that have run out.
_TICK = 0.5

# How many plans to remove topics may be left of topics that were deleted.
_MAX_OLD_PLANS = 100


class _Log(SharedPage):
    """One log. Its states are those of ``Status``: live until it is finished or abandoned."""

    __slots__ = ("deadline", "fields", "incarnation", "revision", "status", "token", "window")

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self.incarnation = new_incarnation()
        self.status: Status = "live"
        self.window = Window(bounds)
        self.token = ""
        self.deadline = 0.0
        self.revision = ""
        self.fields: dict[str, str] = {}

    def append(self, drafts: Sequence[Draft]) -> list[EventId]:
        ids = []
        self._forget_page()
        for draft in drafts:
            id = EventId(self.incarnation, self.window.last + 1)
            self.window.append(Entry(id, draft.kind, draft.frame))
            ids.append(id)
        return ids

    def page(self, after: int | None) -> Page:
        window = self.window
        entries = () if after is None else window.after(after, PAGE_SIZE)
        return Page(self.status, self.incarnation, self.incarnation, window.first, window.last, entries)

    def _make_page(self, after: int) -> Page:
        return self.page(after)

    def record(self, names: Sequence[str], after: int | None) -> Record:
        fields = {name: self.fields[name] for name in names if name in self.fields}
        return Record(self.page(after), self.revision, fields)


class _Topic:
    """A key in use: by a log, by followers, or by both.

    Attributes:
        ttl: the seconds after its last use after which the log is removed.
        expires: when the log is removed, unless it is used before.
        ends: when the log is removed although it is used.
        has_plan: whether the engine will look at the topic at that time.
    """

    __slots__ = ("ends", "expires", "followers", "has_plan", "key", "log", "signal", "ttl")

    def __init__(self, key: str) -> None:
        self.key = key
        self.log: _Log | None = None
        self.signal = Signal()
        self.followers = 0
        self.ttl = self.expires = self.ends = math.inf
        self.has_plan = False

    @property
    def removal(self) -> float:
        """When the log is removed, unless it is used before."""
        return min(self.expires, self.ends)

    def use(self) -> None:
        self.expires = monotonic() + self.ttl

    def is_over(self, now: float) -> bool:
        """Whether the log has to be removed. One that grows and has followers is in use."""
        if now >= self.ends:
            return True
        is_followed = self.followers and self.log is not None and self.log.status == "live"
        return now >= self.expires and not is_followed


class MemoryEngine:
    """Keeps logs in memory. See ``Engine`` for the methods.

    Args:
        ttl: the seconds after its last change after which a log is removed.
        bounds: how much of a log to keep.

    Attributes:
        closings: how many times the engine was closed.
    """

    def __init__(self, *, ttl: float, bounds: Bounds) -> None:
        self._ttl = ttl
        self._bounds = bounds
        self._topics: dict[str, _Topic] = {}
        # The topics to look at, each with the time, which is that of its removal or earlier, and a number.
        self._removals: list[tuple[float, int, _Topic]] = []
        self._numbers = count()
        self._followed: dict[str, _Topic] = {}
        self._loop = OneLoop()
        self._cancel_tick: Callable[[], None] | None = None
        self.closings = 0

    async def claim(self, key: str, lease: Lease) -> bool:
        self._loop.check()
        topic = self._touch(key)
        log = topic.log
        if log is not None and (log.token or log.status != "live"):
            return False
        log = self._log(topic)
        log.token = lease.token
        log.deadline = monotonic() + lease.seconds
        topic.signal.notify()
        return True

    async def renew(self, key: str, lease: Lease) -> Renewal:
        log = self._find(key)
        if log is None:
            return Renewal.DELETED
        if log.status != "live" or log.token != lease.token:
            return Renewal.REFUSED
        self._touch(key)
        log.deadline = monotonic() + lease.seconds
        return Renewal.RENEWED

    def writer(self, key: str, lease: Lease | None = None) -> _Writer:
        return _Writer(self, key, lease)

    def append(
        self, key: str, lease: Lease | None, drafts: Sequence[Draft], ends_as: Status | None
    ) -> list[EventId]:
        """Append to a log; see ``Writer.append``."""
        self._loop.check()
        self._bounds.check(drafts)
        log = self._find(key)
        if lease is not None and log is None:
            raise LogDeletedError(key)
        if lease is not None and log is not None and log.token != lease.token:
            raise FencedError(FENCED.format(key=key))
        if log is not None and log.status != "live":
            raise LogFinishedError(FINISHED.format(key=key))
        topic = self._touch(key)
        log = self._log(topic)
        ids = log.append(drafts)
        if ends_as is not None:
            log.status = ends_as
        topic.signal.notify()
        return ids

    def release(self, lease: Lease) -> None:
        pass

    async def request_stop(self, key: str) -> None:
        log = self._find(key)
        if log is not None and log.status == "live" and log.token:
            self.on_stop(key, log.token)

    async def page(self, key: str) -> Page:
        log = self._find(key)
        return Page("missing") if log is None else log.page(None)

    async def load(
        self, key: str, names: Sequence[str] = (), *, after: int | None = None, is_use: bool = False
    ) -> Record:
        log = self._find(key)
        if log is None:
            return NO_RECORD
        if is_use:
            self._topics[key].use()
        return log.record(names, after)

    async def commit(self, key: str, change: Change, names: Sequence[str] = ()) -> tuple[bool, Record]:
        log = self._find(key)
        if (log.revision or "?" if log is not None else "") != change.expected:
            return False, NO_RECORD if log is None else log.record(names, None)
        if log is None:
            topic = self._add(key, *change.lifetime)
            log = self._log(topic)
            log.incarnation = change.incarnation
        else:
            topic = self._topics[key]
            topic.use()
        log.append(change.drafts)
        log.fields |= change.fields
        log.revision = change.revision
        if change.ends_as is not None:
            log.status = change.ends_as
        topic.signal.notify()
        return True, log.record(names, None)

    async def delete(self, key: str) -> None:
        topic = self._topics.pop(key, None)
        if topic is not None:
            log, topic.log = topic.log, None
            topic.signal.notify()
            if log is not None and log.token:
                self.on_stop(key, log.token)

    def cursor(self, key: str) -> _Cursor:
        return _Cursor(self, key)

    def on_stop(self, key: str, token: str) -> None:
        pass

    async def aclose(self) -> None:
        self._end_tick()
        self._loop.forget()
        self.closings += 1
        followed, self._followed = self._followed, {}
        for topic in followed.values():
            topic.followers = 0
            topic.signal.notify()

    def detach(self, topic: _Topic) -> None:
        """Take note that a follower has left."""
        topic.followers -= 1
        if not topic.followers:
            self._followed.pop(topic.key, None)
            if not self._followed:
                self._end_tick()

    def current(self, topic: _Topic) -> _Log | None:
        """The log of a topic, after its lease and its expiry were checked."""
        return self._find(topic.key) if topic.log is not None else None

    def attach(self, key: str) -> _Topic:
        """Take note that a follower has come."""
        topic = self._followed.get(key) or self._topics.get(key)
        if topic is None:
            topic = _Topic(key)
        self._followed[key] = topic
        topic.followers += 1
        self._begin_tick()
        return topic

    def _touch(self, key: str) -> _Topic:
        self._remove_expired()
        topic = self._topics.get(key)
        if topic is None:
            return self._add(key, self._ttl)
        topic.use()
        return topic

    def _add(self, key: str, ttl: float | None, until: float | None = None) -> _Topic:
        self._remove_expired()
        topic = self._topics[key] = self._followed.get(key) or _Topic(key)
        topic.ttl = math.inf if ttl is None else ttl
        topic.ends = math.inf if until is None else monotonic() + until - time.time()
        topic.use()
        self._plan_removal(topic)
        return topic

    def _plan_removal(self, topic: _Topic) -> None:
        if topic.removal == math.inf or topic.has_plan:
            return
        topic.has_plan = True
        heappush(self._removals, (topic.removal, next(self._numbers), topic))
        if len(self._removals) > 2 * len(self._topics) + _MAX_OLD_PLANS:
            # Most are of topics that were deleted.
            for _, _, old in self._removals:
                old.has_plan = self._topics.get(old.key) is old
            self._removals = [plan for plan in self._removals if plan[2].has_plan]
            heapify(self._removals)

    def _log(self, topic: _Topic) -> _Log:
        if topic.log is None:
            topic.log = _Log(self._bounds)
        return topic.log

    def _find(self, key: str) -> _Log | None:
        topic = self._topics.get(key)
        if topic is None or topic.log is None:
            return None
        now = monotonic()
        if topic.is_over(now):
            self._remove(topic)
            return None
        log = topic.log
        if log.status == "live" and log.token and now >= log.deadline:
            self._abandon(topic, log)
        return log

    def _abandon(self, topic: _Topic, log: _Log) -> None:
        log.append(ABANDONED)
        log.status = "abandoned"
        log.token = ""
        topic.signal.notify()

    def _remove_expired(self) -> None:
        now = monotonic()
        while self._removals and self._removals[0][0] <= now:
            _, _, topic = heappop(self._removals)
            topic.has_plan = False
            if self._topics.get(topic.key) is not topic:
                continue
            if topic.is_over(now):
                self._remove(topic)
            else:
                if topic.removal <= now:
                    topic.use()
                self._plan_removal(topic)

    def _remove(self, topic: _Topic) -> None:
        del self._topics[topic.key]
        topic.log = None
        topic.signal.notify()

    def _begin_tick(self) -> None:
        if self._loop.check():
            self._cancel_tick = None  # it ended with its event loop
        if self._cancel_tick is None:
            self._cancel_tick = running_loop().repeat(self._tick, _TICK)

    def _end_tick(self) -> None:
        if self._cancel_tick is not None:
            self._cancel_tick()
            self._cancel_tick = None

    def _tick(self) -> None:
        self._remove_expired()
        for topic in tuple(self._followed.values()):
            self.current(topic)


class _Writer:
    def __init__(self, engine: MemoryEngine, key: str, lease: Lease | None) -> None:
        self._engine = engine
        self._key = key
        self._lease = lease

    async def put(self, drafts: Sequence[Draft]) -> None:
        self._engine.append(self._key, self._lease, drafts, None)

    async def append(self, drafts: Sequence[Draft], *, ends_as: Status | None = None) -> list[EventId]:
        return self._engine.append(self._key, self._lease, drafts, ends_as)


class _Cursor:
    __slots__ = ("_closings", "_engine", "_key", "_seen", "_topic", "change")

    def __init__(self, engine: MemoryEngine, key: str) -> None:
        self._engine = engine
        self._key = key
        self._topic: _Topic | None = None
        self._seen: _Log | None = None
        self._closings = 0
        self.change: Waiter

    def peek(self, after: int) -> Page | None:
        topic = self._topic
        log = self._seen
        if log is None or topic is None or topic.log is not log or self._closings != self._engine.closings:
            return None
        return NOTHING_NEW if after >= log.window.last else log.page_after(after)

    async def read(self, after: int, *, wait: bool) -> Page:
        topic = self._topic
        if topic is None:
            topic = self._topic = self._engine.attach(self._key)
            self.change = Waiter(topic.signal)
            self._closings = self._engine.closings
        while True:
            if self._closings != self._engine.closings:
                raise ClosedError
            log = self._engine.current(topic)
            is_new = log is not self._seen
            self._seen = log
            page = Page("missing") if log is None else log.page(after)
            if page.entries or is_new or not wait:
                return page
            await self.change

    async def aclose(self) -> None:
        if self._topic is not None:
            topic, self._topic = self._topic, None
            if self._closings == self._engine.closings:
                self._engine.detach(topic)

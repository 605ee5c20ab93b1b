"""Gathers the events of one log, and appends them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any

from ssejet.emit._event_loops import keep_task
from ssejet.errors import FencedError, HubError, LogFinishedError
from ssejet.hub._entries import EventId, new_incarnation
from ssejet.hub._lease import FENCED, FINISHED, LogDeletedError
from ssejet.hub._redis_link import NoAnswerError
from ssejet.hub._redis_scripts import APPEND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.hub._engine import Lease
    from ssejet.hub._entries import Draft
    from ssejet.hub._machine import Status
    from ssejet.hub._redis_context import RedisContext
    from ssejet.hub._redis_link import Link

__all__ = ["RedisWriter", "Right"]

# The most events, and bytes, of one append; one event may be larger.
_MAX_BATCH = 256
_MAX_BATCH_BYTES = 2**20

# For how many seconds Redis remembers what a writer without a lease has appended. An append can be repeated
# for that long, and each writer takes memory of Redis for that long.
_MEMORY_TIME = 600.0

# How many events, and bytes, may wait while Redis is away. Then the source waits.
_MAX_WAITING = 10_000
_MAX_WAITING_BYTES = 8 * 2**20


class Right:
    """What a process knows of a lease that it has.

    Attributes:
        lease: the lease.
        valid_until: when it ends, by the clock of this process.
        losses: how many connections were lost when it was renewed last.
    """

    __slots__ = ("_context", "lease", "losses", "valid_until")

    def __init__(self, context: RedisContext, lease: Lease) -> None:
        self._context = context
        self.lease = lease
        self.renew(monotonic(), context.writes.losses)

    def renew(self, asked: float, losses: int) -> None:
        """Take note that a request of that time has renewed the lease."""
        self.valid_until = asked + self.lease.seconds
        self.losses = losses

    @property
    def must_be_valid(self) -> bool:
        """Whether Redis has to check the end of the lease.

        It has to if this process let the lease run out. If Redis was away, no producer could renew its lease,
        so it stays valid until a follower ends the log.
        """
        return monotonic() >= self.valid_until and self._context.writes.losses == self.losses


class _Group:
    """Events that are appended together.

    Attributes:
        result: gets their ids, if somebody waits for them.
        ends_as: the state of the log after them, None if it goes on.
    """

    __slots__ = ("drafts", "ends_as", "result", "size")

    def __init__(
        self, drafts: Sequence[Draft], ends_as: Status | None, result: asyncio.Future[list[EventId]] | None
    ) -> None:
        self.drafts = drafts
        self.ends_as = ends_as
        self.result = result
        self.size = sum(len(draft.frame) for draft in drafts)


class RedisWriter:
    """Appends to one log. See ``Writer`` for the methods.

    The first event is sent at once. Those that come while it is under way, or within ``gather`` seconds after
    it, are sent together.

    Args:
        context: what all parts of the engine share.
        key: the key of the log.
        right: the right of the producer; None for a writer without a lease.

    Attributes:
        key: the key of the log.
    """

    def __init__(self, context: RedisContext, key: str, right: Right | None) -> None:
        self._context = context
        self.key = key
        self._right = right
        self._begin()
        self._waiting: deque[_Group] = deque()
        self._waiting_events = 0
        self._waiting_bytes = 0
        self._room: asyncio.Event | None = None
        self._hurry = asyncio.Event()
        self._is_running = False
        self._failure: Exception | None = None
        self._losses = context.writes.losses

    def _begin(self) -> None:
        # The renewal of a lease keeps what Redis knows of its writer, so the name follows from the lease.
        self._id = self._right.lease.token if self._right else token_hex(6)
        self._appended = 0
        self._position = 0
        self._last_use = monotonic()

    async def put(self, drafts: Sequence[Draft]) -> None:
        self._add(_Group(drafts, None, None))
        while self._waiting_events > _MAX_WAITING or self._waiting_bytes > _MAX_WAITING_BYTES:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()
            if self._failure is not None:
                raise self._failure

    async def append(self, drafts: Sequence[Draft], *, ends_as: Status | None = None) -> list[EventId]:
        result: asyncio.Future[list[EventId]] = asyncio.get_running_loop().create_future()
        self._add(_Group(drafts, ends_as, result))
        self._hurry.set()
        if self._right is not None:
            return await result
        try:
            done, _ = await asyncio.wait([result], timeout=self._context.timeout)
        finally:
            result.cancel()  # the append may still be done later; nobody waits for it
        if not done:
            reason = self._context.writes.last_error
            raise NoAnswerError(
                f"Redis has not answered for {self._context.timeout:g} s, and the event may be appended "
                f"later: {reason or 'no connection'}"
            ) from reason
        return result.result()

    def _add(self, group: _Group) -> None:
        self._context.bounds.check(group.drafts)
        if self._failure is not None:
            if self._right is not None:
                raise self._failure
            self._failure = None
        self._waiting.append(group)
        self._waiting_events += len(group.drafts)
        self._waiting_bytes += group.size
        if not self._is_running:
            self._is_running = True
            keep_task(self._run())

    async def _run(self) -> None:
        gather = self._context.gather
        batch: list[_Group] = []
        try:
            while self._waiting:
                sent = monotonic()
                batch = self._take()
                await self._send(batch)
                left = gather - (monotonic() - sent)
                if left > 0 and not any(group.result for group in self._waiting):
                    self._hurry.clear()
                    with suppress(TimeoutError, asyncio.TimeoutError):
                        await asyncio.wait_for(self._hurry.wait(), left)
        except BaseException as error:
            self._fail(error if isinstance(error, Exception) else HubError("the hub is closed"), batch)
            if not isinstance(error, Exception):
                raise
        finally:
            self._is_running = False

    def _take(self) -> list[_Group]:
        batch: list[_Group] = []
        count = size = 0
        while self._waiting:
            group = self._waiting[0]
            count += len(group.drafts)
            size += group.size
            if batch and (count > _MAX_BATCH or size > _MAX_BATCH_BYTES):
                break
            batch.append(self._waiting.popleft())
            self._waiting_events -= len(group.drafts)
            self._waiting_bytes -= group.size
            if group.ends_as is not None:
                break
        if self._room is not None:
            self._room.set()
            self._room = None
        return batch

    async def _send(self, batch: list[_Group]) -> None:
        context, right = self._context, self._right
        names, ttl = context.names, context.ttl_ms
        memory = ttl if right else min(ttl, int(_MEMORY_TIME * 1000))
        if right is None and monotonic() - self._last_use > memory / 2000:
            self._begin()  # Redis may have forgotten this writer
        self._last_use = monotonic()
        drafts = [draft for group in batch for draft in group.drafts]
        bounds = context.bounds
        losses = context.writes.losses

        def arguments(_: Link) -> Sequence[Any]:
            # Redis can lose a log only if a connection was lost. Otherwise it was deleted, or has expired.
            may_be_lost = context.writes.losses != losses or self._losses != context.writes.losses
            is_valid = right is None or monotonic() < right.valid_until
            fields = [part for draft in drafts for part in (draft.kind.value, draft.frame)]
            return (
                right.lease.token if right else "",
                new_incarnation(),
                self._appended,
                self._position,
                ttl,
                bounds.max_events,
                bounds.max_bytes,
                "" if bounds.max_age is None else int(bounds.max_age * 1000),
                batch[-1].ends_as or "",
                int(may_be_lost and is_valid),
                int(right.lease.seconds * 1000) if right else 0,
                context.id,
                int(right is not None and right.must_be_valid),
                memory,
                *fields,
            )

        keys = (names.meta(self.key), names.log(self.key), names.writer(self.key, self._id))
        reply = await context.writes.call(APPEND, keys, arguments)
        self._losses = context.writes.losses
        if reply[0] == 1:
            self._receive(batch, len(drafts), reply)
        else:
            self._fail(self._error(reply[0]), batch)

    def _error(self, reply: int) -> HubError:
        if reply == 3:
            return LogDeletedError(self.key)
        error_class, text = (FencedError, FENCED) if reply == 0 else (LogFinishedError, FINISHED)
        return error_class(text.format(key=self.key))

    def _receive(self, batch: list[_Group], count: int, reply: Any) -> None:
        position, incarnation = int(reply[1]), reply[2].decode()
        self._appended += count
        self._position = position
        next_position = position - count + 1
        for group in batch:
            after = next_position + len(group.drafts)
            if group.result is not None and not group.result.done():
                group.result.set_result([EventId(incarnation, at) for at in range(next_position, after)])
            next_position = after
        if reply[3] and self._right is not None and batch[-1].ends_as is None:
            self._context.on_stop(self.key, self._right.lease.token)

    def _fail(self, error: Exception, batch: Sequence[_Group] = ()) -> None:
        self._failure = error
        for group in (*batch, *self._waiting):
            if group.result is not None and not group.result.done():
                group.result.set_exception(error)
        self._waiting.clear()
        self._waiting_events = self._waiting_bytes = 0
        if self._room is not None:
            self._room.set()
            self._room = None

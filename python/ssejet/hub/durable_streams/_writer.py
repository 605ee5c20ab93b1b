"""Makes the changes that requests ask for: those of one stream in order, and together if they can be."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import anyio

from ssejet.errors import HubError
from ssejet.hub._tasks import spawn
from ssejet.hub.durable_streams._exchange import Answer, RequestError, error_answer
from ssejet.hub.durable_streams._writes import StreamState, Writes, field_names

if TYPE_CHECKING:
    from ssejet.hub._engine import Engine
    from ssejet.hub.durable_streams._writes import Append, Create

__all__ = ["Writer", "unavailable"]

_logger = logging.getLogger("ssejet.hub")

# The most requests, and bytes, of one change.
_MAX_BATCH = 128
_MAX_BATCH_BYTES = 2**20

# How many streams, and producers of each, this process remembers between two requests.
_MAX_KNOWN = 1000
_MAX_KNOWN_PRODUCERS = 100

# For how many seconds a change is tried again because other processes change the stream.
_CONTENTION_TIME = 10.0


def unavailable() -> Answer:
    """The answer if the logs cannot be reached. A change may have been made."""
    return error_answer(503, "unavailable", "the streams cannot be reached now", [("retry-after", "1")])


class _Waiting:
    """A request that waits for its answer."""

    __slots__ = ("answer", "done", "operation")

    def __init__(self, operation: Create | Append) -> None:
        self.operation = operation
        self.answer: Answer | None = None
        self.done = anyio.Event()


class Writer:
    """Changes streams.

    A change names the revision of the stream that it was decided for, so a change that another process made
    in between refuses it, and it is decided again.

    Args:
        engine: keeps the logs.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queues: dict[str, deque[_Waiting]] = {}
        self._known: OrderedDict[str, StreamState] = OrderedDict()

    async def run(self, key: str, operation: Create | Append) -> Answer:
        """Make a change, and return the answer. The change is made even if the caller is cancelled."""
        waiting = _Waiting(operation)
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque([waiting])
            spawn(lambda: self._work(key))
        else:
            queue.append(waiting)
        await waiting.done.wait()
        assert waiting.answer is not None
        return waiting.answer

    async def delete(self, key: str) -> bool:
        """Remove a stream; False if there is none."""
        record = await self._engine.load(key, field_names(()))
        self._known.pop(key, None)
        if StreamState.of(record, ()) is None:
            return False
        await self._engine.delete(key)
        return True

    async def _work(self, key: str) -> None:
        queue = self._queues[key]
        batch: list[_Waiting] = []
        try:
            while queue:
                batch = _take(queue)
                try:
                    await self._change(key, batch)
                except Exception as error:
                    self._known.pop(key, None)
                    if isinstance(error, HubError):
                        _logger.warning("the stream %r was not changed: %s", key, error)
                    else:
                        _logger.exception("the stream %r was not changed", key)
                _release(batch)
        finally:
            del self._queues[key]
            _release([*batch, *queue])

    async def _change(self, key: str, batch: list[_Waiting]) -> None:
        ids = {id for waiting in batch if (id := waiting.operation.producer_id) is not None}
        names = field_names(ids)
        known = self._known.get(key)
        state = known
        is_fresh = False
        give_up = anyio.current_time() + _CONTENTION_TIME
        while True:
            if not is_fresh and (state is None or not ids <= state.producers.keys()):
                state = StreamState.of(await self._engine.load(key, names), ids)
                is_fresh = True
            writes = Writes(state, lost_from=_lost_from(known, state))
            answers = [_run(writes, waiting.operation) for waiting in batch]
            change = writes.change()
            if change is None:
                if is_fresh:
                    break
                state = None  # another process may have changed the stream, so that these are not refused
                continue
            is_made, record = await self._engine.commit(key, change, names)
            if is_made:
                break
            state = StreamState.of(record, ids)
            is_fresh = True
            if anyio.current_time() > give_up:
                return
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.answer = answer
        self._remember(key, writes.state)

    def _remember(self, key: str, state: StreamState | None) -> None:
        self._known.pop(key, None)
        if state is None:
            return
        if len(state.producers) > _MAX_KNOWN_PRODUCERS:
            state.producers.clear()
        self._known[key] = state
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)


def _take(queue: deque[_Waiting]) -> list[_Waiting]:
    batch: list[_Waiting] = []
    size = 0
    while (
        queue
        and len(batch) < _MAX_BATCH
        and (not batch or size + queue[0].operation.size <= _MAX_BATCH_BYTES)
    ):
        waiting = queue.popleft()
        size += waiting.operation.size
        batch.append(waiting)
    return batch


def _release(batch: list[_Waiting]) -> None:
    for waiting in batch:
        if waiting.answer is None:
            waiting.answer = unavailable()
        waiting.done.set()


def _run(writes: Writes, operation: Create | Append) -> Answer:
    try:
        return writes.run(operation)
    except RequestError as error:
        return error.answer


def _lost_from(known: StreamState | None, state: StreamState | None) -> int | None:
    """The last position that a log is known to have had, if it has lost entries since."""
    if known is None or state is None or known.log != state.log or known.position <= state.position:
        return None
    return known.position

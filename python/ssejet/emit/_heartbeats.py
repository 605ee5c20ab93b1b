"""Adds heartbeats to a source: an item that says that the source is silent."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet.emit._closing import aclose
from ssejet.emit._emit_machine import HEARTBEAT
from ssejet.emit._event_loops import keep_task
from ssejet.emit._source_thread import SourceThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["AsyncHeartbeatSource", "HeartbeatSource"]

T = TypeVar("T")

# How many seconds closing waits for a source that is making an item.
_CLOSING_TIME = 1.0


class _State(Enum):
    """How far the reader of a source is.

    ======= ======================= ================ =============== ========================
    state   the reader wants more   an item comes    silence         an exception, or a close
    ======= ======================= ================ =============== ========================
    IDLE    asks; becomes WAITING                                    becomes ENDED
    WAITING waits on                becomes IDLE     gets HEARTBEAT  becomes ENDED
    ENDED   stops
    ======= ======================= ================ =============== ========================
    """

    IDLE = auto()
    WAITING = auto()
    ENDED = auto()


class HeartbeatSource(Generic[T]):
    """Iterates a source in a thread, and gives ``HEARTBEAT`` whenever the source is silent.

    Args:
        open_source: makes the iterator.
        silence: the seconds after which a source counts as silent.
        interrupt: called by another thread to end a wait of the source.
        after: called in the thread of the source when the source is closed; not if that thread never started.
    """

    def __init__(
        self,
        open_source: Callable[[], Iterator[T]],
        *,
        silence: float,
        interrupt: Callable[[], None],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._silence = silence
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread = SourceThread(open_source, deliver=self._put, interrupt=interrupt, after=after)
        self._state = _State.IDLE

    @property
    def started(self) -> bool:
        """Whether the thread has started."""
        return self._thread.started

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._state is _State.ENDED:
            raise StopIteration
        if self._state is _State.IDLE:
            self._state = _State.WAITING
            self._thread.ask()
        try:
            item, error = self._results.get(timeout=self._silence)
        except Empty:
            return HEARTBEAT
        if error is not None:
            self._state = _State.ENDED
            raise error
        self._state = _State.IDLE
        return item

    def close(self) -> None:
        """Close the source, in its thread. A wait that cannot be interrupted comes to its end first."""
        self._state = _State.ENDED
        self._thread.close()
        self._thread.join(_CLOSING_TIME)

    def _put(self, item: Any, error: BaseException | None) -> None:
        self._results.put((item, error))


class AsyncHeartbeatSource(Generic[T]):
    """Iterates a source in a task, and gives ``HEARTBEAT`` whenever the source is silent; needs asyncio.

    Args:
        source: the iterator.
        silence: the seconds after which it counts as silent.
    """

    def __init__(self, source: AsyncIterator[T], *, silence: float) -> None:
        self._source = source
        self._silence = silence
        self._wanted = asyncio.Semaphore(0)
        self._results: asyncio.Queue[tuple[Any, BaseException | None]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._state = _State.IDLE

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._state is _State.ENDED:
            raise StopAsyncIteration
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "heartbeats need asyncio here; send the stream with ssejet.emit.starlette's response"
            ) from None
        if self._task is None:
            self._task = keep_task(self._run())
        if self._state is _State.IDLE:
            self._state = _State.WAITING
            self._wanted.release()
        timer = loop.call_later(self._silence, self._put_heartbeat)
        try:
            item, error = await self._results.get()
        finally:
            timer.cancel()
        if item is HEARTBEAT:
            return item
        if error is not None:
            self._state = _State.ENDED
            raise error
        self._state = _State.IDLE
        return item

    async def aclose(self) -> None:
        """Close the source, in its task."""
        self._state = _State.ENDED
        if self._task is None:
            await aclose(self._source)
        else:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _put_heartbeat(self) -> None:
        if self._results.empty():
            self._results.put_nowait((HEARTBEAT, None))

    async def _run(self) -> None:
        try:
            while True:
                await self._wanted.acquire()
                self._results.put_nowait((await anext(self._source), None))
        except BaseException as error:
            self._results.put_nowait((None, error))
        finally:
            await aclose(self._source)

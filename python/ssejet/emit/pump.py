"""Sources that say when they are silent."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet.emit.machine import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["AsyncPump", "Pump", "aclose", "close"]

T = TypeVar("T")

# How long closing waits for a source that is in the middle of something, in seconds.
_PATIENCE = 1.0

# The event loop alone does not keep a task alive.
_tasks: set[asyncio.Task[None]] = set()


class Pump(Generic[T]):
    """Iterates a source in a thread of its own, and gives ``HEARTBEAT`` whenever that is silent.

    The source is opened, asked for an item when one is wanted, and closed, all in that thread and in the
    context of whoever takes the first item.

    Args:
        open_source: makes the iterator.
        silence: the seconds after which a source counts as silent.
        interrupt: called by another thread to end what the source waits for.
        after: called in that thread when the source is closed; never, if the thread never started.
    """

    def __init__(
        self,
        open_source: Callable[[], Iterator[T]],
        *,
        silence: float,
        interrupt: Callable[[], None],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_source = open_source
        self._silence = silence
        self._interrupt = interrupt
        self._after = after
        self._wanted = threading.Semaphore(0)
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = False
        self._ended = False

    @property
    def started(self) -> bool:
        """Whether the thread has started."""
        return self._thread is not None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        if self._thread is None:
            context = contextvars.copy_context()
            self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)
            self._thread.start()
        if not self._waiting:
            self._waiting = True
            self._wanted.release()
        try:
            item, error = self._results.get(timeout=self._silence)
        except Empty:
            return HEARTBEAT
        self._waiting = False
        if error is not None:
            self._ended = True
            raise error
        return item

    def close(self) -> None:
        """Close the source; one that waits and cannot be interrupted is closed when its wait is over."""
        self._ended = True
        if self._thread is not None:
            self._wanted.release()
            self._interrupt()
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        source = None
        try:
            source = self._open_source()
            while True:
                self._wanted.acquire()
                if self._ended:
                    return
                self._results.put((next(source), None))
        except BaseException as error:
            self._results.put((None, error))
        finally:
            close(source)
            self._after()


class AsyncPump(Generic[T]):
    """Does what ``Pump`` does, with a task of its own; needs asyncio.

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
        self._waiting = False
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._ended:
            raise StopAsyncIteration
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "heartbeats need asyncio here; send the stream with ssejet.emit.starlette's response"
            ) from None
        if self._task is None:
            self._task = loop.create_task(self._run())
            _tasks.add(self._task)
            self._task.add_done_callback(_tasks.discard)
        if not self._waiting:
            self._waiting = True
            self._wanted.release()
        timer = loop.call_later(self._silence, self._beat)
        try:
            item, error = await self._results.get()
        finally:
            timer.cancel()
        if item is HEARTBEAT:
            return item
        self._waiting = False
        if error is not None:
            self._ended = True
            raise error
        return item

    async def aclose(self) -> None:
        """Close the source, in its task."""
        self._ended = True
        if self._task is None:
            await aclose(self._source)
        else:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _beat(self) -> None:
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


def close(iterator: Any) -> None:
    """Close an iterator, if it can be closed."""
    method = getattr(iterator, "close", None)
    if method is not None:
        method()


async def aclose(iterator: Any) -> None:
    """Close an async iterator, if it can be closed."""
    method = getattr(iterator, "aclose", None)
    if method is not None:
        await method()

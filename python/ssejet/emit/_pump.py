"""Sources that say when they are silent."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet.emit._emit_machine import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["AsyncPump", "Pump", "SourceThread", "aclose", "close", "log_cleanup_error"]

T = TypeVar("T")

_logger = logging.getLogger("ssejet.emit")

# How long closing waits for a source that is in the middle of something, in seconds.
_CLOSING_TIME = 1.0

# The event loop alone does not keep a task alive.
_tasks: set[asyncio.Task[None]] = set()


class SourceThread(Generic[T]):
    """Iterates a source in a thread of its own, which does not keep the process alive.

    The source is opened, asked for an item when one is wanted, and closed, all in that thread and in the
    context of the code that starts the thread.

    Args:
        open_source: makes the iterator.
        deliver: called in that thread with an item and None, or with None and what the source raised.
        interrupt: called by another thread to end what the source waits for.
        after: called in that thread when the source is closed.
        on_end: called at the end of that thread with the exception of the clean-up, or None.

    Attributes:
        makes_item: the source is in the middle of making an item, so that nobody can close it.
    """

    def __init__(
        self,
        open_source: Callable[[], Iterator[T]],
        *,
        deliver: Callable[[Any, BaseException | None], None],
        interrupt: Callable[[], None],
        after: Callable[[], None] = lambda: None,
        on_end: Callable[[Exception | None], None] | None = None,
    ) -> None:
        self.makes_item: bool = False
        self._open_source = open_source
        self._deliver = deliver
        self._interrupt = interrupt
        self._after = after
        self._on_end = on_end or log_cleanup_error
        self._wanted = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def started(self) -> bool:
        """Whether the thread has started."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread, unless that is done."""
        if self._thread is None:
            context = contextvars.copy_context()
            self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)
            self._thread.start()

    def ask(self) -> None:
        """Ask for an item; call it again when the item has been delivered."""
        self.start()
        self._wanted.release()

    def close(self) -> None:
        """Have the source closed; one that waits and cannot be interrupted is closed after that."""
        self._closing = True
        if self._thread is not None:
            self._wanted.release()
            self._interrupt()

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, for this many seconds at most."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        source = None
        try:
            while self._wanted.acquire() and not self._closing:
                self.makes_item = True
                if source is None:
                    source = self._open_source()
                item = next(source)
                self.makes_item = False
                self._deliver(item, None)
        except BaseException as error:
            self.makes_item = False
            self._deliver(None, error)
        finally:
            self._clean_up(source)

    def _clean_up(self, source: Any) -> None:
        failure = None
        try:
            close(source)
            self._after()
        except Exception as error:
            failure = error
        self._on_end(failure)


def log_cleanup_error(error: Exception | None) -> None:
    """Log the exception that the clean-up of a source ended with, if there is one."""
    if error is not None:
        _logger.error("the source of a stream failed to clean up", exc_info=error)


class Pump(Generic[T]):
    """Iterates a source in a thread of its own, and gives ``HEARTBEAT`` whenever that is silent.

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
        self._silence = silence
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread = SourceThread(open_source, deliver=self._put, interrupt=interrupt, after=after)
        self._waiting = False
        self._ended = False

    @property
    def started(self) -> bool:
        """Whether the thread has started."""
        return self._thread.started

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        if not self._waiting:
            self._waiting = True
            self._thread.ask()
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
        self._thread.close()
        self._thread.join(_CLOSING_TIME)

    def _put(self, item: Any, error: BaseException | None) -> None:
        self._results.put((item, error))


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

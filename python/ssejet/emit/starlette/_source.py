"""Where the items of a response come from: async iterators, and threads."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from ssejet.emit._event_loops import running_loop
from ssejet.emit._pump import SourceThread, aclose, log_cleanup_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator

    from ssejet.emit._event_stream import EventStream

__all__ = ["ThreadedSource", "WatchedSource"]


class WatchedSource:
    """An async iterator that can be watched: whether it waits for an item, so that others have their turn.

    Attributes:
        unwatched: the iterator.
        is_watched: the source is watched.
        waited: it has waited since.
    """

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self.unwatched = items
        self.is_watched = self.waited = False
        self._step: Any = None

    def watch(self) -> None:
        """Watch the source from now on, at some cost."""
        self.is_watched = True
        self.waited = False

    def __anext__(self) -> Awaitable[Any]:
        self._step = self.unwatched.__anext__().__await__()
        return self

    async def aclose(self) -> None:
        await aclose(self.unwatched)

    # While it is watched, it is its own awaitable, which passes on what goes into a step and comes out of it.

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        trap = next(self._step)
        self.waited = True
        return trap

    def send(self, value: Any) -> Any:
        trap = self._step.send(value)
        self.waited = True
        return trap

    def throw(self, *error: Any) -> Any:
        return self._step.throw(*error)

    def close(self) -> None:
        self._step.close()


class ThreadedSource:
    """Has the items of an ``EventStream`` made in a thread, behind the interface of an async stream.

    The thread is the stream's own: a pool has an end, and its threads keep a process alive that is told to
    stop.
    """

    def __init__(self, stream: EventStream[Any]) -> None:
        self.machine = stream.machine
        self.name = stream.name
        self._stream = stream
        self._thread = SourceThread(
            stream.open,
            deliver=self._deliver,
            interrupt=stream.interrupt,
            after=stream.close,
            on_end=self._end,
        )
        self._call_soon: Callable[..., Any] | None = None
        self._result: tuple[Any, BaseException | None] = (None, None)
        self._arrived = anyio.Event()
        self._closed = anyio.Event()
        self._failure: Exception | None = None
        self._ended = self._abandoned = False

    @property
    def heartbeat(self) -> float | None:
        """The seconds of silence after which a comment is sent, None for never."""
        return self._stream.heartbeat

    @property
    def makes_item(self) -> bool:
        """Whether the source is in the middle of making an item, so that nobody can close it."""
        return self._thread.makes_item

    def open(self) -> AsyncIterator[Any]:
        """Begin making items."""
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._ended:
            raise StopAsyncIteration
        if self._call_soon is None:
            self._call_soon = running_loop().call_soon
        arrived = self._arrived = anyio.Event()
        self._thread.ask()
        await arrived.wait()
        item, error = self._result
        if error is None:
            return item
        self._ended = True
        if isinstance(error, StopIteration):
            raise StopAsyncIteration
        raise error

    async def aclose(self) -> None:
        """Close the source, in its thread, unless a call before this one was cancelled."""
        if self._abandoned:
            return
        self._ended = True
        self._call_soon = running_loop().call_soon
        # A stream that never began has something to close too.
        self._thread.start()
        self._thread.close()
        try:
            await self._closed.wait()
        except BaseException:
            self._abandoned = True
            raise
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    # These run in the thread.

    def _deliver(self, item: Any, error: BaseException | None) -> None:
        self._tell(self._receive, item, error)

    def _end(self, failure: Exception | None) -> None:
        if not self._tell(self._receive_end, failure):
            log_cleanup_error(failure)

    def _tell(self, function: Callable[..., None], *args: Any) -> bool:
        assert self._call_soon is not None
        with suppress(RuntimeError):  # The event loop is closed, and the response with it.
            self._call_soon(function, *args)
            return True
        return False

    # These run in the event loop.

    def _receive(self, item: Any, error: BaseException | None) -> None:
        self._result = (item, error)
        self._arrived.set()

    def _receive_end(self, failure: Exception | None) -> None:
        if self._abandoned:
            log_cleanup_error(failure)
        else:
            self._failure = failure
        self._closed.set()

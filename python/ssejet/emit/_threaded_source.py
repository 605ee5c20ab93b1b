"""Makes the items of a source that is not async in a thread, for an event loop."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import anyio

from ssejet.emit._event_loops import running_loop
from ssejet.emit._source_thread import SourceThread, exit_error, log_cleanup_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ssejet.emit._event_stream import EventStream

__all__ = ["ThreadedSource"]


class _State(Enum):
    """How far a ``ThreadedSource`` is.

    ========= ================ ======================== ======================== ======================
    state     the next item    an end or an exception   ``aclose()``             ``aclose()`` cancelled
    ========= ================ ======================== ======================== ======================
    OPEN      is waited for    becomes ENDED            closes; becomes ENDED    becomes ABANDONED
    ENDED     never comes                               closes                   becomes ABANDONED
    ABANDONED never comes                               does nothing
    ========= ================ ======================== ======================== ======================

    No caller waits for an abandoned source, so an exception of its clean-up is logged.
    """

    OPEN = auto()
    ENDED = auto()
    ABANDONED = auto()


class ThreadedSource:
    """Makes the items of an ``EventStream`` in a thread, with the interface of an ``AsyncEventStream``.

    Each stream has a thread of its own: the threads of a pool may all be busy, and would keep a stopping
    process alive.
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
        self._state = _State.OPEN

    @property
    def heartbeat(self) -> float | None:
        """The seconds of silence after which a comment is sent, None for never."""
        return self._stream.heartbeat

    @property
    def is_making_item(self) -> bool:
        """Whether the source is making an item, so that it cannot be closed."""
        return self._thread.is_making_item

    def open(self) -> AsyncIterator[Any]:
        """Begin making items."""
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._state is not _State.OPEN:
            raise StopAsyncIteration
        if self._call_soon is None:
            self._call_soon = running_loop().call_soon
        arrived = self._arrived = anyio.Event()
        self._thread.ask()
        await arrived.wait()
        item, error = self._result
        if error is None:
            return item
        self._state = _State.ENDED
        if isinstance(error, StopIteration):
            raise StopAsyncIteration
        if not isinstance(error, Exception):
            # In a thread, SystemExit ends that thread. In a task, it would end the event loop.
            raise exit_error(error) from error
        raise error

    async def aclose(self) -> None:
        """Close the source, in its thread."""
        if self._state is _State.ABANDONED:
            return
        self._state = _State.ENDED
        self._call_soon = running_loop().call_soon
        # A stream that never began has something to close too; its thread does that.
        self._thread.start()
        self._thread.close()
        try:
            await self._closed.wait()
        except BaseException:
            self._state = _State.ABANDONED
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
        with suppress(RuntimeError):  # The event loop is closed, so the response is too.
            self._call_soon(function, *args)
            return True
        return False

    # These run in the event loop.

    def _receive(self, item: Any, error: BaseException | None) -> None:
        self._result = (item, error)
        self._arrived.set()

    def _receive_end(self, failure: Exception | None) -> None:
        if self._state is _State.ABANDONED:
            log_cleanup_error(failure)
        else:
            self._failure = failure
        self._closed.set()

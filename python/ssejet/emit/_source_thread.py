"""Runs a source that is not async in a thread.

The thread is in one of these states:

======= ================== ================ =========================================
state   an item is asked   an item is made  close()
======= ================== ================ =========================================
WAITING MAKING                              CLOSED
MAKING                     WAITING          CLOSING: the source cannot be closed yet
CLOSING                    CLOSED           CLOSING
CLOSED  the source closes                   CLOSED
======= ================== ================ =========================================
"""

from __future__ import annotations

import contextvars
import logging
import threading
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet.emit._closing import close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SourceThread", "exit_error", "log_cleanup_error"]

T = TypeVar("T")

_logger = logging.getLogger("ssejet.emit")


class _State(Enum):
    WAITING = auto()
    MAKING = auto()
    CLOSING = auto()
    CLOSED = auto()


# What moves the thread from one state to another; see the table at the top.
_ASKED = ((_State.WAITING, _State.MAKING),)
_MADE = ((_State.MAKING, _State.WAITING), (_State.CLOSING, _State.CLOSED))
_CLOSE = ((_State.WAITING, _State.CLOSED), (_State.MAKING, _State.CLOSING))


class SourceThread(Generic[T]):
    """Iterates a source in a daemon thread of its own.

    The thread opens the source, makes an item whenever ``ask`` is called, and closes the source. It runs in
    the context (``contextvars``) of the code that starts it.

    Args:
        open_source: makes the iterator.
        deliver: called in the thread with an item and None, or with None and the exception of the source.
        interrupt: called by another thread to end a wait of the source.
        after: called in the thread when the source is closed.
        on_end: called at the end of the thread with the exception of the clean-up, or None.
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
        self._open_source = open_source
        self._deliver = deliver
        self._interrupt = interrupt
        self._after = after
        self._on_end = on_end or log_cleanup_error
        self._wanted = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._state = _State.WAITING
        # The garbage collector can call close() in the thread that holds it.
        self._lock = threading.RLock()

    @property
    def started(self) -> bool:
        """Whether the thread has started."""
        return self._thread is not None

    @property
    def is_making_item(self) -> bool:
        """Whether the source is making an item, so that it cannot be closed."""
        return self._state in {_State.MAKING, _State.CLOSING}

    def start(self) -> None:
        """Start the thread, if it has not started."""
        if self._thread is None:
            context = contextvars.copy_context()
            self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)
            self._thread.start()

    def ask(self) -> None:
        """Ask for an item; call it again when the item has been delivered."""
        self.start()
        self._wanted.release()

    def close(self) -> None:
        """Close the source, in its thread. A wait that cannot be interrupted comes to its end first."""
        self._move(_CLOSE)
        if self._thread is not None:
            self._wanted.release()
            self._interrupt()

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, for at most this many seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _move(self, moves: tuple[tuple[_State, _State], ...]) -> _State:
        with self._lock:
            for before, after in moves:
                if self._state is before:
                    self._state = after
                    break
            return self._state

    def _run(self) -> None:
        source = None
        try:
            while self._wanted.acquire() and self._move(_ASKED) is _State.MAKING:
                if source is None:
                    source = self._open_source()
                item = next(source)
                self._move(_MADE)
                self._deliver(item, None)
        except BaseException as error:
            self._move(_MADE)
            self._deliver(None, error)
        finally:
            self._clean_up(source)

    def _clean_up(self, source: Any) -> None:
        failure = None
        try:
            try:
                close(source)
            finally:
                self._after()
        except Exception as error:
            failure = error
        self._on_end(failure)


def exit_error(error: BaseException) -> RuntimeError:
    """Return the error for what a source raised that is no Exception, as it would end the event loop."""
    return RuntimeError(f"the source raised {error!r}: raise an Exception instead")


def log_cleanup_error(error: Exception | None) -> None:
    """Log the exception of a source's clean-up, if there is one."""
    if error is not None:
        _logger.error("the source of a stream failed to clean up", exc_info=error)

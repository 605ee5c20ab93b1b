"""Runs a source that is not async in a thread."""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet.emit._closing import close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SourceThread", "log_cleanup_error"]

T = TypeVar("T")

_logger = logging.getLogger("ssejet.emit")


class SourceThread(Generic[T]):
    """Iterates a source in a daemon thread of its own.

    The thread opens the source, makes an item whenever ``ask`` is called, and closes the source. It runs in
    the context (``contextvars``) of the code that starts it.

    Args:
        open_source: makes the iterator.
        deliver: called in the thread with an item and None, or with None and the exception of the source.
        interrupt: called by another thread to end what the source waits for.
        after: called in the thread when the source is closed.
        on_end: called at the end of the thread with the exception of the clean-up, or None.

    Attributes:
        is_making_item: whether the source is making an item, so that it cannot be closed.
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
        self.is_making_item: bool = False
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
        """Have the source closed; if it waits and cannot be interrupted, it is closed after its wait."""
        self._closing = True
        if self._thread is not None:
            self._wanted.release()
            self._interrupt()

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, for at most this many seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        source = None
        try:
            while self._wanted.acquire() and not self._closing:
                self.is_making_item = True
                if source is None:
                    source = self._open_source()
                item = next(source)
                self.is_making_item = False
                self._deliver(item, None)
        except BaseException as error:
            self.is_making_item = False
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
    """Log the exception that the clean-up of a source has raised, if it has."""
    if error is not None:
        _logger.error("the source of a stream failed to clean up", exc_info=error)

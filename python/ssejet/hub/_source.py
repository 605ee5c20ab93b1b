"""The source of a log: it makes the items, and is closed in all cases, also if it never begins."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any

import anyio

from ssejet._core import Decoder
from ssejet.emit._closing import aclose, close
from ssejet.emit._event_stream import AsyncEventStream, EventStream
from ssejet.emit._threaded_source import ThreadedSource
from ssejet.hub._tasks import logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CLEANUP_TIME", "Source", "function_source"]

CLEANUP_TIME = 5.0
"""How many seconds a source may take to clean up, and Redis to take the last events of a loop that closes."""


class Source:
    """Makes the items of a log.

    The hub takes the source over when ``start`` or ``relay`` is called, and closes it if it does not run it.

    Args:
        function: called once; returns the items: an iterable, async or not, or an awaitable of one.
        owner: what is closed in the end, whether the function was called or not; None for nothing.
        in_thread: whether to call the function in a thread, because it may block.

    Attributes:
        is_taken: whether the hub has taken it over, so that only the hub closes it.
    """

    def __init__(self, function: Callable[[], Any], owner: Any = None, *, in_thread: bool = False) -> None:
        self.is_taken = False
        self._function = function
        self._owner = owner
        self._in_thread = in_thread
        # What to close, in the order in which it was opened.
        self._to_close: list[Any] = []
        if owner is not None:
            self._keep(self._in_a_thread() if in_thread else owner)

    async def open(self) -> Any:
        """Return an async iterator of the items.

        Raises:
            TypeError: the function returned something else.
        """
        if self._in_thread:
            return self._to_close[0] if self._to_close else self._keep(self._in_a_thread())
        items = self._function()
        if inspect.isawaitable(items):
            items = await items
        if isinstance(items, Iterable) and not isinstance(items, AsyncIterable):
            return self._keep(ThreadedSource(_SyncItems(items=items)))
        # An iterator does not always close what it iterates over.
        self._keep(items)
        if isinstance(items, AsyncEventStream):
            return self._keep(Decoder(max_event_size=None).aiter_bytes(items))
        if isinstance(items, AsyncIterable):
            return self._keep(aiter(items))
        raise TypeError(
            f"the source returned {type(items).__name__}: it must return an iterable of items, async or not"
        )

    async def aclose(self, key: str) -> None:
        """Close what there is to close, for a limited time; log what goes wrong.

        Args:
            key: the key of the log.
        """
        with anyio.move_on_after(CLEANUP_TIME, shield=True) as cleanup:
            while self._to_close:
                try:
                    await aclose(self._to_close.pop())
                except Exception:  # noqa: PERF203 (the rest has to be closed too)
                    logger.exception("the source of the log %r failed to clean up", key)
        if cleanup.cancelled_caught:
            logger.warning("the source of the log %r was not closed within %g seconds", key, CLEANUP_TIME)

    def close(self) -> None:
        """Close the owner, if the hub has not taken the source over."""
        close(self._owner)

    def _keep(self, value: Any) -> Any:
        """Take note of something to close."""
        if not (self._to_close and self._to_close[-1] is value):
            self._to_close.append(value)
        return value

    def _in_a_thread(self) -> ThreadedSource:
        return ThreadedSource(_SyncItems(self._function, self._owner))


def function_source(function: Callable[[], Any], *, in_thread: bool = False) -> Source:
    """Return the source that is a user's function; see ``Source``.

    Raises:
        TypeError: it is no function.
    """
    if not callable(function):
        raise TypeError(
            f"source must be a function that returns the items, not {type(function).__name__}, because "
            "only one of all callers runs it: pass lambda: items(…)"
        )
    return Source(function, in_thread=in_thread)


class _SyncItems(EventStream[Any]):
    """The items of a source that is not async, for the thread that makes and closes them.

    Args:
        function: returns the items; None if they are passed.
        owner: what is closed after the items.
        items: the items.
    """

    def __init__(
        self, function: Callable[[], Any] | None = None, owner: Any = None, *, items: Any = None
    ) -> None:
        super().__init__()
        self._function = function
        self._owner = owner
        self._items = items

    def generate(self) -> Iterable[Any]:
        if self._function is not None:
            self._items = self._function()
        if isinstance(self._items, EventStream):
            return Decoder(max_event_size=None).iter_bytes(self._items)
        if isinstance(self._items, Iterable):
            return self._items
        raise TypeError(
            f"the source returned {type(self._items).__name__}: it must return an iterable of items; async "
            "iterables are for AsyncHub"
        )

    def close(self) -> None:
        try:
            close(self._items)
        finally:
            close(self._owner)

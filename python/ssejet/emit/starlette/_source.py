"""Notes whether the source of a response's items waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.emit._closing import aclose

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Generator

__all__ = ["WatchedSource"]


class WatchedSource:
    """Wraps an async iterator, and notes whether it has waited. Other tasks run only then.

    Attributes:
        items: the iterator.
        is_watched: whether the next item is watched.
        has_waited: whether the iterator has waited since ``watch`` was called.
    """

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self.items = items
        self.is_watched = self.has_waited = False
        self._step: Any = None

    def watch(self) -> None:
        """Watch the source from now on, which makes its items cost more."""
        self.is_watched = True
        self.has_waited = False

    def __anext__(self) -> Awaitable[Any]:
        self._step = self.items.__anext__().__await__()
        return self

    async def aclose(self) -> None:
        await aclose(self.items)

    # __anext__ returns this object as its awaitable, which passes on everything that the iterator awaits.

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        trap = next(self._step)
        self.has_waited = True
        return trap

    def send(self, value: Any) -> Any:
        trap = self._step.send(value)
        self.has_waited = True
        return trap

    def throw(self, *error: Any) -> Any:
        return self._step.throw(*error)

    def close(self) -> None:
        self._step.close()

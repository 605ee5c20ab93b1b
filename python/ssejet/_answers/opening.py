"""Sources that are opened when they are first used, so that a stream that is never used sends no request.

======= ============================ ======================================= =================
state   open()                       it fails                                close()
======= ============================ ======================================= =================
NEW     OPENING                      -                                       CLOSED
OPENING refused: another opens it    CLOSED                                  CLOSED, see below
OPEN    gives the source             -                                       CLOSED
CLOSED  gives None                   -                                       CLOSED
======= ============================ ======================================= =================

What is closed while it opens is closed as soon as it is open.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ssejet._http.exclusive import ConcurrentReadError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["AsyncOpenedLater", "OpenedLater"]


class _State(Enum):
    NEW = auto()
    OPENING = auto()
    OPEN = auto()
    CLOSED = auto()


_NEW, _OPENING, _OPEN, _CLOSED = _State.NEW, _State.OPENING, _State.OPEN, _State.CLOSED


class _BaseOpenedLater:
    """What both kinds share: all but opening and closing.

    Args:
        open_source: sends the request, and returns the stream.
    """

    def __init__(self, open_source: Callable[[], Any]) -> None:
        self._open_source = open_source
        self._state = _NEW
        self._source: Any = None
        self._listeners: list[Callable[[Any], None]] = []

    def when_open(self, listener: Callable[[Any], None]) -> None:
        """Call a function with the source when it is open."""
        self._listeners.append(listener)

    @property
    def metrics(self) -> Any:
        """The metrics of the source; None before it is open."""
        return getattr(self._source, "metrics", None)

    @property
    def response(self) -> Any:
        """The HTTP response of the source; None before it is open."""
        return getattr(self._source, "response", None)

    def _begin(self) -> bool:
        """Begin to open the source; False if there is nothing to open."""
        if self._state is _OPENING:
            raise ConcurrentReadError
        if self._state is not _NEW:
            return False
        self._state = _OPENING
        return True

    def _end(self, source: Any) -> bool:
        """Keep the source that was opened; False if it must be closed."""
        self._source = source
        if self._state is _CLOSED:
            return False
        self._state = _OPEN
        for listener in self._listeners:
            listener(source)
        return True

    def _opened(self) -> Any:
        return self._source if self._state is _OPEN else None


class OpenedLater(_BaseOpenedLater):
    """A source of a sync stream that is opened when it is first used."""

    def open(self) -> Any:
        """Open the source if that was not done, and return it; None if it is closed.

        Raises:
            SSEError: what the request raises. The source is closed then.
        """
        if self._begin():
            try:
                source = self._open_source()
            except BaseException:
                self._state = _CLOSED
                raise
            if not self._end(source):
                source.close()
        return self._opened()

    def __iter__(self) -> Iterator[Any]:
        source = self.open()
        return iter(() if source is None else source)

    def close(self) -> None:
        """Close the source. One that is not open yet is never opened."""
        was_open = self._state is _OPEN
        self._state = _CLOSED
        if was_open:
            self._source.close()


class AsyncOpenedLater(_BaseOpenedLater):
    """A source of an async stream that is opened when it is first used."""

    if TYPE_CHECKING:

        def __init__(self, open_source: Callable[[], Awaitable[Any]]) -> None: ...

    async def open(self) -> Any:
        """Open the source; see ``OpenedLater.open()``."""
        if self._begin():
            try:
                source = await self._open_source()
            except BaseException:
                self._state = _CLOSED
                raise
            if not self._end(source):
                await source.aclose()
        return self._opened()

    async def aclose(self) -> None:
        """Close the source. One that is not open yet is never opened."""
        was_open = self._state is _OPEN
        self._state = _CLOSED
        if was_open:
            await self._source.aclose()

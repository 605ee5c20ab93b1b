"""Where streams are read: logs that clients write, and the answers of a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from ssejet._json import dumps
from ssejet.hub._entries import Entry, Kind
from ssejet.hub.durable_streams._content_type import ContentType
from ssejet.hub.durable_streams._offset import TAIL
from ssejet.hub.durable_streams._reads import View
from ssejet.hub.durable_streams._writes import CONFIG, Config

if TYPE_CHECKING:
    from ssejet.hub._engine import Cursor, Engine
    from ssejet.hub._machine import Page
    from ssejet.hub.durable_streams._offset import Offset

__all__ = ["Answers", "Opened", "Source", "Streams"]


class Opened(NamedTuple):
    """A stream that is read.

    Attributes:
        view: the part after the offset that was asked for.
        ttl: the seconds after which the stream is removed if nobody uses it; None for no limit.
    """

    view: View
    ttl: int | None = None


class Source(Protocol):
    """Reads streams."""

    async def open(self, path: str, offset: Offset | None) -> Opened | None:
        """Read a stream after an offset; None if there is none. Without an offset, its state is read."""

    async def use(self, path: str) -> None:
        """Take note that a stream is in use."""

    def cursor(self, path: str) -> Cursor:
        """Begin to follow a stream."""

    def update(self, view: View, page: Page) -> View:
        """The view of a page that a cursor has read."""


class Streams:
    """The streams that clients make and write. See ``Source``.

    Args:
        engine: keeps the logs.
        prefix: the first part of their keys.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        self._engine = engine
        self._prefix = prefix
        # Most clients that wait for a stream are at the same place, so they share the page and its view.
        self._page: Page | None = None
        self._view: View

    def key(self, path: str) -> str:
        """The key of the log of a stream."""
        return self._prefix + path

    async def open(self, path: str, offset: Offset | None) -> Opened | None:
        after = None if offset is None or offset == TAIL else offset.position
        record = await self._engine.load(self.key(path), [CONFIG], after=after, is_use=offset is not None)
        if CONFIG not in record.fields:
            return None
        config = Config.load(record.fields[CONFIG])
        page = record.page
        view = View(config.content_type, page.log, page.incarnation, page.first, 0, False, (), config.headers)
        return Opened(self.update(view, page), config.ttl)

    async def use(self, path: str) -> None:
        await self._engine.load(self.key(path), is_use=True)

    def cursor(self, path: str) -> Cursor:
        return self._engine.cursor(self.key(path))

    def update(self, view: View, page: Page) -> View:
        if page is not self._page:
            is_closed = page.status != "live"
            # The last entry of a closed log is its end, which is no message.
            tail = page.last - is_closed
            self._view = view._replace(tail=tail, is_closed=is_closed, entries=page.entries)
            self._page = page
        return self._view


class Answers:
    """The answers that a hub keeps, as streams of JSON. See ``Source``.

    Args:
        engine: keeps the logs.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._content_type = ContentType.parse("application/json")

    async def open(self, path: str, offset: Offset | None) -> Opened | None:
        key = path.removeprefix("/")
        if offset is None or offset == TAIL:
            page = await self._engine.page(key)
        else:
            cursor = self._engine.cursor(key)
            try:
                page = await cursor.read(offset.position, wait=False)
            finally:
                await cursor.aclose()
        if page.status == "missing":
            return None
        view = View(self._content_type, page.log, page.incarnation, page.first, 0, False, (), ())
        return Opened(self.update(view, page))

    async def use(self, path: str) -> None:
        pass

    def cursor(self, path: str) -> Cursor:
        return self._engine.cursor(path.removeprefix("/"))

    def update(self, view: View, page: Page) -> View:
        entries = [entry if entry.kind is Kind.LOST else _message(entry) for entry in page.entries]
        return view._replace(tail=page.last, is_closed=page.status != "live", entries=entries)


def _message(entry: Entry) -> Entry:
    """An event as a message. The end is one too, because it has the reason."""
    event = entry.event
    data = dumps({"event": event.event, "data": event.data, "id": event.id})
    return Entry(entry.id, Kind.ITEM, data)

"""The page that the followers of a log share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.hub._engine import NOTHING_NEW

if TYPE_CHECKING:
    from ssejet.hub._machine import Page

__all__ = ["SharedPage"]


class SharedPage:
    """A log that keeps the last page read. Most followers are at the same place, so it is made once for them.

    A subclass forgets the page whenever the log changes.
    """

    __slots__ = ("_page", "_page_after")

    _page: Page
    _page_after: int | None

    def __init__(self) -> None:
        self._forget_page()

    def page_after(self, after: int) -> Page:
        """Return the part of the log after a position, as far as it is in memory."""
        if after != self._page_after:
            self._page = self._make_page(after)
            self._page_after = after
        return self._page

    def _make_page(self, after: int) -> Page:
        raise NotImplementedError

    def _forget_page(self) -> None:
        self._page = NOTHING_NEW
        self._page_after = None

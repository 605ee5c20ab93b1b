"""Holds an engine to one event loop at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from ssejet.emit._event_loops import running_loop
from ssejet.errors import HubError

__all__ = ["OneLoop"]


class OneLoop:
    """Remembers the event loop that an engine serves. A second one may follow when the first has ended."""

    __slots__ = ("_asyncio_loop", "_call_soon", "_key")

    def __init__(self) -> None:
        self._key: object = None
        self._asyncio_loop: Any = None
        self._call_soon: Any = None

    def check(self) -> bool:
        """Return whether the running event loop is another one than before.

        Raises:
            HubError: the one before has not ended.
        """
        if self._asyncio_loop is not None and asyncio._get_running_loop() is self._asyncio_loop:
            return False
        loop = running_loop()
        if loop.key is self._key:
            return False
        is_second = self._key is not None
        if is_second and self._is_open():
            raise HubError("an AsyncHub serves one event loop: make one for each, or use Hub for threads")
        self._key = loop.key
        self._call_soon = loop.call_soon
        self._asyncio_loop = loop.key if hasattr(loop.key, "is_closed") else None
        return is_second

    def forget(self) -> None:
        """Let any event loop be the next one."""
        self._key = self._asyncio_loop = self._call_soon = None

    def _is_open(self) -> bool:
        try:
            self._call_soon(int)
        except RuntimeError:  # that of trio is one, too
            return False
        return True

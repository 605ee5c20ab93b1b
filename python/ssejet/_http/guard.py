"""Warns when a response is garbage-collected before it is closed."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssejet._http.reader import BaseReader

__all__ = ["guard_response"]


def guard_response(reader: BaseReader, message: str) -> bool:
    """Leave a response to its owner, and warn if it is garbage-collected before the owner closes it.

    Args:
        reader: the reader of the response, which is no longer used.
        message: the text of the warning.

    Returns:
        Whether the response accepts this.
    """
    with suppress(Exception):
        reader.release_connection()
        guard = _Guard(reader, message)
        setattr(reader.response, guard.name, guard.close)
        return getattr(reader.response, guard.name).__self__ is guard
    return False


class _Guard:
    """Stands in for the method that closes a response, so that it is collected with the response."""

    def __init__(self, reader: BaseReader, message: str) -> None:
        self.name = reader.close_name
        self._reader: BaseReader | None = reader
        self._message = message

    def close(self) -> Any:
        """Close the response; awaitable if its method is."""
        reader = self._take_reader()
        if reader is None:
            return None
        # httpx2's iterators close the response when they are collected, which may be before this is.
        if reader.is_collected():
            warnings.warn(self._message, ResourceWarning, source=reader.response, stacklevel=1)
        return getattr(reader, self.name)()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader = self._take_reader()
        if reader is None or sys.is_finalizing() or getattr(reader.response, "is_closed", False):
            return
        with suppress(Exception):
            reader.on_collected()
        _warn(self._message, ResourceWarning, source=reader.response)

    def _take_reader(self) -> BaseReader | None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(AttributeError):
                delattr(reader.response, self.name)
        return reader

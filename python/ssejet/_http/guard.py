"""Warns when a response is garbage-collected before it is closed."""

from __future__ import annotations

import sys
import warnings
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import ResponseAdapter

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
        if isinstance(reader.response, ResponseAdapter):
            return _ForeignGuard(reader.response, message).set()
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


class _ForeignGuard:
    """Stands in for the method that closes a response of another library.

    It does not refer to the response. Else both would be collected in a cycle, where the response's parts
    close themselves first, so that nothing could tell that they were open.
    """

    def __init__(self, response: ResponseAdapter, message: str) -> None:
        self._response = weakref.ref(response.original)
        self._is_closed = response.closed_check()
        self._message = message
        self._is_used = False

    def set(self) -> bool:
        """Take the method's place; return whether the response accepts this."""
        response = self._response()
        assert response is not None
        response.close = self.close
        return vars(response)["close"].__self__ is self

    def close(self) -> Any:
        """Close the response; awaitable if its method is."""
        response = self._response()
        # The files of the standard library call close() when they are collected.
        if self._use() and (response is None or getattr(response, "_finalizing", False)):
            warnings.warn(self._message, ResourceWarning, stacklevel=1)
        return None if response is None else response.close()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if self._use() and not sys.is_finalizing() and not self._is_closed():
            _warn(self._message, ResourceWarning)

    def _use(self) -> bool:
        """Give the method its place back; return whether this is the first call."""
        is_first, self._is_used = not self._is_used, True
        response = self._response()
        if is_first and response is not None:
            with suppress(AttributeError):
                del response.close
        return is_first

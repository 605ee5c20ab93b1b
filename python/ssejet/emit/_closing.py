"""Closes iterators of any type."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

__all__ = ["aclose", "close"]


def close(iterator: Any) -> None:
    """Close an iterator, if it has ``close``."""
    method = getattr(iterator, "close", None)
    if method is not None:
        method()


async def aclose(iterator: Any) -> None:
    """Close an iterator, async or not, if it has ``aclose`` or ``close``."""
    method = getattr(iterator, "aclose", None) or getattr(iterator, "close", None)
    if method is not None:
        result = method()
        # The ``close`` of the SDKs' async streams is async too.
        if isawaitable(result):
            await result

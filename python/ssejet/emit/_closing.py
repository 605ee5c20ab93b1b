"""Closes iterators of any type."""

from __future__ import annotations

from typing import Any

__all__ = ["aclose", "close"]


def close(iterator: Any) -> None:
    """Close an iterator, if it has ``close``."""
    method = getattr(iterator, "close", None)
    if method is not None:
        method()


async def aclose(iterator: Any) -> None:
    """Close an async iterator, if it has ``aclose``."""
    method = getattr(iterator, "aclose", None)
    if method is not None:
        await method()

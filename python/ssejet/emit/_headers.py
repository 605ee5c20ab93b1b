"""The headers of the responses that send event streams."""

from __future__ import annotations

from typing import Any

__all__ = ["add_headers"]

_HEADERS = {
    "Cache-Control": "no-cache",
    # Without this, nginx collects events until a buffer is full.
    "X-Accel-Buffering": "no",
}


def add_headers(headers: Any) -> None:
    """Add the headers that an event stream needs, except those that are there already."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)

"""The headers of event streams."""

from __future__ import annotations

__all__ = ["HEADERS"]

HEADERS = {
    "Cache-Control": "no-cache",
    # nginx would collect events until a buffer is full.
    "X-Accel-Buffering": "no",
}

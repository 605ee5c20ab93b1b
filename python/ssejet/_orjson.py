"""``dumps`` and ``loads`` of orjson, or their stand-ins where orjson is not installed.

The extension module imports them from here, as this small module imports nothing else.
"""

from __future__ import annotations

try:
    from orjson import dumps, loads
except ImportError:
    from ssejet._without_orjson import dumps, loads  # type: ignore[assignment]

__all__ = ["dumps", "loads"]

"""What a swap-in tells of itself."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Patch", "UnsupportedError"]


class Patch(NamedTuple):
    """An attribute of a class, and what takes its place."""

    owner: type
    name: str
    value: Any


class UnsupportedError(Exception):
    """This version of the library is not built as the swap-in expects; the message says in what."""

"""Types that all swap-ins use."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Patch", "UnsupportedError"]


class Patch(NamedTuple):
    """An attribute of a class or of a module, and its replacement."""

    owner: Any
    name: str
    value: Any


class UnsupportedError(Exception):
    """This version of the library differs from what the swap-in expects; the message says how."""

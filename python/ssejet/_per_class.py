"""A cache by class that lets the classes die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["per_class"]

ValueT = TypeVar("ValueT")

# How many classes are remembered.
_MAX_CLASSES = 256


def per_class(find: Callable[[type[Any]], ValueT]) -> Callable[[type[Any]], ValueT]:
    """Remember what a function gives for each class, and keep no class alive by that.

    Args:
        find: the function. What it returns must not refer to the class, or the class lives on.
    """
    known: dict[ref[type[Any]], ValueT] = {}

    def look_up(cls: type[Any]) -> ValueT:
        # As long as an entry is kept, so is its reference, and `ref` gives the same one again.
        key = ref(cls)
        try:
            return known[key]
        except KeyError:
            pass
        value = find(cls)
        if len(known) >= _MAX_CLASSES:  # an entry whose class is gone is never found again
            known.clear()
        known[key] = value
        return value

    return look_up

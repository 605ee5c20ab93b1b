"""A cache that maps classes to values and keeps no class alive."""

from __future__ import annotations

from _weakref import ref  # weakref itself takes long to import
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["per_class"]

ValueT = TypeVar("ValueT")

# The cache holds at most this many classes.
_MAX_CLASSES = 256


def per_class(find: Callable[[type[Any]], ValueT]) -> Callable[[type[Any]], ValueT]:
    """Cache the results of a function that takes a class, without keeping the class alive.

    Args:
        find: the function. Its results must not refer to the class, as they would keep it alive.
    """
    known: dict[ref[type[Any]], ValueT] = {}

    def look_up(cls: type[Any]) -> ValueT:
        # The entry keeps its weak reference, and `ref` returns the same one as long as that exists.
        key = ref(cls)
        try:
            return known[key]
        except KeyError:
            pass
        value = find(cls)
        if len(known) >= _MAX_CLASSES:  # nothing else removes the entries of classes that are gone
            known.clear()
        known[key] = value
        return value

    return look_up

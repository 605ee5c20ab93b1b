"""Tells whether the methods of a library are those that the library has written."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["are_original", "has_originals"]


def are_original(module: ModuleType, cls: type, *names: str) -> bool:
    """Whether these methods of a class are functions of the module that has written them."""
    methods = [getattr(cls, name) for name in names]
    return all(type(method) is FunctionType and method.__globals__ is vars(module) for method in methods)


def has_originals(module: ModuleType, instance: Any, *names: str) -> bool:
    """Whether an object has these methods from its class, as the module has written them."""
    own = getattr(instance, "__dict__", {})
    return are_original(module, type(instance), *names) and own.keys().isdisjoint(names)

"""What is imported only when somebody needs it: names of this package, and classes of others."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["loaded", "on_demand"]


def on_demand(module: dict[str, Any], places: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module.

    Args:
        module: the module's ``globals()``.
        places: the names that it has besides, and the modules that they are from.
    """

    def look_up(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        value = module[name] = getattr(import_module(places[name]), name)
        return value

    return look_up


def loaded(*names: tuple[str, str]) -> tuple[type[Any], ...]:
    """Those of the classes, given as (module, name), whose module is imported: others have no instances."""
    return tuple(getattr(sys.modules[module], name) for module, name in names if sys.modules.get(module))

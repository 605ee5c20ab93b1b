"""Imports that wait until they are needed: a package's own names, and the classes of other packages."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["loaded", "on_demand"]


def on_demand(
    package: dict[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and the ``__dir__`` of a package that imports some names when they are used.

    Hide the call from type checkers (``if not TYPE_CHECKING``), which would otherwise accept any name.

    Args:
        package: the package's ``globals()``, with ``__all__``.
        modules: the module of each such name.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        value = package[name] = getattr(import_module(modules[name]), name)
        return value

    def names() -> list[str]:
        return sorted({*package, *package["__all__"]})

    return get, names


def loaded(*names: tuple[str, str]) -> tuple[type[Any], ...]:
    """The classes, given as (module, name), whose modules are imported: others have no instances."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return tuple(each for each in found if each is not None)

"""Classes of packages that this one must not import."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["loaded"]


def loaded(*names: tuple[str, str]) -> tuple[type[Any], ...]:
    """Those of the classes, given as (module, name), whose module is imported: others have no instances."""
    return tuple(getattr(sys.modules[module], name) for module, name in names if sys.modules.get(module))

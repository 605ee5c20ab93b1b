"""A pytest plugin that swaps ssejet in, for the peers' own suites."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any


def pytest_configure() -> None:
    """Swap ssejet in, as the runner asks."""
    module = os.environ["SWAP_IN"]
    if module == "install":
        import ssejet

        ssejet.install()
    else:
        # The suite imports the peer by its own name, and the names of the peer's modules.
        name = module.rpartition(".")[2]
        peer = sys.modules[name] = import_module(module)
        for submodule in os.environ["SUBMODULES"].split():
            inner = import_module(f"{module}.{submodule}")
            sys.modules[f"{name}.{submodule}"] = inner
            inner.__getattr__ = peer.__getattr__ = _inside  # type: ignore[method-assign]


def _inside(name: str) -> Any:
    """Stand for something inside the peer: tests that use it fail, and those beside them can be collected."""
    if not name.startswith("_") or name.startswith("__"):
        raise AttributeError(name)

    def missing(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{name} is inside the peer")

    return missing

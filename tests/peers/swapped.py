"""A pytest plugin that swaps ssejet in, for the peers' own suites."""

from __future__ import annotations

import os
import sys
from importlib import import_module


def pytest_configure() -> None:
    """Swap ssejet in, in the way that the runner asks for."""
    module = os.environ["SWAP_IN"]
    if module == "install":
        import ssejet

        ssejet.install()
    else:
        # The suite imports the peer by its own name.
        sys.modules[module.rpartition(".")[2]] = import_module(module)

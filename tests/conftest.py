"""Fixtures for all, and Hypothesis profiles; pick one with ``HYPOTHESIS_PROFILE``."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

from clock import clock  # noqa: F401  # a fixture
from drivers import driver  # noqa: F401  # a fixture
from faults import faults  # noqa: F401  # a fixture
from servers import server  # noqa: F401  # a fixture
from subscribers import subscriber  # noqa: F401  # a fixture
from tls import tls, tls_files  # noqa: F401  # fixtures


def pytest_collection_finish() -> None:
    # Many tests collect garbage. The collector then passes over all that was imported for the tests.
    gc.collect()
    gc.freeze()


# The time of an example depends on who else uses the machine, so no example has a deadline.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("ci", derandomize=True, max_examples=200, stateful_step_count=20, **_common)
settings.register_profile("fast", derandomize=True, max_examples=10, stateful_step_count=10, **_common)
settings.register_profile("dev", max_examples=200, stateful_step_count=20, **_common)
settings.register_profile("thorough", max_examples=10_000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

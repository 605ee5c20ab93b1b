"""Fixtures for the tests of the Responses API."""

from __future__ import annotations

from servers import server  # noqa: F401  # a fixture

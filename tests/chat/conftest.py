"""Fixtures for the tests of chat streams."""

from __future__ import annotations

from chat_drivers import reader  # noqa: F401  # a fixture

"""Fixtures for the tests of Messages streams."""

from __future__ import annotations

from message_drivers import reader  # noqa: F401  # a fixture

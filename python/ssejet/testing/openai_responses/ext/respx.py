"""The parts of respx that a mock has: its routes, its router and its calls. respx itself is not needed."""

from __future__ import annotations

from ssejet.testing.openai_responses._respx import AllMockedAssertionError, CallList, RouterRoute
from ssejet.testing.openai_responses._router import MockRouter
from ssejet.testing.openai_responses._routes import Route

__all__ = ["AllMockedAssertionError", "CallList", "MockRouter", "Route", "RouterRoute"]

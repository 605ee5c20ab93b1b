"""Tests without a network: servers in place of HTTP transports, and one that is OpenAI's.

Installing ssejet gives pytest the fixture ``mock_openai``, an ``OpenAIMock`` for the time of the test.
"""

from __future__ import annotations

from ssejet.testing.calls import Call
from ssejet.testing.openai import OpenAIMock, Route, mock_openai
from ssejet.testing.transport import MockTransport

__all__ = ["Call", "MockTransport", "OpenAIMock", "Route", "mock_openai"]

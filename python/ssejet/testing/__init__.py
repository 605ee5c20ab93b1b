"""Tests without a network: servers in place of HTTP transports, and mocks of OpenAI's and Anthropic's APIs.

Installing ssejet gives pytest the fixtures ``mock_openai``, an ``OpenAIMock``, and ``mock_anthropic``, an
``AnthropicMock``, for the time of the test.
"""

from __future__ import annotations

from ssejet.testing.answers import MockError, StreamedAnswer
from ssejet.testing.anthropic import AnthropicMock, mock_anthropic
from ssejet.testing.api import Route
from ssejet.testing.calls import Call
from ssejet.testing.openai import OpenAIMock, mock_openai
from ssejet.testing.transport import MockTransport

__all__ = [
    "AnthropicMock",
    "Call",
    "MockError",
    "MockTransport",
    "OpenAIMock",
    "Route",
    "StreamedAnswer",
    "mock_anthropic",
    "mock_openai",
]

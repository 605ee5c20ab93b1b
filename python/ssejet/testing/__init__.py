"""Tests without a network: servers in place of HTTP transports, and mocks of OpenAI's and Anthropic's APIs.

Installing ssejet gives pytest the fixtures ``mock_openai``, an ``OpenAIMock``, and ``mock_anthropic``, an
``AnthropicMock``, for the time of the test.
"""

from __future__ import annotations

from ssejet.testing._answers import MockError, StreamedAnswer
from ssejet.testing._anthropic import AnthropicMock, mock_anthropic
from ssejet.testing._calls import Call
from ssejet.testing._mock_api import Route
from ssejet.testing._openai import OpenAIMock, mock_openai
from ssejet.testing._transport import MockTransport

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

"""Tests without a network: a transport that answers by itself, and mocks of OpenAI's and Anthropic's APIs.

With ssejet installed, pytest has the fixtures ``mock_openai``, an ``OpenAIMock``, and ``mock_anthropic``, an
``AnthropicMock``, which are active during the test.

``_openai`` and ``_anthropic`` are the two mocks. What they share: ``_api_mock`` finds the ``_route`` of a
request, ``_endpoints`` makes its answer, and ``_patching`` takes the place of the network. ``_decorator``
gives a mock to a function.
"""

from __future__ import annotations

from ssejet.testing._answers import MockError, StreamedAnswer
from ssejet.testing._anthropic import AnthropicMock, mock_anthropic
from ssejet.testing._calls import Call
from ssejet.testing._openai import OpenAIMock, mock_openai
from ssejet.testing._route import Route
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

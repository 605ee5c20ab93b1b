"""Tests without a network: a transport that answers by itself, and mocks of providers' APIs.

With ssejet installed, pytest has the fixtures ``mock_openai``, ``mock_anthropic``, ``mock_mistral`` and
``mock_google_genai``, which are active during the test. ``openai_responses`` has the names of the library
openai-responses, for tests that were written for it.
"""

# `_openai`, `_anthropic`, `_mistral` and `_google_genai` are the mocks. What they share: `_api_mock`
# finds the `_route` of a request, `_endpoints` makes its answer, `_store` keeps the objects between
# requests, and `_patching` takes the place of the network. `_decorator` gives a mock to a function.

from __future__ import annotations

from ssejet.testing._answers import MockError, StreamedAnswer
from ssejet.testing._anthropic import AnthropicMock, mock_anthropic
from ssejet.testing._calls import Call
from ssejet.testing._google_genai import GoogleGenAIMock, mock_google_genai
from ssejet.testing._mistral import MistralMock, mock_mistral
from ssejet.testing._openai import OpenAIMock, mock_openai
from ssejet.testing._route import Route
from ssejet.testing._store import StateStore
from ssejet.testing._transport import MockTransport

__all__ = [
    "AnthropicMock",
    "Call",
    "GoogleGenAIMock",
    "MistralMock",
    "MockError",
    "MockTransport",
    "OpenAIMock",
    "Route",
    "StateStore",
    "StreamedAnswer",
    "mock_anthropic",
    "mock_google_genai",
    "mock_mistral",
    "mock_openai",
]

"""The pytest plugin. pytest loads it wherever ssejet is installed, so it imports as little as possible."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing import AnthropicMock, GoogleGenAIMock, MistralMock, OpenAIMock
    from ssejet.testing.openai_responses import OpenAIMock as OpenAIResponsesMock

__all__ = ["mock_anthropic", "mock_google_genai", "mock_mistral", "mock_openai"]


@pytest.fixture
def mock_openai() -> Iterator[OpenAIMock]:
    """Mock OpenAI's API for clients of httpx and httpx2 until the test ends."""
    from ssejet.testing import OpenAIMock

    with OpenAIMock() as mock:
        yield mock


@pytest.fixture
def mock_anthropic() -> Iterator[AnthropicMock]:
    """Mock Anthropic's API for clients of httpx and httpx2 until the test ends."""
    from ssejet.testing import AnthropicMock

    with AnthropicMock() as mock:
        yield mock


@pytest.fixture
def mock_mistral() -> Iterator[MistralMock]:
    """Mock Mistral's API for clients of httpx and httpx2 until the test ends."""
    from ssejet.testing import MistralMock

    with MistralMock() as mock:
        yield mock


@pytest.fixture
def mock_google_genai() -> Iterator[GoogleGenAIMock]:
    """Mock Google's Gemini API for clients of httpx and httpx2 until the test ends."""
    from ssejet.testing import GoogleGenAIMock

    with GoogleGenAIMock() as mock:
        yield mock


# The library openai-responses has a fixture of this name, and keeps it if it is installed.
if find_spec("openai_responses") is None:

    @pytest.fixture
    def openai_mock() -> OpenAIResponsesMock:
        """A mock with the interface of openai-responses. It answers within ``with openai_mock.router:``."""
        from ssejet.testing.openai_responses import OpenAIMock

        return OpenAIMock()

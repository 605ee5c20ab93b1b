"""The pytest plugin. pytest loads it wherever ssejet is installed, so it imports as little as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing import AnthropicMock, OpenAIMock

__all__ = ["mock_anthropic", "mock_openai"]


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

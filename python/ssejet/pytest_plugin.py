"""The pytest plugin, which every test run loads where ssejet is installed: so it imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing import AnthropicMock, OpenAIMock

__all__ = ["mock_anthropic", "mock_openai"]


@pytest.fixture
def mock_openai() -> Iterator[OpenAIMock]:
    """OpenAI's API, mocked for clients of httpx and httpx2 until the test ends."""
    from ssejet.testing import OpenAIMock

    with OpenAIMock() as mock:
        yield mock


@pytest.fixture
def mock_anthropic() -> Iterator[AnthropicMock]:
    """Anthropic's API, mocked for clients of httpx and httpx2 until the test ends."""
    from ssejet.testing import AnthropicMock

    with AnthropicMock() as mock:
        yield mock

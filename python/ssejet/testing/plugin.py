"""The pytest plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ssejet.testing.openai import OpenAIMock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["mock_openai"]


@pytest.fixture
def mock_openai() -> Iterator[OpenAIMock]:
    """OpenAI's API, mocked for clients of httpx and httpx2 until the test ends."""
    with OpenAIMock() as mock:
        yield mock

from __future__ import annotations

from typing import Any

import pytest

pydantic_ai = pytest.importorskip("pydantic_ai")

from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel  # noqa: E402
from pydantic_ai.providers.openai import OpenAIProvider  # noqa: E402
from serving import TEXT  # noqa: E402

pytestmark = [pytest.mark.ecosystem, pytest.mark.usefixtures("swapped")]


@pytest.mark.parametrize("kind", [OpenAIChatModel, OpenAIResponsesModel])
async def test_a_streamed_run_gives_the_text(openai_url: str, kind: Any) -> None:
    provider = OpenAIProvider(base_url=openai_url, api_key="key")
    agent: Any = pydantic_ai.Agent(kind("m", provider=provider))
    async with agent.run_stream("Hello") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        assert result.usage.output_tokens == 4
    assert pieces == TEXT

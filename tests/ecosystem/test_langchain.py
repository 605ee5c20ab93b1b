from __future__ import annotations

from typing import Any

import pytest

langchain_openai = pytest.importorskip("langchain_openai")

from serving import ARGUMENTS, TEXT  # noqa: E402

pytestmark = [pytest.mark.ecosystem, pytest.mark.usefixtures("swapped")]


@pytest.fixture
def model(openai_url: str) -> Any:
    return langchain_openai.ChatOpenAI(model="m", base_url=openai_url, api_key="key", stream_usage=True)


def test_streaming_gives_the_text_and_the_usage(model: Any) -> None:
    chunks = list(model.stream("Hello"))
    assert [chunk.content for chunk in chunks if chunk.content] == TEXT
    whole = sum(chunks[1:], chunks[0])
    assert whole.usage_metadata["total_tokens"] == 7
    assert whole.response_metadata["finish_reason"] == "stop"


async def test_asynchronous_streaming_gives_the_same(model: Any) -> None:
    chunks = [chunk async for chunk in model.astream("Hello")]
    assert [chunk.content for chunk in chunks if chunk.content] == TEXT


def test_streaming_a_tool_call_gives_its_arguments(model: Any) -> None:
    def weather(city: str) -> str:
        """The weather."""
        return city

    chunks = list(model.bind_tools([weather]).stream("Hello"))
    pieces = [call["args"] for chunk in chunks for call in chunk.tool_call_chunks if call["args"]]
    assert pieces == ARGUMENTS
    whole = sum(chunks[1:], chunks[0])
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("weather", {"city": "Łódź"})]


def test_streaming_from_the_responses_api_gives_the_text(openai_url: str) -> None:
    model = langchain_openai.ChatOpenAI(model="m", base_url=openai_url, api_key="key", use_responses_api=True)
    assert [chunk.text for chunk in model.stream("Hello") if chunk.text] == TEXT

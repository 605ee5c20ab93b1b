from __future__ import annotations

from typing import Any

import pytest

litellm = pytest.importorskip("litellm")

from serving import ARGUMENTS, TEXT  # noqa: E402

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.usefixtures("swapped"),
    # LiteLLM's own, of its internals.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def request_of(openai_url: str) -> dict[str, Any]:
    return {
        "model": "openai/m",
        "api_base": openai_url,
        "api_key": "key",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }


def test_streaming_gives_the_text(request_of: dict[str, Any]) -> None:
    chunks = list(litellm.completion(**request_of))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "".join(TEXT)


async def test_asynchronous_streaming_gives_the_text(request_of: dict[str, Any]) -> None:
    chunks = [chunk async for chunk in await litellm.acompletion(**request_of)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "".join(TEXT)


def test_streaming_a_tool_call_gives_its_arguments(request_of: dict[str, Any]) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    chunks = list(litellm.completion(**request_of, tools=[tool]))
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert "".join(call.function.arguments or "" for call in calls) == "".join(ARGUMENTS)

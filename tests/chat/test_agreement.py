"""Our state and openai-python's, on the same chunks: the same events, fields and completions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agreement import Raised, assert_agreement, theirs
from chunk_strategies import TOOLS, Answer, answers_as_json, chunk_sequences, unruly_sequences
from hypothesis import given, settings

from ssejet import Decoder

# openai-python takes a thousand times as long as most of what is tested with Hypothesis.
fewer = settings(max_examples=settings().max_examples // 4)


@fewer
@given(chunk_sequences())
def test_plain_streams_give_what_openai_gives(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks)


@fewer
@given(chunk_sequences())
def test_streams_with_tools_give_what_openai_gives(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, input_tools=TOOLS)


@fewer
@given(chunk_sequences(answers_as_json))
def test_streams_with_a_response_format_give_what_openai_gives(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, response_format=Answer)


@fewer
@given(chunk_sequences(answers_as_json))
def test_streams_with_tools_and_a_response_format_give_what_openai_gives(
    chunks: list[dict[str, Any]],
) -> None:
    assert_agreement(chunks, response_format=Answer, input_tools=TOOLS)


@fewer
@given(unruly_sequences())
def test_unruly_streams_give_what_openai_gives(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks)


@fewer
@given(unruly_sequences())
def test_unruly_streams_with_tools_give_what_openai_gives(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, input_tools=TOOLS)


@fewer
@given(unruly_sequences(refusals=False))
def test_unruly_streams_with_a_response_format_give_what_openai_gives(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, response_format=Answer)


# Those of which openai-python makes what the server meant.
PROVIDERS = ("deepseek", "glm", "qwen")
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.sse"))
RECORDINGS = [path for path in FIXTURES if path.stem.startswith(PROVIDERS)]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_recorded_streams_give_what_openai_gives(path: Path, size: int) -> None:
    decoder = Decoder()
    body = path.read_bytes()
    events = [
        event for start in range(0, len(body), size) for event in decoder.feed(body[start : start + size])
    ]
    chunks = [json.loads(event.data) for event in events if event.data != "[DONE]"]
    for chunk in chunks:
        chunk.setdefault("object", "chat.completion.chunk")
        for choice in chunk["choices"]:
            # What openai-python doubles.
            if chunk is not chunks[0]:
                choice["delta"].pop("role", None)
    assert not isinstance(theirs(chunks)[-1], Raised)
    assert_agreement(chunks)

"""Our state and openai-python's, on the same chunks."""

from __future__ import annotations

from typing import Any

import pytest
from agreement import assert_agreement, ours
from chunk_strategies import TOOLS, Answer, answers_as_json, chunk_sequences
from hypothesis import given, note


@given(chunk_sequences())
def test_plain_streams_give_the_same_events_and_completions(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks)


@given(chunk_sequences())
def test_streams_with_tools_give_the_same_events_and_completions(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, input_tools=TOOLS)


@given(chunk_sequences(answers_as_json))
def test_streams_with_a_response_format_give_the_same_events_and_completions(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, response_format=Answer)


@given(chunk_sequences(answers_as_json))
def test_streams_with_both_give_the_same_events_and_completions(chunks: list[dict[str, Any]]) -> None:
    assert_agreement(chunks, response_format=Answer, input_tools=TOOLS)

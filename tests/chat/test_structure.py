"""The modules of ssejet.chat: no two of them need each other, and a chunk's way through them is short."""

from __future__ import annotations

import ast
import json
import sys
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import ssejet.chat
from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(ssejet.chat.__file__).parent


def test_no_modules_import_each_other_not_even_for_types() -> None:
    graph = {}
    for path in FOLDER.glob("*.py"):
        if path.stem != "__init__":
            imports = [
                node.module
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ImportFrom)
            ]
            own = [name for name in imports if name and name.startswith("ssejet.chat.")]
            graph[path.stem] = {name.removeprefix("ssejet.chat.") for name in own}
    assert [*TopologicalSorter(graph).static_order()]


def says(delta: dict[str, Any], **choice: Any) -> str:
    return json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]})


def calls(arguments: str, *, index: int = 0, in_function: Any = None, **fields: Any) -> str:
    function = {"name": fields.pop("name", None), "arguments": arguments, **(in_function or {})}
    return says({"tool_calls": [{"index": index, "function": function, **fields}]})


FILTERS = {"content_filter_results": {"hate": {"filtered": False}}}
LOGPROBS = {"logprobs": {"content": [{"token": "a", "logprob": -1}]}}
SIGNED = {"extra_content": {"google": {"thought_signature": "a"}}}
KINDS = {
    "text": [says({"role": "assistant", "content": "a"})] + [says({"content": "a"})] * 3,
    "text with filters": [says({"content": "a"}, **FILTERS)] * 4,
    "text with log probabilities": [says({"content": "a"}, **LOGPROBS)] * 4,
    "text and a finish": [says({"content": "a"}), says({}, finish_reason="stop"), says({})],
    "citations": [json.dumps({"choices": [{"index": 0, "delta": {"content": "a"}}], "citations": ["a"]})] * 4,
    "calls": [calls("{", id="a", name="f"), *[calls(" ")] * 3, says({}, finish_reason="tool_calls")],
    "calls with names and ids each": [
        calls('{"x":"', id="a", name="f"),
        *[calls("ab", id="a", name="f")] * 3,
    ],
    "calls with added fields": [calls("{", id="a", name="f", **SIGNED), *[calls(" ", **SIGNED)] * 3],
    "calls with added fields in both places": (
        [calls("{", id="a", name="f", in_function={"x": 1}, **SIGNED)]
        + [calls(" ", in_function={"x": 1}, **SIGNED)] * 3
    ),
    "a function_call": [says({"function_call": {"name": "f", "arguments": "a", "x": 1}})] * 4,
    "reasoning": [says({"reasoning_content": "a"})] * 4,
    "reasoning with details": [says({"reasoning": "a", "reasoning_details": [{"index": 0, "text": "a"}]})]
    * 4,
    "reasoning and then text": [says({"reasoning": "a"})] * 2 + [says({"content": "a"})] * 2,
    "refusal": [says({"refusal": "a"})] * 4,
    "audio": [says({"audio": {"data": "a", "transcript": "a", "x": 1}})] * 4,
    "annotations": [says({"annotations": [{"type": "url_citation", "x": 1}]})] * 4,
    "usage": [says({"content": "a"}), json.dumps({"choices": [], "usage": {"total_tokens": 1}})],
}


def returns_of(texts: list[str]) -> list[int]:
    """How often each chunk, from its text to the last of its events, returns from one file to another."""
    body = "".join(f"data: {text}\n\n" for text in texts)
    headers = {"content-type": "text/event-stream"}
    stream = Stream(httpx.Response(200, headers=headers, text=body), cast_to=ChatCompletionChunk)
    returns = 0
    marks: list[int] = []

    def watch(frame: Any, kind: str, _: Any) -> None:
        nonlocal returns
        if kind == "return" and frame.f_back is not None:
            file = frame.f_code.co_filename
            returns += file.startswith(str(FOLDER)) and file != frame.f_back.f_code.co_filename

    def chunks() -> Iterator[ChatCompletionChunk]:
        marks.append(returns)
        for chunk in stream:
            yield chunk
            marks.append(returns)

    events = iter(ChatCompletionStream(chunks()))
    sys.setprofile(watch)
    try:
        for _ in events:
            pass
    finally:
        sys.setprofile(None)
    return [after - before for before, after in pairwise(marks)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_chunk_the_first_too_returns_from_one_file_to_another_fewer_than_ten_times(kind: str) -> None:
    for text in KINDS[kind]:
        ChatCompletionChunk.from_json(text)  # makes the shape of the text known
    returns = returns_of(KINDS[kind])
    assert len(returns) == len(KINDS[kind])
    assert max(returns) < 10


def test_a_chunk_that_ends_a_call_and_begins_another_returns_fewer_than_ten_times_beside_its_events() -> None:
    texts = [calls("{}", index=index, id=f"c{index}", name="f") for index in range(4)]
    for text in texts:
        ChatCompletionChunk.from_json(text)
    events_of_each = 5  # the chunk, two deltas, and two ends of the call before
    assert max(returns_of(texts)) - events_of_each < 10

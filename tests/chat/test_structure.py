"""The modules of ssejet.chat: no two of them need each other, and a chunk's way through them is short."""

from __future__ import annotations

import ast
import json
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import ssejet.chat
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

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


def calls(arguments: str, **fields: Any) -> str:
    return says({"tool_calls": [{"index": 0, "function": {"name": None, "arguments": arguments}, **fields}]})


@pytest.mark.parametrize(
    "texts",
    [
        [says({"content": "a"})] * 4,
        [says({"content": "a"}, content_filter_results={"hate": {"filtered": False}})] * 4,
        [calls("{", id="a"), *[calls(" ")] * 3],
        [says({"reasoning": "a", "reasoning_details": [{"index": 0, "text": "a"}]})] * 4,
        [says({"refusal": "a"})] * 4,
    ],
    ids=["text", "text with filters", "calls", "reasoning with details", "refusal"],
)
def test_a_chunk_returns_from_one_file_to_another_fewer_than_ten_times(texts: list[str]) -> None:
    chunks = [ChatCompletionChunk.from_json(text) for text in texts]
    returns = 0
    mark = last = 0

    def watch(frame: Any, kind: str, _: Any) -> None:
        nonlocal returns
        if kind == "return" and frame.f_back is not None:
            file = frame.f_code.co_filename
            returns += file.startswith(str(FOLDER)) and file != frame.f_back.f_code.co_filename

    events = iter(ChatCompletionStream(chunks))
    sys.setprofile(watch)
    try:
        for event in events:
            if event.type == "chunk":
                mark, last = last, returns
    finally:
        sys.setprofile(None)
    assert last - mark < 10

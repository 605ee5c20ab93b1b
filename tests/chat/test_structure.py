"""The modules of ssejet.chat: no two of them need each other, and a chunk's way through them is short."""

from __future__ import annotations

import ast
import json
import re
import sys
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import ssejet
import ssejet.chat
from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(ssejet.chat.__file__).parent
PACKAGE = FOLDER.parent
# What chat shares with the other protocols is in _answers, so a chunk's way leads through both.
WAY = (f"{FOLDER}/", f"{PACKAGE}/_answers/")


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


def says(delta: Any, **choice: Any) -> str:
    return json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]})


def calls(arguments: Any, *, index: int | None = 0, in_function: Any = None, **fields: Any) -> str:
    function = {"name": fields.pop("name", None), "arguments": arguments, **(in_function or {})}
    return says({"tool_calls": [{"index": index, "function": function, **fields}]})


def message(**fields: Any) -> str:
    return json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "message": fields}]})


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
    "a call that ends as another begins": [calls("{}", index=n, id=f"c{n}", name="f") for n in range(4)],
    "a refusal and a finish that end a call": [
        says({"content": "a", "reasoning": "b"}),
        calls("{}", id="a", name="f"),
        says({"refusal": "a"}, finish_reason="tool_calls", **LOGPROBS),
    ],
    "a name that grows": [calls("", id="a", name="f" * n) for n in range(1, 5)],
    "calls without an index": [calls(" ", index=None, id="a", name="f")] * 4,
    "calls without an index and an id": [calls("{}", index=None, name=f"f{n}") for n in range(4)],
    "a custom tool's call": [
        says({"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "f", "input": "a"}}]})
    ]
    * 4,
    "two choices": [
        json.dumps({"choices": [{"index": index, "delta": {"content": "a"}} for index in range(2)]})
    ]
    * 4,
}
UNDOCUMENTED_KINDS = {
    "a list of texts": [says({"content": [{"type": "text", "text": "a"}]})] * 4,
    "a list of reasoning": [
        says({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]})
    ]
    * 4,
    "a list of images": [says({"content": [{"type": "image", "x": 1}]})] * 4,
    "reasoning as a list": [says({"reasoning": [{"text": "a"}]})] * 4,
    "a text for a delta": [says("a")] * 4,
    "a text for a choice": [json.dumps({"choices": [{"index": 0, "text": "a"}]})] * 4,
    "a choice that is not in a list": [json.dumps({"choices": {"index": 0, "delta": {"content": "a"}}})] * 4,
    "numbers for texts": [json.dumps({"created": "1", "choices": [{"delta": {"content": 1}}]})] * 4,
    "a number that is no JSON": [says({"content": "a"}, x=float("nan"))] * 4,
    "a ping": [says({"content": "a"}), *[json.dumps({"type": "ping"})] * 3],
    "usage in a choice": [says({"content": "a"}), *[says({}, usage={"total_tokens": 1})] * 3],
    "usage in x_groq": [
        says({"content": "a"}),
        *[json.dumps({"choices": [{"delta": {}}], "x_groq": {"usage": {"total_tokens": 1}}})] * 3,
    ],
    "the whole message": [message(content="a" * n) for n in range(1, 5)],
    "the whole message with reasoning": [message(content="a" * n, reasoning="b" * n) for n in range(1, 5)],
    "the whole message with a call": [
        message(
            content="a" * n, tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "{" + " " * n}}]
        )
        for n in range(1, 5)
    ],
    "a call that is not in a list": [
        says({"tool_calls": {"index": 0, "id": "a", "function": {"name": "f", "arguments": "a"}}})
    ]
    * 4,
    "a call without function": [
        says({"tool_calls": [{"index": 0, "id": "a", "name": "f", "arguments": "a"}]})
    ]
    * 4,
    "a call with a call_id": [
        says({"tool_calls": [{"index": 0, "call_id": "a", "function": {"name": "f", "arguments": "a"}}]})
    ]
    * 4,
    "a custom tool's call without custom": [
        says({"tool_calls": [{"index": 0, "id": "a", "type": "custom", "name": "f", "input": "a"}]})
    ]
    * 4,
    "arguments as JSON": [calls({"x": 1}, index=n, id=f"c{n}", name="f") for n in range(4)],
    "arguments as JSON, without an index and an id": [
        calls({"x": n}, index=None, name="f") for n in range(4)
    ],
    "a function_call with arguments as JSON": [says({"function_call": {"name": "f", "arguments": {"x": 1}}})]
    * 4,
}


def returns_of(texts: list[str]) -> list[int]:
    """How often each chunk, from its text to the last of its events, returns from one file to another.

    Handing an event to the user is not counted.
    """
    body = "".join(f"data: {text}\n\n" for text in texts)
    headers = {"content-type": "text/event-stream"}
    stream = Stream(httpx.Response(200, headers=headers, text=body), cast_to=ChatCompletionChunk)
    returns = 0
    marks: list[int] = []

    def watch(frame: Any, kind: str, _: Any) -> None:
        nonlocal returns
        if kind == "return" and frame.f_back is not None:
            file, caller = frame.f_code.co_filename, frame.f_back.f_code.co_filename
            returns += file != caller and file.startswith(WAY) and caller.startswith(f"{PACKAGE}/")

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


@pytest.mark.parametrize("kind", [*KINDS, *UNDOCUMENTED_KINDS])
def test_each_chunk_returns_from_one_file_to_another_fewer_than_ten_times(kind: str) -> None:
    texts = {**KINDS, **UNDOCUMENTED_KINDS}[kind]
    for text in texts:
        ChatCompletionChunk.from_json(text)  # makes the shape of the text known
    returns = returns_of(texts)
    assert len(returns) == len(texts)
    assert max(returns) < 10


def test_the_table_of_quirks_names_code_that_exists() -> None:
    from ssejet.chat import _lenient

    rows = re.findall(r"(?m)^\S.{35}\S.{44}(``.*)$", _lenient.__doc__ or "")
    assert len(rows) > 15
    named = {name for row in rows for name in re.findall(r"``([\w.]+)``", row)}
    code = "".join(path.read_text() for path in FOLDER.glob("*.py"))
    modules = {path.stem for path in FOLDER.glob("*.py")} | {
        f"ssejet.{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}"
        for path in PACKAGE.rglob("*.py")
    }
    assert {name for name in named - modules if not re.search(rf"(def|class) {name}\b", code)} == set()

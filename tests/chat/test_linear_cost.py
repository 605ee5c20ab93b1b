"""A chunk costs the same however much came before it, in all the shapes in which something grows.

What is measured is the memory that a chunk takes for a moment: code that copies, sorts or lists all that came
before needs room for it.
"""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from ssejet.chat import ChatCompletionChunk, ChatCompletionStreamState

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

WORD = "word" * 25
ARGUMENTS = '"' + WORD


def text(delta: dict[str, Any], **choice: Any) -> str:
    return json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]})


def call(arguments: str, **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {**fields, "function": function}


def calls(*fragments: dict[str, Any]) -> str:
    return text({"tool_calls": list(fragments)})


def pieces(n: int) -> list[str]:
    """Pieces of a name; one that came before would be the name once more."""
    return [f"{WORD}{i}" for i in range(n)]


def interleaved(n: int) -> list[str]:
    heads = [calls(call('{"x":"', index=i, id=f"c{i}", name="f")) for i in range(3)]
    return heads + [calls(call(WORD, index=i % 3)) for i in range(n)]


def unfinished(n: int) -> list[str]:
    heads = [calls(call('{"x":"', id=f"c{i}", name=f"f{i}")) for i in range(n // 2)]
    return heads + [calls(call(WORD, id=f"c{i}")) for i in range(n // 2)]


def alternating(n: int) -> list[str]:
    return [text({"reasoning_content": WORD} if i % 2 else {"content": WORD}) for i in range(n)]


def after_the_end(n: int) -> list[str]:
    heads = [calls(call("{}", id=f"c{i}", name="f")) for i in range(n // 2)]
    return [*heads, text({}, finish_reason="tool_calls")] + [text({"content": ""}) for _ in range(n // 2)]


SHAPES: dict[str, Callable[[int], list[str]]] = {
    "plain text": lambda n: [text({"content": WORD})] * n,
    "a call": lambda n: [
        calls(call('{"x":"', index=0, id="a", name="f")),
        *[calls(call(WORD, index=0))] * n,
    ],
    "name and id with each fragment": lambda n: [
        calls(call('{"x":"', index=0, id="a", name="f")),
        *[calls(call(WORD, index=0, id="a", name="f"))] * n,
    ],
    "name and id with each fragment and no index": lambda n: [
        calls(call('{"x":"', id="a", name="f")),
        *[calls(call(WORD, id="a", name="f"))] * n,
    ],
    "a name in pieces": lambda n: [calls(call("", index=0, name=each)) for each in pieces(n)],
    "a name in pieces without an index": lambda n: [calls(call("", id="a", name=each)) for each in pieces(n)],
    "a name in pieces of a function_call": lambda n: (
        [text({"function_call": {"name": each}}) for each in pieces(n)]
    ),
    "a name in pieces of a custom tool": lambda n: (
        [calls({"index": 0, "type": "custom", "custom": {"name": each}}) for each in pieces(n)]
    ),
    "interleaved calls": interleaved,
    "calls without an index": lambda n: [calls(call("{}", id=f"c{i}", name="f")) for i in range(n)],
    "calls without an index and an id": lambda n: [calls(call("{}", name=f"f{i}")) for i in range(n)],
    "calls with an index": lambda n: [calls(call("{}", index=i, id=f"c{i}", name="f")) for i in range(n)],
    "calls of one index": lambda n: [calls(call('{"x":1}', index=0, name="f")) for i in range(n)],
    "unfinished calls": unfinished,
    "calls with a finish reason before the end": after_the_end,
    "thoughts in parts": lambda n: [text({"content": [{"type": "thinking", "thinking": WORD}]})] * n,
    "thoughts in lists in parts": lambda n: (
        [text({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": WORD}]}]})] * n
    ),
    "text in parts": lambda n: [text({"content": [{"type": "text", "text": WORD}]})] * n,
    "an added text": lambda n: [text({"mood": WORD})] * n,
    "an added text in an object": lambda n: [text({"mood": {"deep": {"deeper": WORD}}})] * n,
    "one detail": lambda n: [text({"reasoning_details": [{"index": 0, "text": WORD}]})] * n,
    "many details": lambda n: [text({"reasoning_details": [{"index": i, "text": "a"}]}) for i in range(n)],
    "details without an index": lambda n: [text({"details": [{"text": "a"}]})] * n,
    "reasoning and text in turn": alternating,
    "refusal": lambda n: [text({"content": "{"}), *[text({"refusal": WORD})] * n],
    "a field added to each choice": lambda n: [text({"content": WORD}, filter={"x": {"y": 1}})] * n,
    "another field in each choice": lambda n: [text({"content": WORD}, **{f"x{i}": 1}) for i in range(n)],
    "citations": lambda n: (
        [json.dumps({"choices": [{"index": 0, "delta": {"content": "a"}}], "citations": ["a", "b"]})] * n
    ),
    "choices": lambda n: [
        json.dumps({"choices": [{"index": i, "delta": {"content": "a"}}]}) for i in range(n)
    ],
    "audio": lambda n: [text({"audio": {"data": WORD, "transcript": WORD}})] * n,
    "a function_call": lambda n: [text({"function_call": {"name": "f", "arguments": WORD}})] * n,
    "a whole message each": lambda n: [
        json.dumps({"choices": [{"index": 0, "message": {"content": f"{i} {WORD}"}}]}) for i in range(n)
    ],
}


def room(texts: list[str], **options: Any) -> int:
    """The memory that handling these chunks takes for a moment, added up: bytes."""
    chunks = [ChatCompletionChunk.from_json(each) for each in texts]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState(**options)
    total = 0
    tracemalloc.start()
    try:
        for chunk in chunks:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            state.handle_chunk(chunk)
            total += tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    return total


@pytest.mark.parametrize("shape", SHAPES)
def test_a_chunk_takes_no_more_room_after_many_others(shape: str) -> None:
    make = SHAPES[shape]
    few, many = make(300), make(1200)
    room(few)  # what is cached is cached now
    assert room(many) / len(many) < 1.6 * room(few) / len(few)


def test_a_name_in_pieces_takes_no_more_room_where_tools_are_strict() -> None:
    tools = [{"type": "function", "function": {"name": WORD * 5, "strict": True, "parameters": {}}}]
    make = SHAPES["a name in pieces"]
    few, many = make(300), make(1200)
    room(few, input_tools=tools)
    assert room(many, input_tools=tools) / len(many) < 1.6 * room(few, input_tools=tools) / len(few)

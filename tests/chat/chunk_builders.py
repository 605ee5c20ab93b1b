"""Short ways to write chunks down."""

from __future__ import annotations

from typing import Any

from ssejet.chat import ChatCompletionChunk


def chunk(*choices: dict[str, Any], **fields: Any) -> ChatCompletionChunk:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return ChatCompletionChunk.from_dict({**base, "choices": list(choices), **fields})


def says(
    content: str | None = None, *, index: int = 0, finish: str | None = None, **delta: Any
) -> dict[str, Any]:
    """A choice whose delta holds this."""
    if content is not None:
        delta["content"] = content
    return {"index": index, "delta": delta, "finish_reason": finish}


def call(arguments: str | None = None, *, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """A fragment of a function call."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"function": function, **fields}


def calls(*fragments: dict[str, Any], finish: str | None = None) -> ChatCompletionChunk:
    """A chunk of these fragments."""
    return chunk(says(tool_calls=list(fragments), finish=finish))

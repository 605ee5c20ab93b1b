"""What servers send in place of what OpenAI documents, brought into the documented form.

Each function takes a decoded JSON object and gives it back, or a changed copy if something was to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import concat
from typing import Any

import msgspec

__all__ = [
    "CONTENT_PARTS",
    "WHOLE",
    "documented_call",
    "documented_choice",
    "documented_function",
    "documented_message",
    "is_reasoning",
    "join_parts",
]

WHOLE = "is_whole"
"""The extra field that marks a streamed choice which holds the whole message so far."""

CONTENT_PARTS = "content_parts"
"""The extra field with those parts of a message's content that are no text, as they came."""

_TEXT_TYPES = frozenset({None, "text", "output_text"})
_REASONING_TYPES = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text"})


def documented_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """A streamed choice: one without a ``delta`` may have a whole ``message``, or only a ``text``."""
    if isinstance(choice.get("delta"), str):
        return {**choice, "delta": {"content": choice["delta"]}}
    if choice.get("delta") is not None:
        return choice
    if isinstance(choice.get("message"), Mapping):
        return {
            **{name: value for name, value in choice.items() if name != "message"},
            "delta": choice["message"],
            WHOLE: True,
        }
    if isinstance(choice.get("text"), str):
        delta = {"content": choice["text"]}
        return {**{name: value for name, value in choice.items() if name != "text"}, "delta": delta}
    return choice


def documented_message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message or a delta: its content may be a list of parts, and its tool calls one object."""
    changes: dict[str, Any] = {}
    content = message.get("content")
    if isinstance(content, (list, Mapping)):
        text, reasoning, others = _read_parts(content if isinstance(content, list) else [content])
        changes["content"] = text
        if reasoning and not (message.get("reasoning_content") or message.get("reasoning")):
            changes["reasoning_content"] = reasoning
        if others:
            changes[CONTENT_PARTS] = others
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), (list, Mapping)) and (text := _text_of(message[name])):
            changes[name] = text
    if isinstance(message.get("tool_calls"), Mapping):
        changes["tool_calls"] = [message["tool_calls"]]
    return {**message, **changes} if changes else message


def documented_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool call: name and arguments may stand in the call itself."""
    if call.get("custom") is not None or (
        isinstance(call.get("function"), Mapping) and not ("name" in call or "arguments" in call)
    ):
        return call
    function = {name: call[name] for name in ("name", "arguments") if name in call}
    if isinstance(call.get("function"), Mapping):
        inner = call["function"]
        function |= {
            name: value for name, value in inner.items() if value is not None or name not in function
        }
    elif isinstance(call.get("function"), str):
        function.setdefault("name", call["function"])
    if not function:
        return call
    rest = {name: value for name, value in call.items() if name not in {"name", "arguments"}}
    return {**rest, "function": function}


def documented_function(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """A function call: its arguments, which are JSON text, may come as JSON."""
    arguments = function.get("arguments")
    if isinstance(arguments, (Mapping, list)):
        return {**function, "arguments": _json_text(arguments)}
    return function


def join_parts(gathered: dict[str, Any], parts: Iterable[Any]) -> None:
    """Add to gathered fields those parts of a content that are no text; thoughts in a row become one."""
    for part in parts:
        before = gathered.setdefault(CONTENT_PARTS, [])
        if before and (joined := _joined(before[-1], part)) is not None:
            before[-1] = joined
        else:
            before.append(part)


def _joined(before: Any, part: Any) -> dict[str, Any] | None:
    if not (isinstance(before, Mapping) and isinstance(part, Mapping)):
        return None
    kind = _kind_of(part)
    if kind not in _REASONING_TYPES or before.get("type") != kind or before.get("signature"):
        return None
    name = kind if kind in part else "text"
    first: Any = before.get(name)
    second: Any = part.get(name)
    if not (isinstance(first, (str, list)) and type(first) is type(second)):
        return None
    return {**before, **part, name: concat(first, second)}


def _json_text(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):  # half a character, an integer beyond 64 bits
        import json

        return json.dumps(value, separators=(",", ":"))


def _read_parts(parts: list[Any]) -> tuple[str | None, str, list[Any]]:
    """The text and the reasoning of a content's parts, and those that are more than text."""
    texts: list[str] = []
    reasoning: list[str] = []
    others: list[Any] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if isinstance(part, Mapping):
            kind = _kind_of(part)
            if kind in _TEXT_TYPES and isinstance(part.get("text"), str):
                texts.append(part["text"])
                continue
            if kind in _REASONING_TYPES:
                reasoning.append(_text_of(part.get(kind, part.get("text"))))
        others.append(part)
    return "".join(texts) if texts else None, "".join(reasoning), others


def _kind_of(part: Mapping[str, Any]) -> str | None:
    """The type of a part; None if there is none, ``""`` if it is no text."""
    kind = part.get("type")
    return kind if isinstance(kind, str) or kind is None else ""


def is_reasoning(part: Any) -> bool:
    """Whether a part of a content is reasoning."""
    return isinstance(part, Mapping) and _kind_of(part) in _REASONING_TYPES


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(_text_of, value))
    if isinstance(value, Mapping):
        return _text_of(value.get("text"))
    return value if isinstance(value, str) else ""

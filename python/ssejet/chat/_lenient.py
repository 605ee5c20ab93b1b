"""What servers send in place of what OpenAI documents, brought into the documented form.

Each function takes a decoded JSON object and gives it back, or a changed copy if something was to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ssejet.chat._extra import CONTENT_PARTS, WholeChoice, reasoning_field

__all__ = [
    "documented_answer",
    "documented_call",
    "documented_choice",
    "documented_function",
    "documented_message",
    "documented_text_choice",
    "documented_whole_choice",
]

_TEXT_TYPES = frozenset({None, "text", "output_text"})

# Other names of a call's arguments and of its id.
_ARGUMENTS = ("arguments", "parameters", "input")
_CALL_IDS = ("tool_call_id", "call_id")


def documented_answer(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A chunk or a whole answer: its choices may be one object."""
    choices = answer.get("choices")
    return {**answer, "choices": [choices]} if isinstance(choices, Mapping) and choices else answer


def documented_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """A streamed choice: where its ``delta`` says nothing, it may have a whole ``message``, or a ``text``."""
    delta = choice.get("delta")
    if isinstance(delta, str):
        return {**choice, "delta": {"content": delta}}
    if _says_something(delta):
        return choice
    message = _message_of(choice.get("message"))
    if message is not None:
        role = {"role": delta["role"]} if isinstance(delta, Mapping) and delta.get("role") else {}
        rest = {name: value for name, value in choice.items() if name != "message"}
        return WholeChoice(rest, delta={**role, **message})
    if isinstance(choice.get("text"), str):
        rest = {name: value for name, value in choice.items() if name != "text"}
        return {**rest, "delta": {**_object(delta), "content": choice["text"]}}
    return choice


def documented_whole_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """A choice of a whole answer: where its ``message`` says nothing, it may have a delta or a text."""
    message = choice.get("message")
    if isinstance(message, str):
        return {**choice, "message": {"content": message}}
    if _says_something(message):
        return choice
    for name, other in (
        ("delta", _message_of(choice.get("delta"))),
        ("text", _message_of(choice.get("text"))),
    ):
        if other is not None:
            rest = {key: value for key, value in choice.items() if key != name}
            return {**rest, "message": {**_object(message), **other}}
    return choice


def documented_text_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """A choice of the older completions endpoint: it may have a message or a delta instead of a text."""
    if choice.get("text"):
        return choice
    for name in ("message", "delta"):
        other = _message_of(choice.get(name))
        content = None if other is None else documented_message(other).get("content")
        if isinstance(content, str) and content:
            return {**choice, "text": content}
    return choice


def _says_something(message: Any) -> bool:
    """Whether a message or a delta holds more than a role."""
    return isinstance(message, Mapping) and any(
        name != "role" and value not in (None, "", [], {}) for name, value in message.items()
    )


def _message_of(value: Any) -> Mapping[str, Any] | None:
    """A message, which may be only a text."""
    if isinstance(value, str):
        return {"content": value} if value else None
    return value if isinstance(value, Mapping) and value else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


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
    """A tool call: name and arguments may stand in the call itself, and its id may have another name."""
    call = _with_id(call)
    if call.get("custom") is not None:
        return call
    if call.get("type") == "custom" and "function" not in call:
        custom = {name: call[name] for name in ("name", "input") if name in call}
        return {**_without(call, custom), "custom": custom} if custom else call
    inner = call.get("function")
    outer = {name: call[name] for name in ("name", *_ARGUMENTS) if name in call}
    if isinstance(inner, Mapping) and not outer:
        return call
    function = dict(outer)
    if isinstance(inner, Mapping):
        function |= {
            name: value for name, value in inner.items() if value is not None or name not in function
        }
    elif isinstance(inner, str):
        function.setdefault("name", inner)
    return {**_without(call, outer), "function": function} if function else call


def _with_id(call: Mapping[str, Any]) -> Mapping[str, Any]:
    if not call.get("id"):
        for name in _CALL_IDS:
            if isinstance(call.get(name), str) and call[name]:
                return {**_without(call, (name,)), "id": call[name]}
    return call


def documented_function(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """A function call: its arguments, which are JSON text, may come as JSON, and under another name."""
    name = next((name for name in _ARGUMENTS if function.get(name) not in (None, "")), "arguments")
    arguments = function.get(name)
    is_json = isinstance(arguments, (Mapping, list))
    if name == "arguments" and not is_json:
        return function
    return {**_without(function, (name,)), "arguments": _json_text(arguments) if is_json else arguments}


def _without(data: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


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
            kind = part.get("type")
            if (kind is None or isinstance(kind, str)) and kind in _TEXT_TYPES:
                if isinstance(part.get("text"), str):
                    texts.append(part["text"])
                    continue
            elif field := reasoning_field(part):
                reasoning.append(_text_of(part[field]))
        others.append(part)
    return "".join(texts) if texts else None, "".join(reasoning), others


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(_text_of, value))
    if isinstance(value, Mapping):
        texts = (_text_of(value.get(name)) for name in ("text", "thinking", "summary", "content"))
        return next(filter(None, texts), "")
    return value if isinstance(value, str) else ""

"""What servers send in place of what OpenAI documents, brought into the documented form.

This is the place to add a server's quirk: write a test in ``tests/chat/test_compatible_servers.py``, change
the function for the object that is odd, and add a row here. Each function gets a decoded JSON object, and
returns it, or a copy in which it or a part of it is changed. A model names its function as ``documented``.

=================================== ============================================ ============================
what the server sends               which servers                                where it is read
=================================== ============================================ ============================
one choice that is not in a list    not recorded                                 ``_with_choices``
an object without choices: a ping   llama-cpp-python, sub2api                    ``_state``: not a chunk
no id and no model at first         Azure                                        ``_state``: the first counts
usage in the choice, in ``x_groq``  Moonshot, Groq                               ``_state``: ``_find_usage``
a text for a delta or a message     not recorded                                 ``documented_choice``
the whole message so far            not recorded                                 ``documented_choice``
content as a list of parts          Mistral's reasoning models                   ``documented_message``
reasoning as parts or an object     not recorded                                 ``documented_message``
one tool call that is not in a list Text Generation Inference before 2.0         ``documented_message``
a call without ``function``         not recorded                                 ``documented_call``
``tool_call_id``, ``call_id``       not recorded                                 ``documented_call``
arguments as JSON, not as text      Text Generation Inference, llama.cpp         ``documented_function``
``parameters``, ``input``           not recorded                                 ``documented_function``
calls without an index or an id     Gemini's OpenAI endpoint (empty ids)         ``CallFinder``: ``_find``
index 0 for all calls               Gemini's OpenAI endpoint, Dynamo             ``CallFinder``: ``_follow``
a new id with each fragment         LM Studio                                    ``CallFinder``: ``_find``
an empty id with each fragment      Qwen                                         ``CallFinder``: ``_find``
a tool's name in pieces or repeated not recorded                                 ``ToolCall``: ``add_name``
an empty object, then the arguments not recorded                                 ``ToolCall``: ``add``
the whole call again at the end     not recorded                                 ``ToolCall``: ``add``
a number as a text, and the like    many                                         ``ssejet._answers.base``
any other field                     all                                          ``_extra``: it is kept
an error in place of an answer      see there                                    ``ssejet._server_errors``
=================================== ============================================ ============================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ssejet._json import dump_builtins
from ssejet.chat._extra import CONTENT_PARTS, WholeChoice, reasoning_field

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Documented: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]

__all__ = [
    "documented_call",
    "documented_choice",
    "documented_chunk",
    "documented_completion",
    "documented_function",
    "documented_message",
    "documented_text_choice",
    "documented_text_completion",
    "documented_whole_choice",
]

_TEXT_TYPES = frozenset({None, "text", "output_text"})

# Other names of a call's arguments and of its id.
_ARGUMENTS = ("arguments", "parameters", "input")
_CALL_IDS = ("tool_call_id", "call_id")


def documented_chunk(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a chunk: its choices may be one object."""
    return _with_choices(chunk, documented_choice)


def documented_completion(completion: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a whole completion: its choices may be one object."""
    return _with_choices(completion, documented_whole_choice)


def documented_text_completion(completion: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read an answer of the older completions endpoint: its choices may be one object."""
    return _with_choices(completion, documented_text_choice)


def _with_choices(answer: Mapping[str, Any], read_choice: Documented) -> Mapping[str, Any]:
    choices = answer.get("choices")
    if isinstance(choices, Mapping) and choices:
        return {**answer, "choices": [read_choice(choices)]}
    return _changed(answer, "choices", _read_each(choices, read_choice))


def documented_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a streamed choice: if its ``delta`` is empty, it may have a whole ``message``, or a ``text``."""
    delta = choice.get("delta")
    if isinstance(delta, str):
        return {**choice, "delta": {"content": delta}}
    if not _has_more_than_a_role(delta):
        message = _message_of(choice.get("message"))
        if message is not None:
            role = {"role": delta["role"]} if isinstance(delta, Mapping) and delta.get("role") else {}
            return WholeChoice(_without(choice, {"message"}), delta=documented_message({**role, **message}))
        if isinstance(choice.get("text"), str):
            delta = {**_object(delta), "content": choice["text"]}
            return {**_without(choice, {"text"}), "delta": documented_message(delta)}
    return _changed(choice, "delta", _read(delta, documented_message))


def documented_whole_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a choice of a whole answer: if its ``message`` is empty, it may have a delta or a text."""
    message = choice.get("message")
    if isinstance(message, str):
        return {**choice, "message": {"content": message}}
    if not _has_more_than_a_role(message):
        for name in ("delta", "text"):
            other = _message_of(choice.get(name))
            if other is not None:
                message = {**_object(message), **other}
                return {**_without(choice, {name}), "message": documented_message(message)}
    return _changed(choice, "message", _read(message, documented_message))


def documented_text_choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a choice of the older completions endpoint: it may have a message or a delta for its text."""
    if choice.get("text"):
        return choice
    for name in ("message", "delta"):
        other = _message_of(choice.get(name))
        content = None if other is None else documented_message(other).get("content")
        if isinstance(content, str) and content:
            return {**choice, "text": content}
    return choice


def _read(part: Any, read: Documented) -> Any:
    return read(part) if isinstance(part, Mapping) else part


def _read_each(parts: Any, read: Documented) -> Any:
    if not isinstance(parts, list):
        return parts
    changed = [_read(part, read) for part in parts]
    return parts if all(new is old for new, old in zip(changed, parts, strict=True)) else changed


def _changed(data: Mapping[str, Any], name: str, value: Any) -> Mapping[str, Any]:
    """The data with another value in a field; the same object if it has this one."""
    return data if value is data.get(name) else {**data, name: value}


def _has_more_than_a_role(message: Any) -> bool:
    """Whether this is a message or a delta with more than a role."""
    return isinstance(message, Mapping) and any(
        name != "role" and value not in (None, "", [], {}) for name, value in message.items()
    )


def _message_of(value: Any) -> Mapping[str, Any] | None:
    """A message; a text stands for its content. None if it is empty."""
    if isinstance(value, str):
        return {"content": value} if value else None
    return value if isinstance(value, Mapping) and value else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def documented_message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a message or a delta: its content may be a list of parts, and its tool calls one object."""
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
    calls = message.get("tool_calls")
    read_calls = _read_each([calls] if isinstance(calls, Mapping) else calls, documented_call)
    if read_calls is not calls:
        changes["tool_calls"] = read_calls
    message = {**message, **changes} if changes else message
    return _changed(message, "function_call", _read(message.get("function_call"), documented_function))


def documented_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a tool call: name and arguments may be in the call itself, and its id may have another name."""
    call = _with_id(call)
    if call.get("custom") is not None:
        return call
    if call.get("type") == "custom" and "function" not in call:
        custom = {name: call[name] for name in ("name", "input") if name in call}
        return {**_without(call, custom), "custom": custom} if custom else call
    inner = call.get("function")
    outer = {name: call[name] for name in ("name", *_ARGUMENTS) if name in call}
    if isinstance(inner, Mapping) and not outer:
        return _changed(call, "function", documented_function(inner))
    function = dict(outer)
    if isinstance(inner, Mapping):
        function |= {
            name: value for name, value in inner.items() if value is not None or name not in function
        }
    elif isinstance(inner, str):
        function.setdefault("name", inner)
    return {**_without(call, outer), "function": documented_function(function)} if function else call


def _with_id(call: Mapping[str, Any]) -> Mapping[str, Any]:
    if not call.get("id"):
        for name in _CALL_IDS:
            if isinstance(call.get(name), str) and call[name]:
                return {**_without(call, (name,)), "id": call[name]}
    return call


def documented_function(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a function call: its arguments may be JSON in place of JSON text, and have another name."""
    name = next((name for name in _ARGUMENTS if function.get(name) not in (None, "")), "arguments")
    arguments = function.get(name)
    is_json = isinstance(arguments, (Mapping, list))
    if name == "arguments" and not is_json:
        return function
    return {**_without(function, (name,)), "arguments": dump_builtins(arguments) if is_json else arguments}


def _without(data: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _read_parts(parts: list[Any]) -> tuple[str | None, str, list[Any]]:
    """The text and the reasoning of a content's parts, and the parts that are more than text."""
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

"""Converts conversations between chat completions and the Responses API.

What both have a word for becomes that word:

================================ =====================================================
chat completions                 Responses
================================ =====================================================
messages of all roles but tools  items with the same role
text, ``image_url``, ``file``    ``input_text``, ``input_image``, ``input_file``
text of the model, ``refusal``   ``output_text``, ``refusal``
``annotations``                  ``annotations`` of the model's text: what it cites
``reasoning_content``            an item ``reasoning`` with its text
``tool_calls``                   items ``function_call`` and ``custom_tool_call``
messages with the role ``tool``  items ``function_call_output``, ``custom_tool_call_output``
``tools``, ``tool_choice``       ``tools``, ``tool_choice``
``parallel_tool_calls``          ``parallel_tool_calls``
================================ =====================================================

The items between two inputs of the user are one message of the model, or several if the model said several
things. If chat completions cannot say something about them, such as encrypted reasoning, the message has all
its items in ``responses_items`` too, which ``from_chat`` prefers. The ids of items and the status
``completed`` are left out: they say where the server keeps an item, and the conversation has its content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ssejet._answers.conversion import (
    ANTHROPIC_CONTENT,
    RESPONSES_ITEMS,
    ChatRequest,
    Converter,
    Unmatched,
    as_text,
    calls_of,
    numbered,
    plain_object,
    reasoning_of,
    text_at,
    without,
)
from ssejet._answers.source import copy_json
from ssejet._answers.tools import ModelFunction
from ssejet._json import dump_builtins
from ssejet.responses._tools import tool_param

if TYPE_CHECKING:
    from typing_extensions import Required, TypedDict

    class ResponsesRequest(TypedDict, total=False):
        """The parameters of a request to the Responses API that a conversation consists of."""

        input: Required[list[dict[str, Any]]]
        instructions: str
        tools: list[dict[str, Any]]
        tool_choice: str | dict[str, Any]
        parallel_tool_calls: bool

else:
    ResponsesRequest = dict

__all__ = [
    "ResponsesRequest",
    "canonical_item",
    "from_chat",
    "message_item",
    "missing_in",
    "parts_of",
    "reasoning_text",
    "to_chat",
]


def from_chat(
    messages: Iterable[Any],
    *,
    tools: Iterable[Any] | None = None,
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    unmatched: Unmatched = "keep",
) -> ResponsesRequest:
    """Convert a conversation of chat completions to one of the Responses API.

    ::

        request = from_chat(messages, tools=tools)
        response = client.responses.create(model="…", **request)

    Functions that do not say ``strict`` are not strict, as in chat completions: in the Responses API, the
    default is another.

    Args:
        messages: the conversation: dicts, or message objects of ssejet or openai-python.
        tools: of a chat completion, in OpenAI's form or as types.
        tool_choice: of a chat completion.
        parallel_tool_calls: of a chat completion.
        unmatched: what to do with what the Responses API has no word for, such as ``name`` or audio: keep it
            under its own name, which the server may refuse; raise ``ValueError``; or leave it out.

    Returns:
        ``input`` and, if there are any, ``tools``, ``tool_choice`` and ``parallel_tool_calls``.

    Raises:
        TypeError: a message is no object.
        ValueError: there is no counterpart for a role, or with ``unmatched="raise"`` for anything else.
    """
    converter = _FromChat(unmatched)
    for where, message in numbered(messages, "messages"):
        converter.add(_plain_message(message, where), where)
    chosen = converter.chosen(tools, tool_choice, parallel_tool_calls)
    return {"input": converter.items, **chosen}  # type: ignore[typeddict-item]


def to_chat(
    input: str | Iterable[Any],
    *,
    instructions: str | None = None,
    tools: Iterable[Any] | None = None,
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    unmatched: Unmatched = "keep",
) -> ChatRequest:
    """Convert a conversation of the Responses API to one of chat completions.

    ::

        request = to_chat([*conversation, *response.output], tools=tools)
        completion = client.chat.completions.create(model="…", **request)

    Args:
        input: the conversation: a text, or items: dicts, or objects of ssejet or openai-python.
        instructions: of a request to the Responses API. They become the first system message.
        tools: of a request to the Responses API, in OpenAI's form or as types.
        tool_choice: of a request to the Responses API.
        parallel_tool_calls: of a request to the Responses API.
        unmatched: what to do with what chat completions have no word for, such as encrypted reasoning or the
            server's tools: keep it, which the server may refuse; raise ``ValueError``; or leave it out.

    Returns:
        ``messages`` and, if there are any, ``tools``, ``tool_choice`` and ``parallel_tool_calls``.

    Raises:
        TypeError: an item is no object.
        ValueError: there is no counterpart for a role, or with ``unmatched="raise"`` for anything else.
    """
    converter = _ToChat(unmatched)
    if instructions is not None:
        converter.messages.append({"role": "system", "content": instructions})
    items = [{"role": "user", "content": input}] if isinstance(input, str) else input
    for where, item in numbered(items, "input"):
        converter.add(plain_object(item, where), where)
    converter.end_turn()
    chosen = converter.chosen(tools, tool_choice, parallel_tool_calls)
    return {"messages": converter.messages, **chosen}  # type: ignore[typeddict-item]


# The fields that an item has in the Responses API only.
_OWN = frozenset({"type", "id", "status"})
_CALL_TYPES = {"function": "function_call", "custom": "custom_tool_call"}
_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_CALL_FIELDS = _OWN | {"call_id", "name", "arguments", "input", "namespace", "caller", "async"}
_TEXTS = frozenset({"text", "input_text", "output_text"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_INPUT_ROLES = frozenset({"user", "system", "developer"})


class _PartConverter(Converter):
    """What both directions share: tools, and the parts of an input, or of a tool's output."""

    text_type: str

    def chosen(self, tools: Iterable[Any] | None, choice: Any, parallel: bool | None) -> dict[str, Any]:
        """The parameters of a request that are about tools."""
        chosen: dict[str, Any] = {}
        if tools is not None:
            chosen["tools"] = self.tools(tools)
        if choice is not None:
            chosen["tool_choice"] = self.tool_choice(choice)
        return chosen if parallel is None else {**chosen, "parallel_tool_calls": parallel}

    def tool_choice(self, choice: Any) -> str | dict[str, Any]:
        """A choice of tools."""
        raise NotImplementedError

    def parts(self, content: Any, where: str) -> str | list[dict[str, Any]]:
        """The content of an item or message of the user, or the output of a tool."""
        if content is None or isinstance(content, str):
            return content or ""
        parts = []
        for place, each in numbered(content, f"{where}.content"):
            part = {"type": "text", "text": each} if isinstance(each, str) else plain_object(each, place)
            if text_at(part, "type") in _TEXTS:
                text = {"type": self.text_type, "text": part.get("text") or ""}
                parts.append({**text, **self._marks(part, ("text",), place)})
                continue
            converted = self._part(part, place)
            if converted is not None or self.keeps(_name_of(part), place):
                parts.append(part if converted is None else converted)
        return as_text(parts, self.text_type)

    def _part(self, part: dict[str, Any], where: str) -> dict[str, Any] | None:
        """The part of another type; None if there is no counterpart."""
        raise NotImplementedError

    def _marks(self, part: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
        """The fields of a part beside its content. The breakpoint has the same name in both APIs."""
        own = _some_of(part, ("prompt_cache_breakpoint",))
        return own | self.rest(part, ("type", *known, *own), where)


# Chat completions → Responses.


class _FromChat(_PartConverter):
    target = "the Responses API"
    text_type = "input_text"

    def __init__(self, unmatched: str) -> None:
        super().__init__(unmatched)
        self.items: list[dict[str, Any]] = []
        # The calls of custom tools, whose outputs are of another type.
        self._custom: set[Any] = set()

    def add(self, message: dict[str, Any], where: str) -> None:
        role = message.get("role")
        if role in _INPUT_ROLES:
            content = self.parts(message.get("content"), where)
            rest = self.rest(message, ("role", "content"), where)
            self.items.append({"role": role, "content": content, **rest})
        elif role in {"tool", "function"}:
            self._add_output(message, where)
        elif role == "assistant":
            items = self.assistant(message, where, first=len(self.items))
            self.items += items
            self._custom |= {item.get("call_id") for item in items if item.get("type") == "custom_tool_call"}
        else:
            raise self.no_role(message, where)

    def _add_output(self, message: dict[str, Any], where: str) -> None:
        known = ["role", "content", "tool_call_id"]
        call = message.get("tool_call_id")
        if not call:  # the older form names the function instead of the call
            call = message.get("name") or ""
            known.append("name")
        kind = "custom_tool_call_output" if call in self._custom else "function_call_output"
        output = self.parts(message.get("content"), where)
        self.items.append(
            {"type": kind, "call_id": call, "output": output, **self.rest(message, known, where)}
        )

    def assistant(self, message: dict[str, Any], where: str, *, first: int) -> list[dict[str, Any]]:
        """The items of a message of the model.

        Args:
            message: the message.
            where: its place, for errors.
            first: the index of its first item, which ids that the API wants are made of.
        """
        known = (
            "role",
            "content",
            "refusal",
            "annotations",
            "tool_calls",
            "function_call",
            "reasoning_content",
            "reasoning",
            RESPONSES_ITEMS,
        )
        kept = message.get(RESPONSES_ITEMS)
        if isinstance(kept, list):
            items = [plain_object(item, f"{where}.{RESPONSES_ITEMS}") for item in kept]
            return _with_rest(items, self.rest(message, known, where))
        items = []
        reasoning = reasoning_of(message)
        if reasoning:
            content = [{"type": "reasoning_text", "text": reasoning}]
            items.append({"type": "reasoning", "id": f"rs_{first}", "summary": [], "content": content})
        calls = self._calls(message, where)
        parts, citing = self._said(message, where)
        if parts or not (calls or reasoning):
            items.append(message_item(first + len(items), parts, citing))
        return _with_rest(items + calls, self.rest(message, known, where))

    def _said(self, message: dict[str, Any], where: str) -> tuple[list[dict[str, Any]], list[Any]]:
        """The texts and refusals of a message, and what its text cites."""
        content = message.get("content")
        content = [content] if isinstance(content, str) and content else content or []
        parts = []
        for place, each in numbered(content, f"{where}.content"):
            part = {"type": "text", "text": each} if isinstance(each, str) else plain_object(each, place)
            kind = text_at(part, "type")
            if kind in _TEXTS:
                rest = self.rest(part, ("type", "text"), place)
                parts.append({"type": "output_text", "text": part.get("text") or "", **rest})
            elif kind == "refusal" or self.keeps(f"content of type {kind!r}", place):
                parts.append(part)
        if message.get("refusal"):
            parts.append({"type": "refusal", "refusal": message["refusal"]})
        citing = [_flat(each, "url_citation") for each in message.get("annotations") or ()]
        texts = [part for part in parts if part.get("type") == "output_text"]
        if citing and len(texts) != 1 and not self.keeps("'annotations' of more than one text", where):
            citing = []
        return parts, citing

    def _calls(self, message: dict[str, Any], where: str) -> list[dict[str, Any]]:
        items = []
        for index, call in enumerate(calls_of(message)):
            place = f"{where}.tool_calls[{index}]"
            kind = "custom" if isinstance(call.get("custom"), Mapping) else "function"
            called = call.get(kind)
            if not isinstance(called, Mapping):
                if self.keeps(f"a call of type {call.get('type')!r}", place):
                    items.append(dict(call))
                continue
            field = "input" if kind == "custom" else "arguments"
            rest = self.rest(call, ("id", "type", "index", kind), place)
            rest |= self.rest(called, ("name", field), place)
            item = {
                "type": _CALL_TYPES[kind],
                "call_id": call.get("id") or "",
                "name": called.get("name") or "",
            }
            items.append({**item, field: _json_text(called.get(field)), **rest})
        return items

    def _part(self, part: dict[str, Any], where: str) -> dict[str, Any] | None:
        kind = text_at(part, "type")
        image = part.get("image_url")
        if kind == "image_url" and image:
            fields = {"url": image} if isinstance(image, str) else dict(image)
            rest = self.rest(fields, ("url", "detail"), where) | self._marks(part, ("image_url",), where)
            detail = fields.get("detail") or "auto"
            return {"type": "input_image", "image_url": fields.get("url") or "", "detail": detail, **rest}
        file = part.get("file")
        if kind == "file" and isinstance(file, Mapping):
            names = ("file_data", "file_id", "filename")
            rest = self.rest(file, names, where) | self._marks(part, ("file",), where)
            return {"type": "input_file", **_some_of(file, names), **rest}
        if kind in {"image", "document"}:
            return self._of_messages(part, where)
        return part if kind in {"input_image", "input_file"} else None

    def _of_messages(self, block: dict[str, Any], where: str) -> dict[str, Any] | None:
        """A part for a block of Messages that chat completions have no word for."""
        source = block.get("source")
        source = source if isinstance(source, Mapping) else {}
        if block["type"] == "image" and source.get("file_id"):
            part = {"type": "input_image", "file_id": source["file_id"], "detail": "auto"}
            return {**part, **self._marks(block, ("source",), where)}
        if block["type"] == "document" and source.get("url"):
            part = {"type": "input_file", "file_url": source["url"]}
            title = {"filename": block["title"]} if block.get("title") else {}
            return {**part, **title, **self._marks(block, ("source", "title"), where)}
        return None

    def tool(self, tool: Any, where: str) -> dict[str, Any] | None:
        """A tool, flat. A type stays one that knows its arguments, so that calls are parsed."""
        param = _tool_param(tool, where)
        custom = param.get("custom")
        if isinstance(custom, Mapping):
            rest = {**without(param, "custom"), **without(custom, "format")}
            form = custom.get("format")
            return rest if form is None else {**rest, "format": _flat(form, "grammar")}
        if param.get("type", "function") != "function":
            return param if self.keeps(f"a tool of type {param.get('type')!r}", where) else None
        defaults = {"parameters": {"type": "object", "properties": {}}, "strict": False}
        for name, default in {"type": "function", **defaults}.items():
            if param.get(name) is None:
                param[name] = default
        return param

    def tool_choice(self, choice: Any) -> str | dict[str, Any]:
        if isinstance(choice, str) and choice in {"auto", "none", "required"}:
            return choice
        kind = choice.get("type") if isinstance(choice, Mapping) else None
        if kind in {"function", "custom"} and isinstance(choice.get(kind), Mapping):
            return _flat(choice, kind)
        if kind == "allowed_tools" and isinstance(choice.get(kind), Mapping):
            allowed = _flat(choice, kind)
            tools = allowed.get("tools") or ()
            return {**allowed, "tools": [_flat(tool, tool.get("type")) for tool in tools]}
        raise self.no_choice(choice)


def message_item(place: int, parts: list[dict[str, Any]], citing: list[Any] | None = None) -> dict[str, Any]:
    """A message of the model, as short as the API allows.

    Args:
        place: its place in the input, which makes the id.
        parts: texts and refusals.
        citing: the annotations of its first text.
    """
    text = as_text(parts, "output_text")
    if isinstance(text, str) and not citing:
        return {"role": "assistant", "content": text}
    whole = []
    for part in parts:
        if part.get("type") == "output_text" and "annotations" not in part:
            part = {**part, "annotations": citing or []}
            citing = None
        whole.append(part)
    item = {"type": "message", "id": f"msg_{place}", "status": "completed", "role": "assistant"}
    return {**item, "content": whole}


def _with_rest(items: list[dict[str, Any]], rest: dict[str, Any]) -> list[dict[str, Any]]:
    """Put the fields that are about a whole message into the item that is a message."""
    if rest:
        for index, item in enumerate(items):
            if _kind_of(item) == "message":
                items[index] = {**item, **rest}
                return items
        items.append({"role": "assistant", "content": "", **rest})
    return items


# Responses → chat completions.


class _ToChat(_PartConverter):
    target = "chat completions"
    text_type = "text"

    def __init__(self, unmatched: str) -> None:
        super().__init__(unmatched)
        self.messages: list[dict[str, Any]] = []
        # The items of the model since the last input, and the place of the first.
        self._turn: list[dict[str, Any]] = []
        self._where = ""

    def add(self, item: dict[str, Any], where: str) -> None:
        kind = _kind_of(item)
        if kind == "message" and text_at(item, "role") in _INPUT_ROLES:
            self.end_turn()
            content = self.parts(item.get("content"), where)
            rest = self._rest_of(item, ("role", "content"), where)
            self.messages.append({"role": item["role"], "content": content, **rest})
        elif kind in _OUTPUTS:
            self.end_turn()
            content = self.parts(item.get("output"), where)
            rest = self._rest_of(item, ("call_id", "output"), where)
            message = {"role": "tool", "tool_call_id": item.get("call_id") or "", "content": content}
            self.messages.append({**message, **rest})
        elif kind == "message" and item.get("role") != "assistant":
            raise self.no_role(item, where)
        else:
            if kind in {"message", "reasoning"} and self._is_complete():
                self.end_turn()
            self._where = self._where if self._turn else where
            self._turn.append(item)

    def _is_complete(self) -> bool:
        """Whether reasoning or a text begins another message of the model.

        Calls and their outputs must follow each other, so one message has all calls.
        """
        kinds = {_kind_of(each) for each in self._turn}
        has_all = any(ANTHROPIC_CONTENT in each for each in self._turn)
        return "message" in kinds and (has_all or kinds.isdisjoint(_CALLS))

    def end_turn(self) -> None:
        """Make a message of the items of the model since the last input."""
        items, self._turn = self._turn, []
        if not items:
            return
        message = self._assistant(items, self._where)
        again = _FromChat("keep").assistant(message, self._where, first=0)
        if [*map(canonical_item, again)] != [*map(canonical_item, items)]:
            if self.keeps(missing_in(items), self._where):
                message[RESPONSES_ITEMS] = items
            elif message == {"role": "assistant", "content": ""}:
                return  # all of it is left out
        self.messages.append(message)

    def _assistant(self, items: list[dict[str, Any]], where: str) -> dict[str, Any]:
        reasoning: list[str] = []
        parts: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        rest: dict[str, Any] = {}
        for item in items:
            kind = _kind_of(item)
            if kind == "reasoning":
                reasoning.append(reasoning_text(item))
            elif kind == "message":
                parts += parts_of(item)
                rest |= self.rest(item, _OWN | {"role", "content", "phase"}, where)
            elif kind in _CALLS:
                calls.append(self._call(item, kind, where))
        message: dict[str, Any] = {"role": "assistant", **_said(parts)}
        if message["content"] is None and not calls and "refusal" not in message:
            message["content"] = ""
        if any(reasoning):
            message["reasoning_content"] = "\n\n".join(filter(None, reasoning))
        if calls:
            message["tool_calls"] = calls
        return {**message, **rest}

    def _call(self, item: dict[str, Any], kind: str, where: str) -> dict[str, Any]:
        name, field = _CALLS[kind]
        called = {"name": item.get("name") or "", field: item.get(field) or ""}
        rest = self.rest(item, _CALL_FIELDS, where)
        return {"id": item.get("call_id") or "", "type": name, name: called, **rest}

    def _rest_of(self, item: dict[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
        status = item.get("status")
        own = _OWN if status is None or status == "completed" else _OWN - {"status"}
        return self.rest(item, {*own, *known}, where)

    def _part(self, part: dict[str, Any], where: str) -> dict[str, Any] | None:
        kind = text_at(part, "type")
        detail = part.get("detail")
        if kind == "input_image" and part.get("image_url") and not part.get("file_id"):
            image = {"url": part["image_url"], **({} if detail in {None, "auto"} else {"detail": detail})}
            rest = self._marks(part, ("image_url", "detail"), where)
            return {"type": "image_url", "image_url": image, **rest}
        if kind == "input_file" and not part.get("file_url"):
            names = ("file_data", "file_id", "filename")
            known = (*names, "detail") if detail == "auto" else names
            return {"type": "file", "file": _some_of(part, names), **self._marks(part, known, where)}
        return part if kind in {"image_url", "file"} else None

    def tool(self, tool: Any, where: str) -> dict[str, Any] | None:
        param = _tool_param(tool, where)
        kind = param.get("type", "function")
        if kind == "custom" and "custom" not in param:
            custom = _some_of(param, ("name", "description"))
            if param.get("format") is not None:
                custom["format"] = _nested(param["format"], "grammar")
            rest = self.rest(param, ("type", "name", "description", "format"), where)
            return {"type": "custom", "custom": custom, **rest}
        if kind != "function":
            return param if self.keeps(f"a tool of type {kind!r}", where) else None
        names = ("name", "description", "parameters", "strict")
        function: dict[str, Any] = dict(copy_json(_some_of(param, names)))
        if function.get("strict") is False:
            del function["strict"]  # the default of chat completions
        model = getattr(param, "model", None)
        if model is not None:
            function = ModelFunction(function, model)
        return {"type": "function", "function": function, **self.rest(param, ("type", *names), where)}

    def tool_choice(self, choice: Any) -> str | dict[str, Any]:
        if isinstance(choice, str) and choice in {"auto", "none", "required"}:
            return choice
        kind = choice.get("type") if isinstance(choice, Mapping) else None
        if kind in {"function", "custom"} and "name" in choice:
            return _nested(choice, kind)
        if kind == "allowed_tools" and "tools" in choice:
            allowed = {**choice, "tools": [_nested(tool, tool.get("type")) for tool in choice["tools"] or ()]}
            return _nested(allowed, kind)
        raise self.no_choice(choice)


def reasoning_text(item: Mapping[str, Any]) -> str:
    """The text of reasoning; if the server sends none, its summary."""
    for name in ("content", "summary"):
        parts = item.get(name)
        if not isinstance(parts, list):
            continue
        texts = [text_at(part, "text") for part in parts if isinstance(part, Mapping)]
        if any(texts):
            return "\n\n".join(texts)
    return ""


def parts_of(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The texts and refusals of a message of the model."""
    content = item.get("content")
    if content is None or isinstance(content, str):
        return [{"type": "output_text", "text": content}] if content else []
    if not isinstance(content, list):
        return []  # a server may send anything
    texts = [{"type": "output_text", "text": part} if isinstance(part, str) else part for part in content]
    return [dict(part) for part in texts if isinstance(part, Mapping)]


def _said(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of a message for what the model said."""
    fields: dict[str, Any] = {"content": None}
    if parts and parts[-1].get("type") == "refusal":
        fields["refusal"] = parts[-1].get("refusal") or ""
        parts = parts[:-1]
    converted = []
    for part in parts:
        if text_at(part, "type") in _TEXTS:
            part = {**without(part, "type", "annotations", "logprobs"), "type": "text"}
        converted.append(part)
    if converted:
        fields["content"] = as_text(converted)
    annotations = parts[0].get("annotations") if len(parts) == 1 else None
    if isinstance(annotations, list) and annotations:
        fields["annotations"] = [_nested(each, "url_citation") for each in annotations if _is_url(each)]
    return fields


def _is_url(annotation: Any) -> bool:
    return isinstance(annotation, Mapping) and annotation.get("type") == "url_citation"


def canonical_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without what is left out, and in the longest of its forms, to compare it with another."""
    kind = _kind_of(item)
    fields = {
        name: value
        for name, value in item.items()
        if value is not None and name not in {"id", "type"} and (name, value) != ("status", "completed")
    }
    if kind == "message":
        fields["content"] = [_canonical_part(part) for part in parts_of(item)]
        fields["content"] = [
            part for part in fields["content"] if part != {"type": "output_text", "text": ""}
        ]
    if kind == "reasoning":
        fields |= {"content": item.get("content") or [], "summary": item.get("summary") or []}
    return {"type": kind, **fields}


def _canonical_part(part: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in part.items() if value not in (None, [])}
    is_text = text_at(part, "type") in {"input_text", "text"}
    return {**fields, "type": "output_text"} if is_text else fields


def _kind_of(item: Mapping[str, Any]) -> str:
    """The type of an item: of messages, servers and users may leave it out."""
    return text_at(item, "type") or ("message" if "role" in item else "item_reference")


def _tool_param(tool: Any, where: str) -> dict[str, Any]:
    """A tool in the flat form. One that knows its type stays as it is; any other is a copy."""
    param = tool_param(tool if isinstance(tool, (Mapping, type)) else plain_object(tool, where))
    return param if isinstance(param, ModelFunction) else dict(copy_json(param))


def _plain_message(message: Any, where: str) -> dict[str, Any]:
    fields = plain_object(message, where)
    # A request of chat completions has no annotations, so to_param() leaves them out.
    annotations = None if isinstance(message, Mapping) else getattr(message, "annotations", None)
    if annotations and "annotations" not in fields:
        fields["annotations"] = [plain_object(each, f"{where}.annotations") for each in annotations]
    return fields


def _flat(fields: Mapping[str, Any], name: Any) -> dict[str, Any]:
    """An object whose own fields are in an object named as its type, with these fields beside the type."""
    inner = fields.get(name)
    if not isinstance(inner, Mapping):
        return dict(copy_json(dict(fields)))
    return {**without(fields, name), **copy_json(dict(inner))}


def _nested(fields: Mapping[str, Any], name: Any) -> dict[str, Any]:
    """What ``_flat()`` was given."""
    if fields.get("type") != name or name is None or name in fields:
        return dict(copy_json(dict(fields)))
    return {"type": name, name: copy_json(without(fields, "type"))}


def _some_of(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}


def _json_text(arguments: Any) -> str:
    """Arguments as text. Lenient servers send an object."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else dump_builtins(arguments)


def _name_of(part: Mapping[str, Any]) -> str:
    what = f"content of type {part.get('type')!r}"
    names = [name for name in ("file_id", "file_url") if part.get(name)]
    return f"{what} with a {names[0]}" if names else what


def missing_in(items: list[dict[str, Any]]) -> str:
    """What in the items of the model chat completions have no word for."""
    kinds = {f"{_kind_of(item)}" for item in items} - {"message", "reasoning", *_CALLS}
    if kinds:
        return f"an item of type {', '.join(sorted(kinds))}"
    reasoning = [item for item in items if _kind_of(item) == "reasoning"]
    if any(item.get("encrypted_content") for item in reasoning):
        return "encrypted reasoning"
    if any(item.get("summary") for item in reasoning):
        return "a summary of reasoning"
    return "the order, or a field, of the model's items"

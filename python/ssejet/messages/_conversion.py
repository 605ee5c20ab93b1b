"""Converts conversations between chat completions and Messages.

What both have a word for becomes that word:

=============================== ===================================================
chat completions                Messages
=============================== ===================================================
leading system messages         ``system``
later system messages           messages with the role ``system``
text, ``image_url``, ``file``   blocks ``text``, ``image``, ``document``
``reasoning_content``           blocks ``thinking``
``refusal``                     text; the stop reason says that it is a refusal
``tool_calls``                  blocks ``tool_use``
messages with the role ``tool`` blocks ``tool_result``, in one message of the user
``tools``, ``tool_choice``      ``tools``, ``tool_choice``
``parallel_tool_calls: false``  ``disable_parallel_tool_use: true``
``prompt_cache_breakpoint``     ``cache_control`` of a text, an image or a document
=============================== ===================================================

Fields that only one of them has keep their names. If chat completions cannot say
something about a message of the model, such as a signature or the order of blocks, the message has all its
blocks in ``anthropic_content`` too, which ``from_chat`` prefers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ssejet._answers.conversion import (
    ANTHROPIC_CONTENT,
    CACHE_BREAKPOINT,
    CACHE_CONTROL,
    ChatRequest,
    Converter,
    Unmatched,
    as_text,
    call_of,
    calls_of,
    input_of,
    numbered,
    plain_object,
    reasoning_of,
    text_at,
    without,
)
from ssejet._answers.source import copy_json
from ssejet.chat._tools import tool_param

if TYPE_CHECKING:
    from typing_extensions import Required, TypedDict

    class MessagesRequest(TypedDict, total=False):
        """The parameters of a request to the Messages API that a conversation consists of."""

        messages: Required[list[dict[str, Any]]]
        system: str | list[dict[str, Any]]
        tools: list[dict[str, Any]]
        tool_choice: dict[str, Any]

else:
    MessagesRequest = dict

__all__ = [
    "ChatRequest",
    "MessagesRequest",
    "finish_reason_of",
    "from_chat",
    "missing_in",
    "stop_reason_of",
    "to_chat",
]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def stop_reason_of(finish_reason: str | None) -> str | None:
    """The ``stop_reason`` for a ``finish_reason`` of chat completions; an unknown one stays as it is."""
    return finish_reason if finish_reason is None else _STOP_REASONS.get(finish_reason, finish_reason)


def finish_reason_of(stop_reason: str | None) -> str | None:
    """The ``finish_reason`` for a ``stop_reason`` of Messages; an unknown one stays as it is."""
    return stop_reason if stop_reason is None else _FINISH_REASONS.get(stop_reason, stop_reason)


def from_chat(
    messages: Iterable[Any],
    *,
    tools: Iterable[Any] | None = None,
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    unmatched: Unmatched = "keep",
) -> MessagesRequest:
    """Convert a conversation of chat completions to one of Messages.

    ::

        request = from_chat(messages, tools=tools)
        message = client.messages.create(model="…", max_tokens=1000, **request)

    Arguments of calls that are not JSON become ``{"INVALID_JSON": "…"}``. Several leading system messages
    become one, and ``developer`` becomes ``system``.

    Args:
        messages: the conversation: dicts, or message objects of ssejet or openai-python.
        tools: of a chat completion, in OpenAI's form or as types.
        tool_choice: of a chat completion.
        parallel_tool_calls: of a chat completion.
        unmatched: what to do with what Messages has no word for, such as ``name`` or audio: keep it under its
            own name, which the server may refuse; raise ``ValueError``; or leave it out.

    Returns:
        ``messages`` and, if there are any, ``system``, ``tools`` and ``tool_choice``.

    Raises:
        TypeError: a message is no object.
        ValueError: there is no counterpart for a role, or with ``unmatched="raise"`` for anything else.
    """
    converter = _FromChat(unmatched)
    for where, message in numbered(messages, "messages"):
        converter.add(plain_object(message, where), where)
    request: dict[str, Any] = {"messages": converter.messages}
    if converter.system:
        request["system"] = as_text(converter.system)
    if tools is not None:
        request["tools"] = converter.tools([tool_param(_plain_or_type(tool)) for tool in tools])
    choice = None if tool_choice is None else converter.tool_choice(tool_choice)
    if parallel_tool_calls is False and (choice is None or choice.get("type") != "none"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if choice is not None:
        request["tool_choice"] = choice
    return request  # type: ignore[return-value]


def to_chat(
    messages: Iterable[Any],
    *,
    system: Any = None,
    tools: Iterable[Any] | None = None,
    tool_choice: Mapping[str, Any] | None = None,
    unmatched: Unmatched = "keep",
) -> ChatRequest:
    """Convert a conversation of Messages to one of chat completions.

    ::

        request = to_chat([*conversation, message], system=system, tools=tools)
        completion = client.chat.completions.create(model="…", **request)

    Args:
        messages: the conversation: dicts, or message objects of ssejet or anthropic.
        system: of a request to the Messages API.
        tools: of a request to the Messages API.
        tool_choice: of a request to the Messages API.
        unmatched: what to do with what chat completions have no word for, such as signatures or the server's
            tools: keep it, which the server may refuse; raise ``ValueError``; or leave it out.

    Returns:
        ``messages`` and, if there are any, ``tools``, ``tool_choice`` and ``parallel_tool_calls``.

    Raises:
        TypeError: a message is no object.
        ValueError: there is no counterpart for a role, or with ``unmatched="raise"`` for anything else.
    """
    converter = _ToChat(unmatched)
    if system is not None and system != []:
        converter.messages.append({"role": "system", "content": converter.parts(system, "system")})
    for where, message in numbered(messages, "messages"):
        converter.add(plain_object(message, where), where)
    request: dict[str, Any] = {"messages": converter.messages}
    if tools is not None:
        plain = [plain_object(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
        request["tools"] = converter.tools(plain)
    if tool_choice is not None:
        choice = dict(tool_choice)
        if choice.pop("disable_parallel_tool_use", False):
            request["parallel_tool_calls"] = False
        if choice != {"type": "auto"} or "parallel_tool_calls" not in request:
            request["tool_choice"] = converter.tool_choice(choice)
    return request  # type: ignore[return-value]


# Chat completions → Messages.


class _FromChat(Converter):
    target = "Messages"
    cache_marks = CACHE_BREAKPOINT, CACHE_CONTROL

    def __init__(self, unmatched: str) -> None:
        super().__init__(unmatched)
        self.messages: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []

    def add(self, message: dict[str, Any], where: str) -> None:
        role = message.get("role")
        if role in {"system", "developer"}:
            blocks = self.blocks(message.get("content"), where)
            rest = self.rest(message, ("role", "content"), where)
            if not self.messages and not rest:
                self.system += blocks
            else:
                self.messages.append({"role": "system", "content": as_text(blocks), **rest})
        elif role in {"tool", "function"}:
            self._add_result(message, where)
        elif role == "user":
            self._add_user(message, where)
        elif role == "assistant":
            self.messages.append(self._assistant(message, where))
        else:
            raise self.no_role(message, where)

    def _add_user(self, message: dict[str, Any], where: str) -> None:
        blocks = self.blocks(message.get("content"), where)
        rest = self.rest(message, ("role", "content"), where)
        last = self.messages[-1] if self.messages else {}
        # The API wants the results, and what the user says after them, in one message.
        if not rest and last.keys() == {"role", "content"} and _has_only_results(last):
            last["content"] += blocks
        else:
            self.messages.append({"role": "user", "content": as_text(blocks), **rest})

    def _add_result(self, message: dict[str, Any], where: str) -> None:
        # The older form names the function instead of the call.
        call = message.get("tool_call_id") or message.get("name") or ""
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call}
        if message.get("content") is not None:
            block["content"] = as_text(self.blocks(message["content"], where))
        known = ["role", "content", "tool_call_id"]
        if not message.get("tool_call_id"):
            known.append("name")
        block |= self._rest_of_result(message, known, where)
        if self.messages and _has_only_results(self.messages[-1]):
            self.messages[-1]["content"].append(block)
        else:
            self.messages.append({"role": "user", "content": [block]})

    def _rest_of_result(self, message: dict[str, Any], known: list[str], where: str) -> dict[str, Any]:
        # Messages has a word for these two; to_chat() keeps their names.
        own = {name: message[name] for name in ("is_error", "cache_control") if message.get(name) is not None}
        return own | self.rest(message, [*known, *own], where)

    def _assistant(self, message: dict[str, Any], where: str) -> dict[str, Any]:
        known = (*_ASSISTANT, ANTHROPIC_CONTENT)
        kept = message.get(ANTHROPIC_CONTENT)
        if kept is not None:
            return {"role": "assistant", "content": kept, **self.rest(message, known, where)}
        blocks: list[dict[str, Any]] = []
        reasoning = reasoning_of(message)
        if reasoning:
            blocks.append({"type": "thinking", "thinking": reasoning, "signature": ""})
        blocks += self.blocks(message.get("content"), where)
        if message.get("refusal"):
            blocks.append({"type": "text", "text": message["refusal"]})
        calls = calls_of(message)
        for index, call in enumerate(calls):
            blocks += self._call(call, f"{where}.tool_calls[{index}]")
        rest = self.rest(message, known, where)
        only_text = not reasoning and not calls and not message.get("refusal")
        return {"role": "assistant", "content": as_text(blocks) if only_text else blocks, **rest}

    def _call(self, call: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
        function = call.get("function")
        if not isinstance(function, Mapping):
            return [dict(call)] if self.keeps(f"a call of type {call.get('type')!r}", where) else []
        rest = self.rest(call, ("id", "type", "function", "index"), where)
        rest |= self.rest(function, ("name", "arguments"), where)
        return [
            {
                "type": "tool_use",
                "id": call.get("id") or "",
                "name": function.get("name") or "",
                "input": input_of(function.get("arguments")),
                **rest,
            }
        ]

    def blocks(self, content: Any, where: str) -> list[dict[str, Any]]:
        """The blocks for a content: a text or a list of parts."""
        if content is None or content == "":
            return []
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        blocks = []
        for each, part in numbered(content, f"{where}.content"):
            plain = {"type": "text", "text": part} if isinstance(part, str) else plain_object(part, each)
            blocks += self._block(plain, each)
        return blocks

    def _block(self, part: dict[str, Any], where: str) -> list[dict[str, Any]]:
        kind = text_at(part, "type")
        if kind in {"text", "input_text", "output_text"}:
            text = {"text": part["text"]} if "text" in part else {}
            return [{"type": "text", **text, **self.others(part, ("type", "text"), where)}]
        if kind == "refusal":
            return [{"type": "text", "text": part.get("refusal") or ""}]
        image = part.get("image_url")
        if kind == "image_url" and image:
            fields = {"url": image} if isinstance(image, str) else dict(image)
            rest = self.rest(fields, ("url",), where) | self.others(part, ("type", "image_url"), where)
            return [{"type": "image", "source": _source_of(fields.get("url") or ""), **rest}]
        file = part.get("file")
        if kind == "file" and isinstance(file, Mapping):
            block = self._document(file, where)
            if block is not None:
                return [block | self.others(part, ("type", "file"), where)]
        other = self._of_responses(part, where)
        if other is not None:
            return [other]
        return [part] if kind in _BLOCKS or self.keeps(f"content of type {kind!r}", where) else []

    def _of_responses(self, part: dict[str, Any], where: str) -> dict[str, Any] | None:
        """A block for a part of the Responses API that chat completions have no word for."""
        kind = text_at(part, "type")
        if kind == "input_image" and part.get("file_id"):
            block = {"type": "image", "source": {"type": "file", "file_id": part["file_id"]}}
            known = ("type", "file_id", *(("detail",) if part.get("detail") == "auto" else ()))
            return {**block, **self.rest(part, known, where)}
        if kind == "input_file" and part.get("file_url"):
            block = {"type": "document", "source": {"type": "url", "url": part["file_url"]}}
            title = {"title": part["filename"]} if part.get("filename") else {}
            return {**block, **title, **self.rest(part, ("type", "file_url", "filename"), where)}
        return None

    def _document(self, file: Mapping[str, Any], where: str) -> dict[str, Any] | None:
        if file.get("file_id"):
            source = {"type": "file", "file_id": file["file_id"]}
        elif str(file.get("file_data", "")).startswith("data:"):
            source = _source_of(file["file_data"])
        else:
            return None
        title = {"title": file["filename"]} if file.get("filename") else {}
        rest = self.rest(file, ("file_id", "file_data", "filename"), where)
        return {"type": "document", "source": source, **title, **rest}

    def tool(self, tool: Mapping[str, Any], where: str) -> dict[str, Any] | None:
        function = tool.get("function")
        if not isinstance(function, Mapping):  # one of the server's, or free text
            return dict(tool) if self.keeps(f"a tool of type {tool.get('type')!r}", where) else None
        converted = {
            name: value for name, value in function.items() if name != "parameters" and value is not None
        }
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        return {**without(tool, "type", "function"), **converted, "input_schema": copy_json(schema)}

    def tool_choice(self, choice: Any) -> dict[str, Any]:
        if isinstance(choice, str):
            kinds = {"auto": "auto", "none": "none", "required": "any"}
            if choice in kinds:
                return {"type": kinds[choice]}
        elif isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping):
            return {"type": "tool", "name": choice["function"].get("name", "")}
        raise self.no_choice(choice)


# Messages → chat completions.


class _ToChat(Converter):
    target = "chat completions"
    cache_marks = CACHE_CONTROL, CACHE_BREAKPOINT

    def __init__(self, unmatched: str) -> None:
        super().__init__(unmatched)
        self.messages: list[dict[str, Any]] = []

    def add(self, message: dict[str, Any], where: str) -> None:
        role = message.get("role")
        if role == "user":
            self._add_user(message, where)
        elif role == "assistant":
            self.messages.append(self._assistant(message, where))
        elif role == "system":
            rest = self.rest(message, ("role", "content"), where)
            self.messages.append(
                {"role": "system", "content": self.parts(message.get("content"), where), **rest}
            )
        else:
            raise self.no_role(message, where)

    def _add_user(self, message: dict[str, Any], where: str) -> None:
        content = message.get("content")
        rest = self.rest(message, ("role", "content"), where)
        others = content
        if isinstance(content, list):
            others = []
            for index, block in enumerate(content):
                if isinstance(block, Mapping) and block.get("type") == "tool_result":
                    if others:
                        self.keeps("a tool_result after other content", f"{where}.content[{index}]")
                    self.messages.append(self._result(block, f"{where}.content[{index}]"))
                else:
                    others.append(block)
            if content and not others and not rest:
                return
        self.messages.append({"role": "user", "content": self.parts(others, where), **rest})

    def _result(self, block: Mapping[str, Any], where: str) -> dict[str, Any]:
        message = {"role": "tool", "tool_call_id": block.get("tool_use_id") or ""}
        if block.get("content") is not None:
            message["content"] = self.parts(block["content"], where)
        return message | self.rest(block, ("type", "tool_use_id", "content"), where)

    def _assistant(self, message: dict[str, Any], where: str) -> dict[str, Any]:
        content = message.get("content")
        rest = self.rest(message, ("role", "content"), where)
        blocks = [] if content is None else content
        if isinstance(blocks, str):
            return {"role": "assistant", "content": blocks, **rest}
        blocks = [plain_object(block, f"{where}.content[{index}]") for index, block in enumerate(blocks)]
        chat: dict[str, Any] = {"role": "assistant", "content": None}
        thinking = [block.get("thinking") or "" for block in blocks if block.get("type") == "thinking"]
        texts = [block for block in blocks if block.get("type") == "text"]
        calls = [call_of(block) for block in blocks if _is_call(block)]
        if texts:
            chat["content"] = _ToChat("keep").parts(texts, where)
        if any(thinking):
            chat["reasoning_content"] = "".join(thinking)
        if calls:
            chat["tool_calls"] = calls
        # What comes back tells whether anything is missing.
        again = _FromChat("keep")._assistant(chat, where)["content"]
        same = [{"type": "text", "text": again}] if isinstance(again, str) else again
        if not _is_same(same, blocks) and self.keeps(missing_in(blocks), where):
            chat[ANTHROPIC_CONTENT] = copy_json(blocks)
        elif texts:
            chat["content"] = self.parts(texts, where)
        return {**chat, **rest}

    def parts(self, content: Any, where: str) -> str | list[dict[str, Any]]:
        """A text, or the parts for blocks."""
        if content is None:
            return ""
        if isinstance(content, str):
            return content
        parts: list[dict[str, Any]] = []
        for each, block in numbered(content, f"{where}.content"):
            parts += self._part(plain_object(block, each), each)
        if len(parts) == 1 and parts[0].keys() == {"type", "text"} and parts[0]["type"] == "text":
            text: str = parts[0]["text"]
            return text
        return parts

    def _part(self, block: dict[str, Any], where: str) -> list[dict[str, Any]]:
        kind = block.get("type")
        if kind == "text":
            text = {"text": block["text"]} if block.get("text") is not None else {}
            return [{"type": "text", **text, **self.others(block, ("type", "text"), where)}]
        source = block.get("source")
        if kind == "image" and isinstance(source, Mapping) and (url := _url_of(source)):
            rest = self.others(block, ("type", "source"), where)
            return [{"type": "image_url", "image_url": {"url": url}, **rest}]
        if kind == "document" and isinstance(source, Mapping):
            file = self._file(block, source)
            if file is not None:
                rest = self.others(block, ("type", "source", "title"), where)
                return [{"type": "file", "file": file, **rest}]
        return [block] if self.keeps(f"a block of type {kind!r}", where) else []

    def _file(self, block: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any] | None:
        if source.get("type") == "file":
            file = {"file_id": source.get("file_id") or ""}
        elif source.get("type") == "base64" and (url := _url_of(source)):
            file = {"file_data": url}
        else:
            return None
        return {**file, "filename": block["title"]} if block.get("title") else file

    def tool(self, tool: Mapping[str, Any], where: str) -> dict[str, Any] | None:
        if "input_schema" not in tool or tool.get("type") not in {None, "custom"}:
            return dict(tool) if self.keeps(f"a tool of type {tool.get('type')!r}", where) else None
        function = {"name": tool.get("name") or "", "parameters": copy_json(tool["input_schema"])}
        function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
        known = ("type", "name", "description", "strict", "input_schema")
        return {"type": "function", "function": function, **self.rest(tool, known, where)}

    def tool_choice(self, choice: Mapping[str, Any]) -> str | dict[str, Any]:
        kinds = {"auto": "auto", "none": "none", "any": "required"}
        kind = text_at(choice, "type")
        if kind == "tool":
            return {"type": "function", "function": {"name": choice.get("name") or ""}}
        if kind in kinds:
            return kinds[kind]
        raise self.no_choice(choice)


# The fields of a message of the model that chat completions have and Messages has a word for.
_ASSISTANT = (
    "role",
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
)
_BLOCKS = frozenset(
    {"document", "image", "redacted_thinking", "search_result", "thinking", "tool_result", "tool_use"}
)


def _plain_or_type(tool: Any) -> Any:
    return tool if isinstance(tool, (Mapping, type)) else plain_object(tool, "tools")


def _has_only_results(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return (
        message.get("role") == "user"
        and isinstance(content, list)
        and bool(content)
        and all(block.get("type") == "tool_result" for block in content)
    )


def _is_call(block: Mapping[str, Any]) -> bool:
    """Whether a block is a call: one of Messages, or one of a custom tool, which was kept."""
    return block.get("type") == "tool_use" or isinstance(block.get("custom"), Mapping)


def _source_of(url: str) -> dict[str, Any]:
    """The source for a URL. The data of a ``data:`` URL is taken out of it."""
    head, comma, data = url.partition(",")
    if head.startswith("data:") and head.endswith(";base64") and comma:
        return {"type": "base64", "media_type": head[len("data:") : -len(";base64")], "data": data}
    return {"type": "url", "url": url}


def _url_of(source: Mapping[str, Any]) -> str | None:
    if source.get("type") == "url":
        return source.get("url")
    if source.get("type") == "base64":
        return f"data:{source.get('media_type', '')};base64,{source.get('data', '')}"
    return None


def _is_same(blocks: list[Any], others: list[Any]) -> bool:
    def known(block: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in block.items() if value is not None}

    return [*map(known, blocks)] == [*map(known, others)]


def missing_in(blocks: list[dict[str, Any]]) -> str:
    """What in a message of the model chat completions have no word for."""
    kinds = {f"{block.get('type')}" for block in blocks} - {"text", "thinking", "tool_use"}
    if kinds:
        return f"content of type {', '.join(sorted(kinds))}"
    if any(block.get("signature") for block in blocks):
        return "the signature of thinking"
    return "the order, or a field, of the content's blocks"

"""Converts conversations between Messages and the Responses API.

They go through chat completions. Of the model's answers, more than that has a word in both:

===================================== =================================================
Messages                              Responses
===================================== =================================================
``thinking`` with its ``signature``   ``reasoning`` with its text, ``encrypted_content``
``redacted_thinking``                 ``reasoning`` with ``encrypted_content`` only
the order of texts and calls          the order of items
===================================== =================================================

A signature, like encrypted content, is good only for the server that made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._answers.conversion import (
    ANTHROPIC_CONTENT,
    RESPONSES_ITEMS,
    Converter,
    Unmatched,
    call_of,
    input_of,
)
from ssejet.responses._conversion import (
    ResponsesRequest,
    canonical_item,
    from_chat,
    message_item,
    missing_in,
    parts_of,
    reasoning_text,
    to_chat,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ssejet.messages._conversion import MessagesRequest

__all__ = ["from_messages", "to_messages"]


def from_messages(
    messages: Iterable[Any],
    *,
    system: Any = None,
    tools: Iterable[Any] | None = None,
    tool_choice: Mapping[str, Any] | None = None,
    unmatched: Unmatched = "keep",
) -> ResponsesRequest:
    """Convert a conversation of Messages to one of the Responses API.

    ::

        request = from_messages([*conversation, message], system=system, tools=tools)
        response = client.responses.create(model="…", **request)

    Args:
        messages: the conversation: dicts, or message objects of ssejet or anthropic.
        system: of a request to the Messages API. A text becomes the ``instructions``.
        tools: of a request to the Messages API.
        tool_choice: of a request to the Messages API.
        unmatched: what to do with what the Responses API has no word for, such as the server's tools: keep
            it, which the server may refuse; raise ``ValueError``; or leave it out.

    Returns:
        ``input`` and, if there are any, ``instructions``, ``tools``, ``tool_choice`` and
        ``parallel_tool_calls``.

    Raises:
        TypeError: a message is no object.
        ValueError: there is no counterpart for a role, or with ``unmatched="raise"`` for anything else.
    """
    # Here, as a conversation of another protocol needs none of Messages.
    from ssejet.messages import _conversion as of_messages

    converter = _Converter(unmatched, "the Responses API")
    instructions = system if isinstance(system, str) else None
    system = None if isinstance(system, str) else system
    chat = of_messages.to_chat(messages, system=system, tools=tools, tool_choice=tool_choice)
    converter.exchange(
        chat["messages"], ANTHROPIC_CONTENT, RESPONSES_ITEMS, items_of, of_messages.missing_in, _same_blocks
    )
    request = from_chat(**chat, unmatched=unmatched)
    if instructions is not None:
        request["instructions"] = instructions
    return request


def to_messages(
    input: str | Iterable[Any],
    *,
    instructions: str | None = None,
    tools: Iterable[Any] | None = None,
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    unmatched: Unmatched = "keep",
) -> MessagesRequest:
    """Convert a conversation of the Responses API to one of Messages.

    ::

        request = to_messages([*conversation, *response.output], instructions=instructions)
        message = client.messages.create(model="…", max_tokens=1000, **request)

    Args:
        input: the conversation: a text, or items: dicts, or objects of ssejet or openai-python.
        instructions: of a request to the Responses API. They become the ``system`` prompt, or its beginning.
        tools: of a request to the Responses API, in OpenAI's form or as types.
        tool_choice: of a request to the Responses API.
        parallel_tool_calls: of a request to the Responses API.
        unmatched: what to do with what Messages has no word for, such as summaries of reasoning or the
            server's tools: keep it, which the server may refuse; raise ``ValueError``; or leave it out.

    Returns:
        ``messages`` and, if there are any, ``system``, ``tools`` and ``tool_choice``.

    Raises:
        TypeError: an item is no object.
        ValueError: there is no counterpart for a role, or with ``unmatched="raise"`` for anything else.
    """
    from ssejet.messages import _conversion as of_messages

    converter = _Converter(unmatched, "Messages")
    chat = to_chat(
        input,
        instructions=instructions,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tool_calls=parallel_tool_calls,
    )
    converter.exchange(
        chat["messages"], RESPONSES_ITEMS, ANTHROPIC_CONTENT, blocks_of, missing_in, _same_items
    )
    return of_messages.from_chat(**chat, unmatched=unmatched)


class _Converter(Converter):
    def __init__(self, unmatched: str, target: str) -> None:
        super().__init__(unmatched)
        self.target = target

    def exchange(
        self,
        messages: list[dict[str, Any]],
        given: str,
        wanted: str,
        convert: Callable[[list[Any]], list[dict[str, Any]]],
        missing: Callable[[list[Any]], str],
        is_same: Callable[[list[Any], list[Any]], bool],
    ) -> None:
        """Give the messages of the model the content of one protocol for that of the other, in place.

        Args:
            messages: of chat completions.
            given: the field with the content of the protocol that is converted.
            wanted: the field with the content of the other.
            convert: converts what has a counterpart.
            missing: names what has none.
            is_same: whether a content says all that the given one does.
        """
        for index, message in enumerate(messages):
            content = message.pop(given, None)
            if not isinstance(content, list) or wanted in message:
                continue
            converted = convert(content)
            if not is_same(converted, content) and self.keeps(missing(content), f"messages[{index}]"):
                message[given] = content
                if wanted == RESPONSES_ITEMS:
                    continue  # what is kept must be in one item, and these items may become two messages
            if converted:
                message[wanted] = converted


def items_of(blocks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items for the blocks of the model that have a counterpart."""
    items: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []

    def end_texts() -> None:
        if texts:
            items.append(message_item(len(items), [*texts]))
            texts.clear()

    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            texts.append({"type": "output_text", "text": block.get("text") or ""})
            continue
        end_texts()
        if kind == "thinking":
            text, proof = block.get("thinking") or "", block.get("signature")
            content = [{"type": "reasoning_text", "text": text}] if text else []
            items.append(_reasoning(len(items), content, proof))
        elif kind == "redacted_thinking":
            items.append(_reasoning(len(items), [], block.get("data")))
        elif kind == "tool_use":
            call = call_of(block)
            items.append({"type": "function_call", "call_id": call["id"], **call["function"]})
    end_texts()
    return items


def _reasoning(place: int, content: list[dict[str, Any]], proof: Any) -> dict[str, Any]:
    # The API wants an id; the place of the item makes one.
    item = {"type": "reasoning", "id": f"rs_{place}", "summary": [], "content": content}
    return {**item, "encrypted_content": proof} if proof else item


def blocks_of(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The blocks for the items of the model that have a counterpart."""
    blocks: list[dict[str, Any]] = []
    for item in items:
        kind = canonical_item(item)["type"]
        if kind == "message":
            texts = (part.get("text") or part.get("refusal") for part in parts_of(item))
            blocks += [{"type": "text", "text": text} for text in texts if text]
        elif kind == "reasoning":
            text, proof = reasoning_text(item), item.get("encrypted_content") or ""
            if text:
                blocks.append({"type": "thinking", "thinking": text, "signature": proof})
            elif proof:
                blocks.append({"type": "redacted_thinking", "data": proof})
        elif kind == "function_call":
            use = {"type": "tool_use", "id": item.get("call_id") or "", "name": item.get("name") or ""}
            blocks.append({**use, "input": input_of(item.get("arguments"))})
    return blocks


def _same_blocks(items: list[Any], blocks: list[Any]) -> bool:
    return blocks_of(items) == [
        {name: each[name] for name in each if each[name] is not None} for each in blocks
    ]


def _same_items(blocks: list[Any], items: list[Any]) -> bool:
    def of_values(item: Mapping[str, Any]) -> dict[str, Any]:
        canonical = canonical_item(item)
        # JSON has several texts for one value.
        given = {"arguments": input_of(canonical["arguments"])} if "arguments" in canonical else {}
        return canonical | given

    return [*map(of_values, items_of(blocks))] == [*map(of_values, items)]

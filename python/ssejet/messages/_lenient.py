"""Brings what servers send into the form that Anthropic documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["documented_event", "documented_message"]


def documented_message(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message whose content is a list of blocks: some servers send one text, or texts.

    Args:
        data: the message, as decoded JSON.
    """
    content = data.get("content")
    if isinstance(content, str):
        content = [content] if content else []
    if not isinstance(content, list) or (content is data["content"] and all(map(_is_object, content))):
        return data
    blocks = [{"type": "text", "text": each} if isinstance(each, str) else each for each in content]
    return {**data, "content": blocks}


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def documented_event(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event with its type, which its other fields tell if need be, and a documented message.

    Args:
        data: the event, as decoded JSON.
    """
    changes: dict[str, Any] = {}
    kind = data.get("type")
    if not isinstance(kind, str) or not kind:
        kind = changes["type"] = _kind_of(data)
    message = data.get("message")
    if kind == "message_start" and isinstance(message, Mapping):
        changes["message"] = documented_message(message)
    if all(data.get(name) is value for name, value in changes.items()):
        return data
    return {**data, **changes}


def _kind_of(data: Mapping[str, Any]) -> str | None:
    if isinstance(data.get("message"), Mapping):
        return "message_start"
    if isinstance(data.get("content_block"), Mapping):
        return "content_block_start"
    delta = data.get("delta")
    if isinstance(delta, Mapping):
        is_end = "index" not in data and ("usage" in data or "stop_reason" in delta)
        return "message_delta" if is_end else "content_block_delta"
    return None

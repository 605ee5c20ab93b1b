"""Anthropic's Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.base import (
    Event,
    StatelessEndpoint,
    anthropic_error,
    count_tokens,
    new_id,
    pieces,
    text_of_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing._answers import MockError

__all__ = ["ENDPOINTS"]

_SIGNATURE = "bW9jaw=="
# What a block has at its start, before its deltas.
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "compaction": {"content": None, "encrypted_content": None},
}
_PING = Event("ping", {"type": "ping"})


class Messages(StatelessEndpoint):
    """``POST /v1/messages``."""

    name = "messages.create"
    path = "/v1/messages"
    fields = (
        "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage", "container",
        "stop_details",
    )  # fmt: skip
    done = None
    names_events = True
    ping = _PING

    def from_text(self, text: str) -> dict[str, Any]:
        """One block with this text."""
        return {"content": text}

    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """The id, the type and the model of the answer."""
        return {
            "id": new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "mock"),
            "content": [],
            "stop_sequence": None,
        }

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to a message; the stop reason is the one that fits the others."""
        answer = self.defaults(body) | fields
        content = answer["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        answer["content"] = [_complete_block(block) for block in blocks]
        if "stop_reason" not in fields:
            calls = any(block["type"] == "tool_use" for block in answer["content"])
            by_sequence = "stop_sequence" if answer["stop_sequence"] is not None else "end_turn"
            answer["stop_reason"] = "tool_use" if calls else by_sequence
        counted = {"input_tokens": _input_tokens(body), "output_tokens": count_tokens(answer["content"])}
        answer["usage"] = counted | (answer.get("usage") or {})
        return answer

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Events with deltas of one word each, and a ping after the beginning of the first block."""
        for kind, fields in self._events(answer):
            yield Event(kind, {"type": kind} | fields)

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of a response with an error status."""
        return anthropic_error(error)

    def stream_error(self, error: MockError, number: int) -> Any:
        """An event of type ``error``, after which the stream ends."""
        return Event("error", anthropic_error(error))

    def _events(self, answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        end = {"stop_reason": answer["stop_reason"], "stop_sequence": answer["stop_sequence"]}
        end |= {name: answer[name] for name in ("container", "stop_details") if answer.get(name)}
        beside = {name: answer[name] for name in ("context_management",) if answer.get(name)}
        begun = answer | {"content": [], "usage": answer["usage"] | {"output_tokens": 1}}
        begun |= dict.fromkeys([*end, *beside])
        yield "message_start", {"message": begun}
        if not answer["content"]:
            yield "ping", {}
        for index, block in enumerate(answer["content"]):
            place = {"index": index}
            yield "content_block_start", place | {"content_block": _at_start(block)}
            if index == 0:
                yield "ping", {}
            for delta in _deltas(block):
                yield "content_block_delta", place | {"delta": delta}
            yield "content_block_stop", place
        yield "message_delta", {"delta": end, "usage": answer["usage"], **beside}
        yield "message_stop", {}


class TokenCount(StatelessEndpoint):
    """``POST /v1/messages/count_tokens``."""

    name = "messages.count_tokens"
    has_default = True
    path = "/v1/messages/count_tokens"
    done = None

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the number of tokens of the request: each word is one."""
        return {"input_tokens": _input_tokens(body)} | fields

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of a response with an error status."""
        return anthropic_error(error)


def _input_tokens(body: dict[str, Any]) -> int:
    return count_tokens({name: body.get(name) for name in ("system", "messages")})


def _complete_block(block: dict[str, Any]) -> dict[str, Any]:
    """A block with the fields that each block of its type has."""
    kind = block.get("type", "text")
    if kind == "text":
        return {"type": kind, "text": "", "citations": None} | block
    if kind == "thinking":
        return {"type": kind, "thinking": "", "signature": _SIGNATURE} | block
    if kind == "tool_use":
        return {"type": kind, "id": new_id("toolu_"), "input": {}} | block
    if kind == "server_tool_use":
        return {"type": kind, "id": new_id("srvtoolu_"), "input": {}} | block
    if kind == "mcp_tool_use":
        return {"type": kind, "id": new_id("mcptoolu_"), "input": {}, "server_name": "mock"} | block
    return block


def _at_start(block: dict[str, Any]) -> dict[str, Any]:
    begun = block | _EMPTY.get(block["type"], {})
    if block.get("citations"):
        begun["citations"] = []
    if _has_input(block):
        begun["input"] = {}
    return begun


def _has_input(block: dict[str, Any]) -> bool:
    return f"{block['type']}".endswith("tool_use") and "input" in block


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        for piece in pieces(block["text"]):
            yield {"type": "text_delta", "text": piece}
        for citation in block.get("citations") or []:
            yield {"type": "citations_delta", "citation": citation}
    elif block["type"] == "thinking":
        for piece in pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "compaction":
        content = {name: block.get(name) for name in ("content", "encrypted_content")}
        yield {"type": "compaction_delta", **content}
    elif _has_input(block):
        for piece in ["", *pieces(text_of_json(block["input"]))]:
            yield {"type": "input_json_delta", "partial_json": piece}


ENDPOINTS = (Messages(), TokenCount())

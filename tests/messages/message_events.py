"""Makes the events of Messages streams, as a server sends them."""

from __future__ import annotations

import json
from typing import Any

MODEL = "claude-test-1"


def start(**fields: Any) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    }
    return {"type": "message_start", "message": {**message, **fields}}


def begin(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    usage = fields.pop("usage", {"output_tokens": 15})
    top = {name: fields.pop(name) for name in ("context_management",) if name in fields}
    changes = {"stop_reason": reason, "stop_sequence": None, **fields}
    return {"type": "message_delta", "delta": changes, "usage": usage, **top}


STOP: dict[str, Any] = {"type": "message_stop"}
PING: dict[str, Any] = {"type": "ping"}


def text_delta(index: int, text: str) -> dict[str, Any]:
    return delta(index, {"type": "text_delta", "text": text})


def json_delta(index: int, text: str) -> dict[str, Any]:
    return delta(index, {"type": "input_json_delta", "partial_json": text})


def thinking_delta(index: int, text: str) -> dict[str, Any]:
    return delta(index, {"type": "thinking_delta", "thinking": text})


def text_block(index: int, *texts: str, citations: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    return [
        begin(index, {"type": "text", "text": ""}),
        *(text_delta(index, text) for text in texts),
        *(delta(index, {"type": "citations_delta", "citation": each}) for each in citations),
        stop(index),
    ]


def thinking_block(index: int, *texts: str, signature: str | None = "c2ln") -> list[dict[str, Any]]:
    signatures = (
        [] if signature is None else [delta(index, {"type": "signature_delta", "signature": signature})]
    )
    return [
        begin(index, {"type": "thinking", "thinking": "", "signature": ""}),
        *(thinking_delta(index, text) for text in texts),
        *signatures,
        stop(index),
    ]


def tool_block(index: int, *pieces: str, kind: str = "tool_use", **fields: Any) -> list[dict[str, Any]]:
    block = {"type": kind, "id": f"toolu_{index}", "name": "weather", "input": {}, **fields}
    return [begin(index, block), *(json_delta(index, piece) for piece in pieces), stop(index)]


def whole_block(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    return [begin(index, block), stop(index)]


def message(
    *blocks: list[dict[str, Any]], reason: str = "end_turn", **start_fields: Any
) -> list[dict[str, Any]]:
    return [start(**start_fields), *(event for block in blocks for event in block), end(reason), STOP]


def body(events: list[dict[str, Any]], *, named: bool = True) -> bytes:
    """The event stream: with ``event`` lines or without."""
    parts = []
    for event in events:
        name = f"event: {event['type']}\n" if named and "type" in event else ""
        parts.append(f"{name}data: {json.dumps(event)}\n\n")
    return "".join(parts).encode()


CHAR_LOCATION = {
    "type": "char_location",
    "cited_text": "The grass is green.",
    "document_index": 0,
    "document_title": "Example",
    "start_char_index": 0,
    "end_char_index": 20,
    "file_id": None,
}
PAGE_LOCATION = {
    "type": "page_location",
    "cited_text": "Water",
    "document_index": 1,
    "document_title": None,
    "start_page_number": 5,
    "end_page_number": 6,
    "file_id": "file_1",
}
BLOCK_LOCATION = {
    "type": "content_block_location",
    "cited_text": "These",
    "document_index": 2,
    "document_title": "Custom",
    "start_block_index": 0,
    "end_block_index": 1,
    "file_id": None,
}
WEB_LOCATION = {
    "type": "web_search_result_location",
    "cited_text": "Claude Shannon",
    "encrypted_index": "Eo8B",
    "title": "Wikipedia",
    "url": "https://example.org/shannon",
}
SEARCH_LOCATION = {
    "type": "search_result_location",
    "cited_text": "To configure",
    "search_result_index": 0,
    "source": "https://example.org/docs",
    "title": "Docs",
    "start_block_index": 0,
    "end_block_index": 1,
}
WEB_RESULTS = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "caller": {"type": "direct"},
    "content": [
        {
            "type": "web_search_result",
            "url": "https://example.org",
            "title": "Example",
            "encrypted_content": "EqgB",
            "page_age": "April 30, 2026",
        }
    ],
}
WEB_ERROR = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_2",
    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
}
FETCHED = {
    "type": "web_fetch_tool_result",
    "tool_use_id": "srvtoolu_3",
    "content": {
        "type": "web_fetch_result",
        "url": "https://example.org",
        "retrieved_at": "2026-08-25T10:30:00Z",
        "content": {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Full text"},
            "title": "Title",
        },
    },
}
CODE_RESULT = {
    "type": "bash_code_execution_tool_result",
    "tool_use_id": "srvtoolu_4",
    "content": {
        "type": "bash_code_execution_result",
        "stdout": "total 24",
        "stderr": "",
        "return_code": 0,
        "content": [{"type": "bash_code_execution_output", "file_id": "file_2"}],
    },
}
OLD_CODE_RESULT = {
    "type": "code_execution_tool_result",
    "tool_use_id": "srvtoolu_5",
    "content": {
        "type": "code_execution_result",
        "stdout": "4",
        "stderr": "",
        "return_code": 0,
        "content": [],
    },
}
EDITOR_RESULT = {
    "type": "text_editor_code_execution_tool_result",
    "tool_use_id": "srvtoolu_6",
    "content": {"type": "text_editor_code_execution_create_result", "is_file_update": False},
}
TOOLS_FOUND = {
    "type": "tool_search_tool_result",
    "tool_use_id": "srvtoolu_7",
    "content": {
        "type": "tool_search_tool_search_result",
        "tool_references": [{"type": "tool_reference", "tool_name": "weather"}],
    },
}
CONTAINER = {"id": "container_1", "expires_at": "2026-12-01T00:00:00Z"}
MCP_RESULT = {
    "type": "mcp_tool_result",
    "tool_use_id": "mcptoolu_1",
    "is_error": False,
    "content": [{"type": "text", "text": "Hello"}],
}
FALLBACK = {
    "type": "fallback",
    "from": {"model": "claude-test-2"},
    "to": {"model": "claude-test-3"},
    "trigger": {"type": "refusal"},
}
COMPACTED = [
    begin(0, {"type": "compaction", "content": None}),
    delta(0, {"type": "compaction_delta", "content": "Summary", "encrypted_content": "enc"}),
    stop(0),
]

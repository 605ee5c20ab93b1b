"""Streams of the Responses API for tests: the events of an answer, and events one by one."""

from __future__ import annotations

import json
from typing import Any

from ssejet import StreamMachine, encode
from ssejet.responses import ResponseStreamEvent
from ssejet.testing._endpoints.responses import Responses

RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress"}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}

CITATION = {"type": "url_citation", "url": "https://a.test", "title": "t", "start_index": 0, "end_index": 2}
EVERY_KIND: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I think so"}]},
    {
        "type": "reasoning",
        "id": "rs_2",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "One and one is two"}],
        "encrypted_content": "gAAA",
    },
    {
        "type": "message",
        "id": "msg_1",
        "phase": "final_answer",
        "content": [
            {"type": "output_text", "text": '{"city": "Rome", "days": [1, 2]}', "annotations": [CITATION]},
            {"type": "refusal", "refusal": "I would rather not say more"},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"x": 12, "y": "z"}'},
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "do it now"},
    {"type": "mcp_call", "id": "mcp_1", "name": "h", "server_label": "s", "arguments": '{"a": [true, null]}'},
    {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "code": "print(1 + 1)",
        "container_id": "k",
        "outputs": None,
    },
    {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}},
    {"type": "file_search_call", "id": "fs_1", "queries": ["a", "b"], "results": None},
    {"type": "computer_call", "id": "cu_1", "call_id": "c3", "action": {"type": "wait"}},
    {"type": "image_generation_call", "id": "ig_1", "result": "aGk="},
    {
        "type": "mcp_list_tools",
        "id": "ml_1",
        "server_label": "s",
        "tools": [{"name": "h", "input_schema": {}}],
    },
    {"type": "shell_call", "id": "sh_1", "call_id": "c4", "action": {"commands": ["ls"], "timeout_ms": 1}},
    {"type": "something_new", "id": "sn_1", "depth": {"a": [1]}},
]


def answer(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A response as JSON."""
    return Responses().complete({**RESPONSE, "status": "completed", "output": [*output], **fields}, {})


def events_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream of a response, as JSON."""
    return [event.data for event in Responses().stream(response, {})]


def created(**fields: Any) -> dict[str, Any]:
    return {"type": "response.created", "response": {**RESPONSE, "output": [], **fields}}


def completed(*output: Any, **fields: Any) -> dict[str, Any]:
    response = {**RESPONSE, "status": "completed", "output": [*output], **fields}
    return {"type": "response.completed", "response": response}


def delta(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_text.delta", **PLACE, "delta": text, **fields}


def arguments(text: str, **fields: Any) -> dict[str, Any]:
    place = {"item_id": "fc_1", "output_index": 0}
    return {"type": "response.function_call_arguments.delta", **place, "delta": text, **fields}


def bytes_of(events: list[dict[str, Any]], *, named: bool = True) -> bytes:
    """The bytes of a stream."""
    return b"".join(
        encode(json.dumps(event), event=event["type"] if named and "type" in event else None)
        for event in events
    )


def decoded(*events: dict[str, Any], named: bool = True) -> list[Any]:
    """The typed events of a stream."""
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent)
    return [*machine.feed(bytes_of([*events], named=named)), *machine.finish()]


def numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events with sequence numbers."""
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]

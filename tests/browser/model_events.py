"""Answers of models, as the events of the three APIs."""

from __future__ import annotations

from typing import Any

from ssejet.chat import ChatCompletionChunk
from ssejet.emit.ai_sdk import ToolOutput
from ssejet.messages._raw_events import RawEvent
from ssejet.responses._events import ResponseEvent


def chunk(delta: dict[str, Any], finish: str | None = None, id: str = "chat-1", **fields: Any) -> Any:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    base = {"id": id, "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    return ChatCompletionChunk.from_dict({**base, "choices": [choice], **fields})


def fragment(index: int, arguments: str, **first: Any) -> dict[str, Any]:
    return {
        "tool_calls": [
            {"index": index, "function": {"arguments": arguments, **first.pop("function", {})}, **first}
        ]
    }


USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "total_tokens": 30,
    "completion_tokens_details": {"reasoning_tokens": 5},
    "prompt_tokens_details": {"cached_tokens": 4},
}

PAGE = {"url": "https://example.com/", "title": "Example", "start_index": 0, "end_index": 5}


def chat() -> list[Any]:
    """Reasoning, text with a source, two calls of which one is answered, and the answer after it."""
    return [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Let me "}),
        chunk({"reasoning_content": "see."}),
        chunk({"content": "I'll "}),
        chunk({"content": "look … 你😀", "annotations": [{"type": "url_citation", "url_citation": PAGE}]}),
        chunk(fragment(0, "", id="call_1", type="function", function={"name": "weather"})),
        chunk(fragment(0, '{"city": ')),
        chunk(fragment(0, '"Oslo"}')),
        chunk(fragment(1, "{}", id="call_2", type="function", function={"name": "time"})),
        chunk({}, "tool_calls"),
        chunk({}, usage=USAGE, choices=[]),
        ToolOutput("call_1", {"degrees": "7"}),
        ToolOutput("call_2", "no clock", is_error=True),
        chunk({"content": "7 °C."}, id="chat-2"),
        chunk({}, "stop", id="chat-2"),
        chunk({}, id="chat-2", choices=[], usage=USAGE),
    ]


def _events(cls: Any, *events: dict[str, Any]) -> list[Any]:
    return [cls.from_dict(event) for event in events]


def responses() -> list[Any]:
    """Reasoning, a web search and an MCP call by the provider, text with a source, and a call that waits."""
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"}
    search = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}
    mcp = {"type": "mcp_call", "id": "mcp_1", "name": "roll", "server_label": "dice", "arguments": ""}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_9", "name": "weather", "arguments": ""}
    annotation = {"type": "url_citation", **PAGE}
    file = {"type": "file_citation", "file_id": "f_1", "filename": "a.pdf", "index": 0}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [], "status": "in_progress"}
    arguments = '{"city": "Rome"}'
    usage = {
        "input_tokens": 10,
        "output_tokens": 20,
        "total_tokens": 30,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    response = {"id": "resp_1", "object": "response", "model": "m-2", "output": [], "status": "in_progress"}
    in_message = {"item_id": "msg_1", "output_index": 3, "content_index": 0}
    return _events(
        ResponseEvent,
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**reasoning, "encrypted_content": None},
        },
        {
            "type": "response.reasoning_summary_text.delta",
            "item_id": "rs_1",
            "summary_index": 0,
            "delta": "Hm",
        },
        {
            "type": "response.reasoning_summary_text.delta",
            "item_id": "rs_1",
            "summary_index": 0,
            "delta": "m.",
        },
        {
            "type": "response.reasoning_summary_text.done",
            "item_id": "rs_1",
            "summary_index": 0,
            "text": "Hmm.",
        },
        {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {**search, "status": "in_progress"},
        },
        {"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"},
        {"type": "response.output_item.done", "output_index": 1, "item": {**search, "status": "completed"}},
        {"type": "response.output_item.added", "output_index": 2, "item": mcp},
        {"type": "response.mcp_call_arguments.delta", "item_id": "mcp_1", "delta": '{"n":2}'},
        {
            "type": "response.output_item.done",
            "output_index": 2,
            "item": {**mcp, "arguments": '{"n":2}', "output": "7", "status": "completed"},
        },
        {"type": "response.output_item.added", "output_index": 3, "item": message},
        {"type": "response.output_text.delta", **in_message, "delta": "Sunny"},
        {"type": "response.output_text.delta", **in_message, "delta": "."},
        {"type": "response.output_text.annotation.added", **in_message, "annotation": annotation},
        {"type": "response.output_text.annotation.added", **in_message, "annotation": file},
        {"type": "response.output_text.done", **in_message, "text": "Sunny."},
        {"type": "response.output_item.done", "output_index": 3, "item": message},
        {"type": "response.output_item.added", "output_index": 4, "item": call},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": arguments[:5]},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": arguments[5:]},
        {"type": "response.function_call_arguments.done", "item_id": "fc_1", "arguments": arguments},
        {"type": "response.output_item.done", "output_index": 4, "item": {**call, "arguments": arguments}},
        {"type": "response.completed", "response": {**response, "status": "completed", "usage": usage}},
    )


def messages() -> list[Any]:
    """Thinking, a web search by the provider, text with a citation, and a call that waits."""
    result = {"type": "web_search_result", "url": "https://example.com/", "title": "Example"}
    citation = {
        "type": "char_location",
        "cited_text": "x",
        "document_index": 0,
        "document_title": "a.pdf",
        "start_char_index": 0,
        "end_char_index": 1,
    }
    usage = {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 1}
    arguments = '{"city": "Rome"}'

    def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": index, "content_block": start},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    return _events(
        RawEvent,
        {"type": "message_start", "message": {"id": "msg_7", "model": "m-3", "content": [], "usage": usage}},
        {"type": "ping"},
        *block(
            0,
            {"type": "thinking", "thinking": ""},
            {"type": "thinking_delta", "thinking": "Hm"},
            {"type": "thinking_delta", "thinking": "m."},
            {"type": "signature_delta", "signature": "signed"},
        ),
        *block(
            1,
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query":"q"}'},
        ),
        *block(2, {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [result]}),
        *block(
            3,
            {"type": "text", "text": ""},
            {"type": "text_delta", "text": "Sunny"},
            {"type": "text_delta", "text": "."},
            {"type": "citations_delta", "citation": citation},
        ),
        *block(
            4,
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": arguments[:5]},
            {"type": "input_json_delta", "partial_json": arguments[5:]},
        ),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 20}},
        {"type": "message_stop"},
    )

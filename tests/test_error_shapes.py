"""What reports an error in a stream is one in every protocol; what only looks like an error is none.

The shapes are those of the servers' documentation and of their recorded streams.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ssejet import APIError, StreamMachine
from ssejet._server_errors import error_message, is_error_answer
from ssejet.chat import ChatCompletionChunk
from ssejet.messages import RawMessageStreamEvent
from ssejet.responses import ResponseStreamEvent

NO_ERRORS: dict[str, Any] = {
    "responses failed": {
        "type": "response.failed",
        "response": {"status": "failed", "error": {"code": "server_error", "message": "x"}},
    },
    "responses delta": {"type": "response.output_text.delta", "delta": "a"},
    "responses error null": {
        "type": "response.created",
        "response": {"error": None, "status": "in_progress"},
    },
    "responses whole": {
        "id": "r",
        "object": "response",
        "status": "completed",
        "error": None,
        "output": [{"type": "message"}],
    },
    "responses whole incomplete": {
        "id": "r",
        "object": "response",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [],
    },
    "responses mcp failed": {"type": "response.mcp_call.failed", "item_id": "i", "output_index": 0},
    "responses item with error": {
        "type": "response.output_item.done",
        "item": {"type": "mcp_call", "error": {"type": "http_error", "code": 500, "message": "x"}},
    },
    "keepalive": {"type": "keepalive", "sequence_number": 4},
    "messages start": {"type": "message_start", "message": {"id": "m", "type": "message", "content": []}},
    "messages delta": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "error"},
    },
    "messages tool error block": {
        "type": "content_block_start",
        "index": 1,
        "content_block": {
            "type": "web_search_tool_result",
            "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
        },
    },
    "messages whole": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}],
        "stop_reason": "end_turn",
        "usage": {},
    },
    "messages new event": {"type": "message_progress", "message": "reading", "index": 0},
    "messages container": {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal"},
        "usage": {"output_tokens": 1},
    },
    "messages unknown": {"type": "content_block_citation", "citation": {}},
    "cohere start": {
        "type": "message-start",
        "id": "i",
        "delta": {"message": {"role": "assistant", "content": []}},
    },
    "cohere delta": {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "x"}}}},
    "cohere end": {"type": "message-end", "id": "i", "delta": {"finish_reason": "COMPLETE", "usage": {}}},
    "cohere v1": {"is_finished": False, "event_type": "text-generation", "text": "x"},
    "cohere debug": {"type": "debug", "prompt": "p"},
    "cohere whole": {
        "id": "i",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "x"}]},
        "finish_reason": "COMPLETE",
    },
    "mistral started": {
        "type": "conversation.response.started",
        "created_at": "2026",
        "conversation_id": "c",
    },
    "mistral delta": {"type": "message.output.delta", "id": "m", "content": "Hi", "role": "assistant"},
    "mistral done": {"type": "conversation.response.done", "usage": {}},
    "mistral tool": {"type": "tool.execution.started", "id": "t", "name": "web_search", "arguments": ""},
    "google": {
        "candidates": [{"content": {"parts": [{"text": "x"}]}, "index": 0}],
        "modelVersion": "g",
        "responseId": "r",
    },
    "google blocked": {
        "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "m"},
        "usageMetadata": {"promptTokenCount": 1},
    },
    "google finish": {
        "candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "m", "index": 0}]
    },
    "google interactions": {
        "event_type": "content.delta",
        "index": 0,
        "delta": {"type": "text", "text": "x"},
    },
    "ollama": {
        "model": "l",
        "created_at": "2026",
        "message": {"role": "assistant", "content": "x"},
        "done": False,
    },
    "ollama generate": {"model": "l", "created_at": "2026", "response": "x", "done": False},
    "ollama pull status": {"status": "success"},
    "llama.cpp": {"content": "x", "stop": False, "id_slot": 0, "multimodal": False},
    "llama.cpp progress": {"choices": [], "prompt_progress": {"total": 5, "cache": 0, "processed": 2}},
    "tgi": {"index": 1, "token": {"id": 5, "text": "x"}, "generated_text": None, "details": None},
    "workers ai": {"response": "x", "p": "ab"},
    "azure filter first": {
        "choices": [],
        "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}
        ],
    },
    "azure error null": {
        "choices": [
            {
                "index": 0,
                "delta": {"content": "x"},
                "content_filter_result": {"error": {"code": "content_filter_error", "message": "x"}},
            }
        ]
    },
    "perplexity": {
        "choices": [{"index": 0, "delta": {"content": "x"}, "message": {"content": "x"}}],
        "citations": [],
        "status": "PENDING",
    },
    "usage only": {"choices": [], "usage": {"prompt_tokens": 1}},
    "error null": {"choices": [{"delta": {"content": "x"}}], "error": None, "code": 0, "message": ""},
    "minimax ok": {
        "choices": [{"delta": {"content": "x"}}],
        "base_resp": {"status_code": 0, "status_msg": ""},
    },
    "cost": {"type": "cost", "cost": 0.01},
    "completed status": {"object": "chat.completion.chunk", "status": "completed"},
    "thread delta": {"id": "m", "object": "thread.message.delta", "delta": {"content": []}},
    "ping": {"type": "ping"},
    "empty": {},
    "groq x": {"choices": [{"delta": {"content": "x"}}], "x_groq": {"id": "r", "error": None}},
    "dashscope ok": {
        "output": {"choices": [{"message": {"content": "x"}, "finish_reason": "null"}]},
        "usage": {},
        "request_id": "r",
    },
    "dashscope text ok": {
        "output": {"text": "x", "finish_reason": "null"},
        "usage": {},
        "request_id": "r",
        "code": "",
        "message": "",
    },
    "ernie ok": {
        "id": "as",
        "object": "chat.completion",
        "created": 1,
        "sentence_id": 0,
        "is_end": False,
        "result": "hi",
    },
    "bedrock chunk": {"contentBlockDelta": {"delta": {"text": "x"}, "contentBlockIndex": 0}},
    "bedrock anthropic stop": {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1},
    },
    "vertex trailers": {"usageMetadata": {"trafficType": "ON_DEMAND"}},
    "deepseek keepalive choices null": {"choices": None, "object": "chat.completion.chunk"},
}
ERRORS: dict[str, Any] = {
    "responses error": {
        "type": "error",
        "code": "server_error",
        "message": "x",
        "param": None,
        "sequence_number": 3,
    },
    "responses error nested": {
        "type": "error",
        "error": {"type": "invalid_request_error", "code": "c", "message": "x"},
        "sequence_number": 2,
    },
    "responses event with error": {"type": "response.error", "error": {"message": "x", "code": "rate_limit"}},
    "responses event with error beside": {"type": "response.created", "error": {"message": "x"}},
    "responses text with error beside": {
        "type": "response.output_text.delta",
        "delta": "Hi",
        "error": {"message": "x"},
    },
    "messages overloaded": {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "r",
    },
    "messages event error": {"type": "message_delta", "error": {"message": "x"}},
    "vllm messages": {"type": "error", "error": {"type": "BadRequestError", "message": "x"}},
    "mistral": {"object": "error", "message": "Service unavailable", "type": "internal", "code": "3000"},
    "mistral 422": {"detail": [{"loc": ["body"], "msg": "field required", "type": "value_error.missing"}]},
    "mistral raw": {"message": "Unauthorized", "request_id": "r"},
    "mistral status code": {
        "object": "error",
        "message": {"detail": [{"msg": "x", "type": "missing"}]},
        "type": "invalid_request_error",
        "raw_status_code": 422,
    },
    "mistral conversation": {"type": "conversation.response.error", "message": "x", "code": 500},
    "cohere": {"message": "too many tokens"},
    "cohere id": {"id": "abc", "message": "invalid api token"},
    "cohere v1 end error": {
        "is_finished": True,
        "event_type": "stream-end",
        "finish_reason": "ERROR",
        "response": {"message": "x"},
    },
    "cohere stream error": {
        "type": "message-end",
        "id": "i",
        "delta": {"finish_reason": "ERROR", "error": "internal error"},
    },
    "google": {"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED", "details": []}},
    "google list": [{"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}],
    "google text": {"error": "no"},
    "ollama": {"error": "model 'x' not found"},
    "ollama status": {"StatusCode": 401, "Status": "401 Unauthorized", "error": "unauthorized"},
    "tgi": {"error": "Model is overloaded", "error_type": "overloaded"},
    "tgi list": {"error": ["x", "y"]},
    "llama.cpp": {"error": {"code": 500, "message": "x", "type": "server_error"}},
    "bedrock": {"throttlingException": {"message": "x"}},
    "bedrock 2": {"message": "Too many requests", "__type": "ThrottlingException"},
    "bedrock 3": {"modelStreamErrorException": {"message": "x", "originalStatusCode": 424}},
    "fastapi": {"detail": "x"},
    "workers ai": {
        "errors": [{"message": "x", "code": 5007}],
        "success": False,
        "result": {},
        "messages": [],
    },
    "openrouter mid": {
        "id": "g",
        "object": "chat.completion.chunk",
        "error": {"code": "server_error", "message": "x"},
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
    },
    "sglang": {"object": "error", "message": "x", "type": "BadRequestError", "param": None, "code": 400},
    "lmstudio": {"error": "x"},
    "lmstudio event": {"error": {"message": "x"}, "message": "x"},
    "azure": {"error": {"code": "429", "message": "x", "innererror": {"code": "y"}}},
    "apim": {"statusCode": 429, "message": "Rate limit is exceeded"},
    "dashscope": {"code": "Throttling", "message": "x", "request_id": "r"},
    "ernie": {"error_code": 18, "error_msg": "qps limit"},
    "zhipu": {"error": {"code": "1301", "message": "x"}},
    "minimax": {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None},
    "hunyuan": {"Response": {"Error": {"Code": "x", "Message": "y"}, "RequestId": "r"}},
    "spark": {"header": {"code": 10013, "message": "x", "sid": "s"}},
    "groq": {"id": "c", "choices": [], "x_groq": {"error": "over capacity"}},
    "together": {"error": {"message": "x", "type_": "server_error"}},
    "perplexity": {"error": {"message": "x", "type": "internal", "code": 500}},
    "cloudflare page": {"type": "https://x/errors", "title": "Error 1015", "status": 429, "detail": "x"},
    "problem json": {"type": "about:blank", "title": "Too Many", "status": 429},
    "nvidia nim": {"status": 429, "title": "Too Many Requests"},
    "writer": {"tpe": "x", "errors": [{"description": "x", "key": "k"}], "extras": {}},
    "replicate": {"detail": "x", "status": 422, "title": "Input"},
    "hf": {"error": "x", "warnings": []},
    "litellm": {"error": {"message": "litellm.RateLimitError", "type": None, "param": None, "code": "429"}},
    "cerebras": {
        "message": "x",
        "type": "too_many_requests_error",
        "param": "quota",
        "code": "request_quota_exceeded",
    },
    "fireworks": {"fault": {"faultstring": "x", "detail": {"errorcode": "y"}}},
    "choices empty with detail": {"choices": [], "detail": "x"},
}
PROTOCOLS: dict[str, tuple[Any, Any]] = {
    "chat": (ChatCompletionChunk, {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}),
    "responses": (ResponseStreamEvent, {"type": "response.output_text.delta", "delta": "Hi"}),
    "messages": (
        RawMessageStreamEvent,
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    ),
}


def event(payload: Any) -> bytes:
    return f"data: {json.dumps(payload)}\n\n".encode()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("shape", ERRORS)
def test_an_error_of_any_shape_is_one_in_every_protocol(shape: str, protocol: str) -> None:
    cast_to, good = PROTOCOLS[protocol]
    machine: Any = StreamMachine(cast_to=cast_to)
    payload = ERRORS[shape]
    items = machine.feed(event(good) * 2 + event(payload) + event(good))
    assert len([next(items), next(items)]) == 2
    with pytest.raises(APIError) as caught:
        next(items)
    assert caught.value.body == payload
    assert caught.value.message == error_message(payload) or error_message(payload) is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("shape", NO_ERRORS)
def test_what_only_looks_like_an_error_is_none_in_any_protocol(shape: str, protocol: str) -> None:
    cast_to, good = PROTOCOLS[protocol]
    machine: Any = StreamMachine(cast_to=cast_to)
    payload = NO_ERRORS[shape]
    assert not is_error_answer(payload)
    assert len([*machine.feed(event(good) + event(payload) * 2 + event(good))]) >= 2


def test_an_error_names_what_the_server_says_of_it() -> None:
    message = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "internal error"}}
    assert error_message(message) == "internal error"
    assert error_message({"type": "response.error", "error": {"message": "slow down"}}) == "slow down"
    assert error_message({"choices": [{"delta": {"error": {"message": "no"}}}]}) == "no"
    assert error_message({"choices": [], "finish_reason": "error", "message": "too late"}) == "too late"

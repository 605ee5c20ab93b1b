"""The types of the SDKs' stream items, and an item of each as servers send it."""

from __future__ import annotations

import anthropic._compat
import anthropic._models
import openai._compat
import openai._models
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaRawMessageStreamEvent
from openai.types import Completion
from openai.types.beta import AssistantStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from ssejet.swap._plan.builder import Models

OPENAI = Models(
    openai._models.BaseModel,
    openai._models.construct_type,
    openai._models._construct_field,
    openai._compat.field_get_default,
)
ANTHROPIC = Models(
    anthropic._models.BaseModel,
    anthropic._models.construct_type,
    anthropic._models._construct_field,
    anthropic._compat.field_get_default,
)

SDK_TYPES = {
    "chunk": (ChatCompletionChunk, OPENAI),
    "completion": (Completion, OPENAI),
    "response event": (ResponseStreamEvent, OPENAI),
    "assistant event": (AssistantStreamEvent, OPENAI),
    "message event": (RawMessageStreamEvent, ANTHROPIC),
    "beta message event": (BetaRawMessageStreamEvent, ANTHROPIC),
}

USUAL = {
    "chunk": {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1767323045,
        "model": "gpt",
        "service_tier": "no tier that is known",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "delta": {
                    "role": "assistant",
                    "content": "Hé \n",
                    "reasoning_content": "beyond the model",
                    "tool_calls": [{"index": 0, "id": "call", "function": {"name": "f", "arguments": "{"}}],
                },
                "logprobs": {"content": [{"token": "a", "logprob": -1, "bytes": None, "top_logprobs": []}]},
                "finish_reason": "no reason that is known",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "more": {}},
    },
    "completion": {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "text": "a", "finish_reason": None, "logprobs": None}],
    },
    "response event": {
        "type": "response.output_text.delta",
        "item_id": "msg",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hi",
        "sequence_number": 4,
        "logprobs": [{"token": "a", "logprob": -0.5}],
        "obfuscation": "x",
    },
    "assistant event": {
        "event": "thread.message.delta",
        "data": {
            "id": "msg",
            "object": "thread.message.delta",
            "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Hi", "annotations": []}}]},
        },
    },
    "message event": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hi"},
    },
    "beta message event": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Hm", "more": [1]},
    },
}

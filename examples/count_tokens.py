"""Print how many tokens an answer has, and how fast it came."""

from __future__ import annotations

import os

import httpx

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}

body = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "Say hello."}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
with httpx.stream("POST", URL, headers=HEADERS, json=body) as response:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
    completion = stream.get_final_completion()

usage, metrics = completion.usage, stream.metrics
if usage is not None:
    print(f"{usage.prompt_tokens} tokens in, {usage.completion_tokens} tokens out")
if (
    usage is not None
    and metrics is not None
    and metrics.first_event is not None
    and metrics.elapsed is not None
):
    print(f"first chunk after {metrics.time_to_first_event:.3f} s")
    print(f"{usage.completion_tokens / metrics.elapsed:.0f} tokens per second")

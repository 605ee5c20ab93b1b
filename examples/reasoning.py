"""Print the reasoning of a model: DeepSeek, Qwen, GLM and others, which name it differently."""

from __future__ import annotations

import os
import sys

import httpx

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

URL = os.environ.get("OPENAI_BASE_URL", "https://api.deepseek.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}

body = {
    "model": sys.argv[1] if len(sys.argv) > 1 else "deepseek-reasoner",
    "messages": [{"role": "user", "content": "Which is larger, 9.11 or 9.8?"}],
    "stream": True,
}
with httpx.stream("POST", URL, headers=HEADERS, json=body) as response:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
    for event in stream:
        if event.type in {"reasoning.delta", "content.delta"}:
            print(event.delta, end="", flush=True)
        elif event.type == "reasoning.done":
            print(f"\n--- thought in {len(event.reasoning)} characters ---")
    completion = stream.get_final_completion()

print()
for call in completion.choices[0].message.tool_calls or []:
    if call.function is not None:
        print(f"{call.function.name}({call.function.arguments})")
if completion.usage is not None:
    print(f"{completion.usage.total_tokens} tokens, finish reason {completion.choices[0].finish_reason}")

"""Find out that the model refuses to answer."""

from __future__ import annotations

import os

import httpx
from pydantic import BaseModel

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream, response_format_param

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}


class Plan(BaseModel):
    steps: list[str]


body = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "How do I rob a bank?"}],
    "response_format": response_format_param(Plan),
    "stream": True,
}
with httpx.stream("POST", URL, headers=HEADERS, json=body) as response:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk), response_format=Plan)
    for event in stream:
        if event.type == "refusal.delta":
            print(event.delta, end="", flush=True)
        elif event.type == "refusal.done":
            print(f"\nrefused in {len(event.refusal)} characters")
    message = stream.get_final_completion().choices[0].message

print("plan:", message.parsed)

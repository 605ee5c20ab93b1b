"""Print an answer while it arrives, with requests."""

from __future__ import annotations

import os

import requests

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}

body = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "Say hello."}],
    "stream": True,
}
with requests.post(URL, headers=HEADERS, json=body, stream=True) as response:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
    for text in stream.text_deltas():
        print(text, end="", flush=True)
print()

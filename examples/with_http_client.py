"""Print an answer while it arrives, with the standard library."""

from __future__ import annotations

import json
import os
from urllib.request import Request, urlopen

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {
    "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
    "Content-Type": "application/json",
}

body = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "Say hello."}],
    "stream": True,
}
with urlopen(Request(URL, json.dumps(body).encode(), HEADERS)) as response:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
    for text in stream.text_deltas():
        print(text, end="", flush=True)
print()

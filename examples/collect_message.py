"""Print an answer with an asynchronous stream and a callback, then use the whole message."""

from __future__ import annotations

import asyncio
import os

import httpx

from ssejet import AsyncStream
from ssejet.chat import AsyncChatCompletionStream, ChatCompletionChunk

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}


async def main() -> None:
    body = {
        "model": "gpt-5-mini",
        "messages": [{"role": "user", "content": "Say hello."}],
        "stream": True,
    }
    async with (
        httpx.AsyncClient(headers=HEADERS) as client,
        client.stream("POST", URL, json=body) as response,
        AsyncChatCompletionStream(AsyncStream(response, cast_to=ChatCompletionChunk)) as stream,
    ):
        stream.on("content.delta", lambda delta: print(delta, end="", flush=True))
        completion = await stream.get_final_completion()
    message = completion.choices[0].message
    print(f"\n{message.role} said {len(message.content or '')} characters")
    print("for the next request:", message.to_param())


asyncio.run(main())

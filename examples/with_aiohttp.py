"""Print an answer while it arrives, with aiohttp."""

from __future__ import annotations

import asyncio
import os

import aiohttp

from ssejet import AsyncStream
from ssejet.chat import AsyncChatCompletionStream, ChatCompletionChunk

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}

body = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "Say hello."}],
    "stream": True,
}


async def main() -> None:
    async with aiohttp.ClientSession() as session, session.post(URL, headers=HEADERS, json=body) as response:
        stream = AsyncChatCompletionStream(AsyncStream(response, cast_to=ChatCompletionChunk))
        async for text in stream.text_deltas():
            print(text, end="", flush=True)
    print()


asyncio.run(main())

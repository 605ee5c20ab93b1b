"""Answers that survive a lost connection and a reload, for the page in this folder.

npm install && npm run build
pip install uvicorn "ssejet[serve]"
OPENAI_API_KEY=… uvicorn server:app

Without a key, the answer is a recorded one. With several workers, set REDIS_URL.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ssejet import AsyncClient
from ssejet.chat import ChatCompletionChunk
from ssejet.emit import ai_sdk
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

PAGE = Path(os.environ.get("PAGE", Path(__file__).parent / "dist"))
PAUSE = float(os.environ.get("PAUSE", "0.03"))


# In the memory of this process. With a Redis, any number of workers may serve the page.
hub = AsyncHub(os.environ.get("REDIS_URL"))


async def ask(request: Request) -> Response:
    key = request.path_params["key"]
    messages = (await request.json())["messages"]
    # However often this request comes, the model runs once.
    await hub.start(key, lambda: ai_sdk.astream(model(messages), message_id=key))
    return hub.response(key, request)


async def follow(request: Request) -> Response:
    key = request.path_params["key"]
    if await hub.status(key) == "missing":
        return Response("There is no such answer.", 404)
    return hub.response(key, request)


async def stop(request: Request) -> Response:
    await hub.stop(request.path_params["key"])
    return Response(status_code=204)


async def model(messages: list[dict[str, Any]]) -> AsyncIterator[Any]:
    if "OPENAI_API_KEY" not in os.environ:
        async for event in recorded(messages[-1]["content"]):
            yield event
        return
    async with AsyncClient() as client:
        name = os.environ.get("OPENAI_MODEL", "gpt-5-mini")
        stream = await client.chat.completions.create(model=name, messages=messages, stream=True)
        async with stream:
            async for chunk in stream:
                yield chunk


async def recorded(question: str) -> AsyncIterator[Any]:
    """Think, call a tool, and answer."""

    def chunk(id: str, finish: str | None = None, **delta: Any) -> Any:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return ChatCompletionChunk.from_dict({"id": id, "model": "recorded", "choices": [choice]})

    for word in [
        "The",
        "question",
        "is",
        "about",
        "the",
        "weather,",
        "so",
        "I",
        "look",
        "it",
        "up",
        "first.",
    ]:
        await asyncio.sleep(PAUSE)
        yield chunk("1", reasoning_content=f"{word} ")
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    yield chunk("1", tool_calls=[call])
    for piece in ('{"ci', 'ty": "', "Oslo", '"}'):
        await asyncio.sleep(PAUSE)
        yield chunk("1", tool_calls=[{"index": 0, "function": {"arguments": piece}}])
    yield chunk("1", finish="tool_calls")
    await asyncio.sleep(10 * PAUSE)
    yield ai_sdk.ToolOutput("call_1", {"temperature": 7, "sky": "cloudy"})
    words = (
        f"You asked: “{question}” In Oslo it is 7 °C and cloudy. "
        + "Take a coat, and perhaps an umbrella. " * 8
    )
    for word in words.split(" "):
        await asyncio.sleep(PAUSE)
        yield chunk("2", content=f"{word} ")
    yield chunk("2", finish="stop")
    usage = {"prompt_tokens": 40, "completion_tokens": 80, "total_tokens": 120}
    yield ChatCompletionChunk.from_dict({"id": "2", "model": "recorded", "choices": [], "usage": usage})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with hub:
        yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/answers/{key}", ask, methods=["POST"]),
        Route("/answers/{key}", follow, methods=["GET"]),
        Route("/answers/{key}", stop, methods=["DELETE"]),
        *([Mount("/", StaticFiles(directory=PAGE, html=True))] if PAGE.exists() else []),
    ],
)

"""Relay chat completions to browsers without showing them the key.

pip install fastapi uvicorn "ssejet[serve]"
OPENAI_API_KEY=… uvicorn fastapi_relay:app
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI, Request, Response

from ssejet import ServerSentEvent
from ssejet.emit import arelay, resume_headers
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(
        base_url=os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        headers={"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
        # A model can think for minutes before its first word.
        timeout=httpx.Timeout(10, read=600),
        limits=httpx.Limits(max_connections=None),
    ) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(request: Request) -> Response:
    """Relay the model's stream, byte for byte."""
    upstream = await ask(request)
    return await refusal(upstream) or EventStreamResponse(arelay(upstream))


@app.post("/words")
async def words(request: Request) -> Response:
    """Relay only the text, piece by piece."""
    upstream = await ask(request)
    return await refusal(upstream) or EventStreamResponse(arelay(upstream, transform=text_of))


async def ask(request: Request) -> httpx.Response:
    client: httpx.AsyncClient = request.app.state.client
    question = client.build_request(
        "POST",
        "/chat/completions",
        json={**await request.json(), "stream": True},
        headers=resume_headers(request.headers),
    )
    return await client.send(question, stream=True)


async def refusal(upstream: httpx.Response) -> Response | None:
    """Return the response for an error of the server, with the same status."""
    if upstream.is_success:
        return None
    await upstream.aread()
    return Response(upstream.content, upstream.status_code, media_type=upstream.headers.get("content-type"))


def text_of(event: ServerSentEvent) -> Any:
    if event.data == "[DONE]":
        return ServerSentEvent(event="done", data="")
    if event.event == "error":
        return event
    choices = event.json()["choices"]
    return (choices[0]["delta"].get("content") or None) if choices else None

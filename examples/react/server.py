"""Answers that survive a lost connection and a reload, for the page in this folder.

npm install && npm run build
pip install uvicorn "ssejet[serve]"
OPENAI_API_KEY=… uvicorn server:app

Without a key, the answer is a recorded one.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ssejet import AsyncClient, Decoder, ServerSentEvent
from ssejet.chat import ChatCompletionChunk
from ssejet.emit import ai_sdk
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

PAGE = Path(os.environ.get("PAGE", Path(__file__).parent / "dist"))
PAUSE = float(os.environ.get("PAUSE", "0.03"))


class Log:
    """The events of one answer, and those who wait for more."""

    def __init__(self) -> None:
        self.events: list[ServerSentEvent] = []
        self.grown = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def is_finished(self) -> bool:
        return bool(self.events) and self.events[-1].event == "end"

    def append(self, data: str, event: str = "message") -> None:
        self.events.append(ServerSentEvent(event=event, data=data, id=str(len(self.events) + 1), retry=None))
        self.grown.set()
        self.grown = asyncio.Event()


class Answers:
    """Keeps answers in the memory of this process, and runs each model once."""

    def __init__(self) -> None:
        self._logs: dict[str, Log] = {}

    def start(self, key: str, source: Callable[[], AsyncIterator[bytes]]) -> None:
        """Run a source, unless it has been started before. It goes on when its client leaves."""
        if key not in self._logs:
            log = self._logs[key] = Log()
            log.task = asyncio.create_task(self._produce(log, source))

    async def _produce(self, log: Log, source: Callable[[], AsyncIterator[bytes]]) -> None:
        decoder = Decoder()
        reason = "stopped"
        try:
            async for piece in source():
                for event in decoder.feed(piece):
                    log.append(event.data)
            reason = "finished"
        finally:
            log.append(json.dumps({"reason": reason}), event="end")

    def stop(self, key: str) -> None:
        """End an answer early."""
        log = self._logs.get(key)
        if log is not None and log.task is not None:
            log.task.cancel()

    def response(self, key: str, request: Request) -> Response:
        """Send an answer from the event on that the client has had last. 204 tells it that it has all."""
        log = self._logs.get(key)
        if log is None:
            return Response("There is no such answer.", 404)
        last = request.headers.get("last-event-id", "")
        position = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
        if position > len(log.events):
            position = 0  # no id of this log
        if log.is_finished and position == len(log.events):
            return Response(status_code=204)
        # The log has an end of its own.
        return EventStreamResponse(self._follow(log, position), done=None)

    async def _follow(self, log: Log, position: int) -> AsyncIterator[ServerSentEvent]:
        while True:
            grown = log.grown
            while position < len(log.events):  # it may grow while an event is sent
                yield log.events[position]
                position += 1
            if log.is_finished:
                return
            await grown.wait()


answers = Answers()


async def ask(request: Request) -> Response:
    key = request.path_params["key"]
    messages = (await request.json())["messages"]
    answers.start(key, lambda: aiter(ai_sdk.astream(model(messages), message_id=key)))
    return answers.response(key, request)


async def follow(request: Request) -> Response:
    return answers.response(request.path_params["key"], request)


async def stop(request: Request) -> Response:
    answers.stop(request.path_params["key"])
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


app = Starlette(
    routes=[
        Route("/answers/{key}", ask, methods=["POST"]),
        Route("/answers/{key}", follow, methods=["GET"]),
        Route("/answers/{key}", stop, methods=["DELETE"]),
        *([Mount("/", StaticFiles(directory=PAGE, html=True))] if PAGE.exists() else []),
    ]
)

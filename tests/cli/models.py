"""An OpenAI-compatible API whose models each have a behaviour that the command's tests know."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

# In seconds: longer than any test, but finite, so that a command that hangs fails.
A_LONG_TIME = 200

THOUGHT = "Hmm, *well*."
ANSWER = "# Hello\n\nThis is **bold** and `code`.\n\n1. one\n2. two\n"
WORDS = ANSWER.split(" ")


class Log:
    """What the server saw."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.running = 0
        self.most_running = 0
        self._asked = threading.Event()
        self._left = threading.Event()

    def add(self, request: dict[str, Any]) -> None:
        self.requests.append(request)
        self._asked.set()

    def wait_until_asked(self) -> None:
        """Wait for a request."""
        assert self._asked.wait(A_LONG_TIME), "no request came"

    def note_that_one_left(self) -> None:
        self._left.set()

    def wait_until_left(self) -> None:
        """Wait until a client has left during an answer."""
        assert self._left.wait(A_LONG_TIME), "no client left"


logs: dict[str, Log] = {}


def _chunk(delta: dict[str, Any] | None = None, *, reason: str | None = None, usage: Any = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + json.dumps({**chunk, "usage": usage}).encode() + b"\n\n"


_DONE = b"data: [DONE]\n\n"


async def _poet(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"role": "assistant", "content": ""})
    yield _chunk({"reasoning_content": THOUGHT})
    for number, word in enumerate(WORDS):
        yield _chunk({"content": word if number == 0 else f" {word}"})
        await asyncio.sleep(0)
    yield _chunk({}, reason="stop")
    if request.get("stream_options"):
        yield _chunk(usage={"prompt_tokens": 7, "completion_tokens": 70, "total_tokens": 77})
    yield _DONE


async def _halves(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    """Characters and line ends in pieces, as servers send them that cut tokens of bytes."""
    for piece in ("\ud83d", "\ude00 a\r", "\nb"):
        yield _chunk({"content": piece})
    yield _chunk({}, reason="stop")
    yield _DONE


async def _slow_poet(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    async for chunk in _poet(request, key):
        yield chunk
        await asyncio.sleep(0.002)


async def _echo(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"content": json.dumps({**request, "key": key})})
    yield _chunk({}, reason="stop")
    yield _DONE


async def _patient(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    """Repeat what has been said, and wait in the middle if the last message is `wait`."""
    said = [f"{message['role']}={message['content']}" for message in request["messages"]]
    yield _chunk({"content": "heard: "})
    yield _chunk({"content": f"{len(said)} {said[-2:]}"})
    if request["messages"][-1]["content"] == "wait":
        await asyncio.sleep(A_LONG_TIME)
    yield _chunk({}, reason="stop")
    yield _DONE


async def _cut(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"content": "only the beg"})
    yield _chunk({}, reason="length")
    yield _DONE


async def _failing(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"content": "so far "})
    yield b'data: {"error": {"message": "no more for ' + key.encode() + b'", "type": "server_error"}}\n\n'


async def _breaking(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"content": "so far "})


async def _event_of_an_error(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"content": "so far "})
    yield b'event: error\ndata: {"message": "out of memory", "code": 500}\n\n'


async def _failing_at_once(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield b'data: {"error": {"message": "no worker", "type": "server_error"}}\n\n'
    yield _DONE


async def _unfinished(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    """An answer that looks complete unless its finish reason is checked."""
    yield _chunk({"content": "so far "})
    yield _DONE


async def _empty(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"role": "assistant", "content": ""})
    yield _DONE


async def _nothing(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _DONE


async def _wordless(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    """A model that has nothing to say, in good order."""
    yield _chunk({"content": ""})
    yield _chunk({}, reason="stop")
    yield _DONE


async def _hostile(request: dict[str, Any], key: str) -> AsyncIterator[bytes]:
    yield _chunk({"content": "\x1b]0;owned\x07 [bank](http://evil.example/)"})
    yield _chunk({}, reason="stop")
    yield _DONE


_MODELS = {
    "breaking": _breaking,
    "cut": _cut,
    "echo": _echo,
    "empty": _empty,
    "event-of-an-error": _event_of_an_error,
    "failing": _failing,
    "failing-at-once": _failing_at_once,
    "halves": _halves,
    "hostile": _hostile,
    "nothing": _nothing,
    "patient": _patient,
    "poet": _poet,
    "slow-poet": _slow_poet,
    "unfinished": _unfinished,
    "wordless": _wordless,
}


async def _completions(request: Request) -> Response:
    body = await request.json()
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    log = logs.setdefault(request.path_params["name"], Log())
    log.add(body)
    if body["model"] == "locked":
        return JSONResponse({"error": {"message": f"wrong key: {key}"}}, status_code=401)
    if body["model"] == "strict" and "stream_options" in body:
        return JSONResponse({"error": {"message": "unknown field: stream_options"}}, status_code=400)
    if body["model"] == "busy" and len(log.requests) % 2:
        return JSONResponse({"error": {"message": "slow down"}}, status_code=429)
    if body["model"] not in {*_MODELS, "busy", "strict"}:
        return JSONResponse({"error": {"message": "no such model"}}, status_code=404)

    async def watched() -> AsyncIterator[bytes]:
        log.running += 1
        log.most_running = max(log.most_running, log.running)
        try:
            async for chunk in _MODELS.get(body["model"], _poet)(body, key):
                yield chunk
        except asyncio.CancelledError:
            log.note_that_one_left()
            raise
        finally:
            log.running -= 1

    return StreamingResponse(watched(), media_type="text/event-stream")


async def _models(request: Request) -> Response:
    names = {"several": ["poet", "echo"], "none": None}.get(request.path_params["name"], ["poet"])
    if names is None:
        return Response(status_code=404)
    if request.path_params["name"] == "locked":
        return JSONResponse({"error": {"message": "no key"}}, status_code=401)
    return JSONResponse({"data": [{"id": name} for name in names]})


# A test has its own API, with its own log, at /api/NAME.
ROUTES = [
    Route("/api/{name}/chat/completions", _completions, methods=["POST"]),
    Route("/api/{name}/models", _models),
]

"""ASGI applications on the loopback interface, one of which speaks OpenAI's API."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request


@contextmanager
def serve(app: Any, *, lifespan: Any = "off") -> Iterator[str]:
    """Serve an application from a thread of its own, and give its URL."""
    config = uvicorn.Config(app, port=0, lifespan=lifespan, ws="none", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    address, port = server.servers[0].sockets[0].getsockname()
    try:
        yield f"http://{address}:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


TEXT = ["Hel", "lo, ", "wörld", " ☃"]
ARGUMENTS = ['{"ci', 'ty": ', '"Łódź"}']


def _chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1767323045,
        "model": "m",
        "choices": [choice],
    }


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
ANSWER = [
    _chunk(role="assistant", content=""),
    *[_chunk(content=piece) for piece in TEXT],
    _chunk("stop"),
    {**_chunk(), "choices": [], "usage": USAGE},
]
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
TOOL_CALL = [
    _chunk(role="assistant", content=None, tool_calls=[CALL]),
    *[_chunk(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in ARGUMENTS],
    _chunk("tool_calls"),
    {**_chunk(), "choices": [], "usage": USAGE},
]


def _response(status: str, output: list[Any]) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1767323045,
        "status": status,
        "model": "m",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "metadata": {},
        "instructions": None,
        "error": None,
        "incomplete_details": None,
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        }
        if status == "completed"
        else None,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(status: str, content: list[Any]) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}


_WHERE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_DONE = _item("completed", [_part("".join(TEXT))])
RESPONSE = [
    {"type": "response.created", "response": _response("in_progress", [])},
    {"type": "response.output_item.added", "output_index": 0, "item": _item("in_progress", [])},
    {"type": "response.content_part.added", **_WHERE, "part": _part("")},
    *[{"type": "response.output_text.delta", **_WHERE, "delta": piece, "logprobs": []} for piece in TEXT],
    {"type": "response.output_text.done", **_WHERE, "text": "".join(TEXT), "logprobs": []},
    {"type": "response.content_part.done", **_WHERE, "part": _part("".join(TEXT))},
    {"type": "response.output_item.done", "output_index": 0, "item": _DONE},
    {"type": "response.completed", "response": _response("completed", [_DONE])},
]


def _body(events: list[dict[str, Any]], *, named: bool) -> Iterator[str]:
    for number, event in enumerate(events):
        if named:
            yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
        else:
            yield f"data: {json.dumps(event)}\n\n"
    if not named:
        yield "data: [DONE]\n\n"


def _usual(*deltas: dict[str, Any], **more: Any) -> bytes:
    chunks = [_chunk(**delta) for delta in deltas]
    return "".join(_body([*chunks, {**_chunk("stop"), **more}], named=False)).encode()


# By the name of a model: streams that servers send, and odd ones.
STREAMS = {
    "text": _usual({"role": "assistant", "content": ""}, *[{"content": piece} for piece in TEXT]),
    "usage": "".join(_body(ANSWER, named=False)).encode(),
    "tools": "".join(_body(TOOL_CALL, named=False)).encode(),
    "reasoning": _usual({"reasoning_content": "Well, "}, {"reasoning_content": "so."}, {"content": "Yes"}),
    "reasoning-2": _usual({"reasoning": "Well."}, {"content": "Yes"}),
    "think": _usual(
        {"content": "<think>"}, {"content": "Well."}, {"content": "</think>"}, {"content": "Yes"}
    ),
    "special-tokens": _usual({"content": "a<|im"}, {"content": "_end|>"}, {"content": "b"}),
    "refusal": _usual({"content": None, "refusal": "No."}),
    "unknown-fields": _usual({"content": "a", "mood": {"x": [1]}}, service_tier="default", more=1),
    "wrong-types": _usual({"content": 1}, {"content": ["a"]}, {"content": {"b": None}}),
    "no-delta": b'data: {"id": "x", "choices": [{"index": 0, "delta": null}]}\n\n' + _usual({"content": "a"}),
    "no-choices": b'data: {"id": "x", "created": 1, "model": "m"}\n\n' + _usual({"content": "a"}),
    "two-choices": _usual(
        {"content": "a"}, choices=[{"index": 1, "delta": {"content": "b"}, "finish_reason": "length"}]
    ),
    "repetition": _usual(*[{"content": "again"}] * 120),
    "error": _usual({"content": "a"}).replace(
        b"data: [DONE]", b'data: {"error": {"message": "oh", "code": 500}}'
    ),
    "error-at-once": b'data: {"error": {"message": "oh", "type": "t"}}\n\n',
    "cut-json": _usual({"content": "a"})[:-40] + b"\n\n",
    "cut": b"\n\n".join(_usual({"content": "a"}, {"content": "b"}).split(b"\n\n")[:2]) + b"\n\n",
    "comments": b": ping\r\n\r\n" + _usual({"content": "a"}).replace(b"\n", b"\r\n"),
    "empty": b"",
}


async def _complete(request: Request) -> StreamingResponse:
    body = await request.json()
    assert body["stream"] is True
    if body["model"] in STREAMS:
        return StreamingResponse(iter([STREAMS[body["model"]]]), media_type="text/event-stream")
    events = TOOL_CALL if body.get("tools") else ANSWER
    return StreamingResponse(_body(events, named=False), media_type="text/event-stream")


async def _respond(request: Request) -> StreamingResponse:
    assert (await request.json())["stream"] is True
    return StreamingResponse(_body(RESPONSE, named=True), media_type="text/event-stream")


openai_api = Starlette(
    routes=[
        Route("/v1/chat/completions", _complete, methods=["POST"]),
        Route("/v1/responses", _respond, methods=["POST"]),
    ]
)

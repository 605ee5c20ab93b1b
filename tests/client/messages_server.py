"""A server on the loopback interface that records requests, and one way to call it with each client."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from ssejet import AsyncClient, Client
from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": '{"city": "Paris"}'}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"city": '}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"Paris"}'}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}
CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}


@dataclass
class Asked:
    """A request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Server:
    """The server.

    Attributes:
        url: its URL, without a path.
        asked: the requests.
        replies: what is sent instead of an answer, while there are any left.
        refuses: parameters for which a request gets an error, as Mistral's API does.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    replies: list[Response] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.json()
        self.asked.append(Asked(scope["path"], dict(request.headers), body))
        await self._reply(scope["path"], body)(scope, receive, send)

    def _reply(self, path: str, body: dict[str, Any]) -> Response:
        if self.replies:
            return self.replies.pop(0)
        if refused := self.refuses & body.keys():
            detail = [{"type": "extra_forbidden", "loc": ["body", name]} for name in sorted(refused)]
            return JSONResponse({"object": "error", "message": {"detail": detail}}, 422)
        if not body.get("stream"):
            return JSONResponse(MESSAGE if path.endswith("/messages") else COMPLETION)
        if path.endswith("/messages"):
            return events_response(EVENTS)
        return Response(f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n", media_type="text/event-stream")


def events_response(events: list[dict[str, Any]]) -> Response:
    """A response with the events of a Messages stream."""
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Response(text, media_type="text/event-stream")


def serve() -> Iterator[Server]:
    server = Server()
    with loopback_server(Starlette(routes=[Mount("/", server)])) as server.url:
        yield server


def sync_call(make: Callable[[type[Client]], Client], use: Callable[[Any], Any]) -> Any:
    """What a call gives with a ``Client``."""
    with make(Client) as client:
        return use(client)


def async_call(backend: str, make: Callable[[Any], Any], use: Callable[[Any], Any]) -> Any:
    """What a call gives with an ``AsyncClient``."""

    async def main() -> Any:
        async with make(AsyncClient) as client:
            return await use(client)

    return anyio.run(main, backend=backend)

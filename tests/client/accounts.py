"""An OpenAI-compatible server on the loopback interface, with an account for each test."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount

from servers import Answer
from ssejet import encode
from ssejet.testing._endpoints.choices import ChatCompletions, Completions
from ssejet.testing._endpoints.messages import Messages
from ssejet.testing._endpoints.responses import Responses

if TYPE_CHECKING:
    from servers import Step
    from ssejet.testing._endpoints.base import StatelessEndpoint

TEXT = "Hello there, my friend."
"""The default answer of the server."""

_ENDPOINTS = {endpoint.path: endpoint for endpoint in (ChatCompletions(), Completions(), Responses())}
_ENDPOINTS["/messages"] = Messages()  # its path is below a URL without the version


@dataclass
class Account:
    """What the server does for one test, and the requests that it got.

    Attributes:
        url: the base URL.
        answer: what is said, or the fields of the answer.
        replies: what is sent in place of it, request by request, while there are any left.
        requests: what was asked.
        asked: set once anything was.
        connections: the client's end of each connection.
    """

    url: str
    answer: str | dict[str, Any] = TEXT
    replies: list[Answer] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    connections: set[Any] = field(default_factory=set)

    def reply(
        self,
        *steps: Step,
        status: int = 200,
        content_type: str = "text/event-stream",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Add an answer, for the next request without one."""
        answer = Answer(self.url, steps, status, {"content-type": content_type, **(headers or {})})
        self.replies.append(answer)
        return answer

    def refuse(self, status: int, body: Any = None, **headers: str) -> Answer:
        """Add an error status as an answer; underscores in the names of headers become hyphens."""
        content = json.dumps({"error": {"message": "no"}} if body is None else body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.reply(content, status=status, content_type="application/json", headers=named)

    async def __call__(self, path: str, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.json() if await request.body() else None
        query = dict(request.query_params)
        self.requests.append(
            SimpleNamespace(
                path=path, method=request.method, headers=dict(request.headers), query=query, body=body
            )
        )
        self.connections.add(tuple(scope["client"]))
        self.asked.set()
        answer = self.replies.pop(0) if self.replies else self._complete(_ENDPOINTS[path], body)
        await answer(scope, receive, send)

    def _complete(self, endpoint: StatelessEndpoint, body: dict[str, Any]) -> Any:
        fields = endpoint.from_text(self.answer) if isinstance(self.answer, str) else self.answer
        answer = endpoint.defaults(body) | fields
        if isinstance(endpoint, Messages):  # its stream needs whole blocks
            answer = endpoint.complete(fields, body)
        if not body.get("stream"):
            return JSONResponse(answer)
        steps = [_sse(item) for item in endpoint.stream(answer, body)]
        if endpoint.done:
            steps.append(encode(endpoint.done))
        return Answer(self.url, tuple(steps), 200, {"content-type": "text/event-stream"})


class API:
    """Serves the accounts."""

    def __init__(self) -> None:
        self.base = ""
        self.app = Starlette(routes=[Mount("/", self._serve)])
        self._accounts: dict[str, Account] = {}
        self._names = count()

    def open_account(self) -> Account:
        name = str(next(self._names))
        account = self._accounts[name] = Account(f"{self.base}/{name}/v1")
        return account

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        name, _, path = scope["path"][1:].partition("/v1")
        await self._accounts[name](path, scope, receive, send)


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    """A chunk of a chat completion, as bytes of the stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return encode(json.dumps({**base, "choices": [choice]}))


DONE = encode("[DONE]")


def _sse(item: Any) -> bytes:
    if isinstance(item, dict):
        return encode(json.dumps(item))
    return encode(json.dumps(item.data), event=item.event)

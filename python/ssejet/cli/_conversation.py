"""The routes of the chat page: conversations whose answers are logs of a hub."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ssejet.emit import AsyncEventStream
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from ssejet import ServerSentEvent
    from ssejet.hub import AsyncHub

__all__ = ["conversation_routes", "parse_number"]

# The names that the page makes with `crypto.randomUUID()`, because nobody can guess them.
_NAME = re.compile(r"[0-9A-Za-z_-]{8,64}", re.ASCII)

_LONGEST_QUESTION = 10_000

# The most digits in a number from a client.
_LONGEST_NUMBER = 20

# In seconds. When a worker is killed, the followers of its answers get an error after this time.
_LEASE = 5.0


def conversation_routes(
    hub: AsyncHub, answer_events: Callable[[], AsyncIterator[ServerSentEvent]], *, fail_after: int | None
) -> list[Route]:
    """Make the routes.

    A conversation is a log of questions. Each question names its answer, which is a log of its own with one
    producer. A page follows the questions, and each answer.

    Args:
        hub: keeps the logs.
        answer_events: makes the events of an answer.
        fail_after: the number of events after which the connection to an answer breaks, None for never;
            ``?fail_after=N`` in a request goes before it.
    """

    async def ask(request: Request) -> Response:
        chat = _name_in(request.path_params["chat"])
        try:
            question = await request.json()
            answer, text, replaced = question["answer"], question["text"], question.get("replaces")
            texts = [answer, text, replaced or answer]
            if not all(isinstance(each, str) for each in texts) or len(text) > _LONGEST_QUESTION:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise HTTPException(400, "a question has an `answer` and a `text`") from None
        # Of all requests with the same answer, one starts it, so a page may send its question again.
        await hub.start(_answer_key(answer), answer_events, lease=_LEASE)
        event = {"answer": answer, "text": text, "replaces": replaced, "process": os.getpid()}
        await hub.publish(_chat_key(chat), event, event="question")
        return JSONResponse(event)

    async def questions(request: Request) -> Response:
        return hub.response(_chat_key(request.path_params["chat"]), request, headers=_process())

    async def follow(request: Request) -> Response:
        key = _answer_key(request.path_params["answer"])
        if await hub.status(key) == "missing":
            raise HTTPException(404, "the server no longer has this answer")
        breaks_after = parse_number(request.query_params.get("fail_after", ""), fail_after)
        if not breaks_after:
            return hub.response(key, request, headers=_process())
        events = hub.follow(key, last_event_id=request.headers.get("last-event-id", ""))
        stream = AsyncEventStream(events, done=None, heartbeat=15.0, fail_after=breaks_after)
        return EventStreamResponse(stream, headers=_process())

    async def stop(request: Request) -> Response:
        await hub.stop(_answer_key(request.path_params["answer"]))
        return Response(status_code=204)

    return [
        Route("/chats/{chat}/questions", ask, methods=["POST"]),
        Route("/chats/{chat}/events", questions),
        Route("/answers/{answer}/events", follow),
        Route("/answers/{answer}/stop", stop, methods=["POST"]),
    ]


def parse_number(text: str, default: Any) -> Any:
    """Parse a number from a client; the default if it is not one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else default


def _chat_key(chat: str) -> str:
    return f"chat:{_name_in(chat)}"


def _answer_key(answer: str) -> str:
    return f"answer:{_name_in(answer)}"


def _name_in(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise HTTPException(404, "there is no such conversation or answer")
    return text


def _process() -> dict[str, str]:
    """Tell the page which process answers, so that the user can kill that process."""
    return {"X-Process": str(os.getpid())}

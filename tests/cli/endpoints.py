"""An application whose answers the command's tests know."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from models import A_LONG_TIME, ROUTES
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


EVENTS = (
    b": welcome\n\n"
    b'retry: 3000\nid: 1\nevent: price\ndata: {"symbol": "ABC", "price": 9.750}\n\n'
    b": ping\n\n"
    b"data: two\r\ndata: lines\r\n\r\n"
    + "data: é 漢 🚀\n\n".encode()
    + b'event: error\ndata: {"error": {"message": "overloaded"}}\n\n'
    b'data: {"a_rather_long_key": ["so that this text", "takes more than one line", 1, 2, null, true]}\n\n'
    b"id\ndata: [DONE]\n\n"
)


def _stream(*chunks: bytes) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return StreamingResponse(body(), media_type="text/event-stream")


async def events(_: Request) -> Response:
    return _stream(*(EVENTS[i : i + 7] for i in range(0, len(EVENTS), 7)))


async def silent(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"data: first\n\n"
        await asyncio.sleep(A_LONG_TIME)
        raise TimeoutError("the command should have left by now")

    return StreamingResponse(body(), media_type="text/event-stream")


async def broken(_: Request) -> Response:
    # Less than it announces: uvicorn then cuts the connection.
    return Response(b"data: first\n\n", headers={"Content-Type": "text/event-stream", "Content-Length": "99"})


async def hostile(_: Request) -> Response:
    return _stream(b"event: \x1b[2J\nid: \x9b\ndata: \x1b]0;owned\x07\n\n", b'data: "\\u001b[2J\\ud800"\n\n')


async def echo(request: Request) -> Response:
    body = (await request.body()).decode()
    return _stream(f"event: {request.method}\n".encode() + _data([request.headers.items(), body]))


def _data(value: Any) -> bytes:
    return b"data: " + JSONResponse(value).body + b"\n\n"


async def resuming(request: Request) -> Response:
    """Five events, two by connection; one answer in between is that of a server that is starting."""
    last = int(request.headers.get("last-event-id", "0"))
    visit = (request.query_params["visitor"], last)
    if last == 5:
        return Response(status_code=204)
    if last == 2 and visit not in _visits:
        _visits.add(visit)
        return Response(status_code=503)
    return _stream(*(f"retry: 1\nid: {n}\ndata: {n}\n\n".encode() for n in range(last + 1, min(last + 3, 6))))


_visits: set[tuple[str, int]] = set()


async def page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>not a stream</title>")


async def endless_page(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"still here"
        await asyncio.sleep(A_LONG_TIME)

    return StreamingResponse(body(), media_type="text/plain")


async def refused(_: Request) -> Response:
    return JSONResponse({"error": {"message": "no such key"}}, status_code=401)


async def down(_: Request) -> Response:
    return HTMLResponse("<html>\n  <h1>Down</h1>\r\n</html>\n", status_code=503)


async def huge(_: Request) -> Response:
    return _stream(b"data: first\n\ndata: ", *[bytes(2**20)] * 65)


async def moved(_: Request) -> Response:
    return RedirectResponse("/events")


APP = Starlette(
    routes=[
        Route("/events", events),
        Route("/silent", silent),
        Route("/broken", broken),
        Route("/hostile", hostile),
        Route("/echo", echo, methods=["GET", "POST", "PUT"]),
        Route("/resuming", resuming),
        Route("/page", page),
        Route("/endless-page", endless_page),
        Route("/refused", refused),
        Route("/moved", moved),
        Route("/down", down),
        Route("/huge", huge),
        *ROUTES,
    ]
)

"""An application for several workers of uvicorn, with a page: an answer that counts, over Redis."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

hub = AsyncHub(os.environ.get("TEST_REDIS"))

# It does not close its source at the end, so that the status 204 has to stop it.
PAGE = """<!doctype html><pre id="answer"></pre><script>
const source = new EventSource(location.pathname.replace("page", "answers"));
source.retry = 50;
source.onmessage = (event) => { document.getElementById("answer").textContent += event.data + " "; };
source.addEventListener("end", (event) => { document.title = JSON.parse(event.data).reason; });
</script>"""


async def count() -> AsyncIterator[int]:
    for number in range(40):
        await asyncio.sleep(0.05)
        yield number


async def page(_: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def answers(request: Request) -> Any:
    key = request.path_params["key"]
    if await hub.start(key, count):
        await hub.publish("runs", key)
    response = hub.response(key, request, headers={"X-Worker": str(os.getpid())})
    await hub.publish("requests", request.headers.get("last-event-id") or "first")
    return response


async def stop(request: Request) -> JSONResponse:
    await hub.stop(request.path_params["key"])
    return JSONResponse(os.getpid())


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    async with hub:
        yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/page/{key}", page),
        Route("/answers/{key}", answers),
        Route("/answers/{key}", stop, methods=["DELETE"]),
    ],
)

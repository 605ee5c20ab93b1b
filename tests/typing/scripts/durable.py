from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from ssejet.hub import AsyncHub, durable_streams

hub = AsyncHub()
streams = durable_streams.app(hub, default_ttl=3600, allow_origins=["https://app.example"])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
    async with hub:
        yield


app = Starlette(
    routes=[Mount("/streams", streams), Mount("/answers", durable_streams.answers(hub, sse_lifetime=30))],
    lifespan=lifespan,
)

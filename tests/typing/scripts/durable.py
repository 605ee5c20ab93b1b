from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from ssejet.hub import AsyncHub, durable_streams

hub = AsyncHub()
streams = durable_streams.app(hub, default_ttl=3600, allow_origins=["https://app.example"])
app = Starlette(
    routes=[Mount("/streams", streams), Mount("/answers", durable_streams.answers(hub, sse_lifetime=30))],
    lifespan=lambda _: hub,
)

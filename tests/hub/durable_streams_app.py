"""Durable Streams for tests: over memory or Redis, as an application of uvicorn."""

from __future__ import annotations

import os

from ssejet.hub import AsyncHub, durable_streams

hub = AsyncHub(os.environ.get("TEST_REDIS") or None)

app = durable_streams.app(
    hub,
    long_poll_timeout=float(os.environ.get("TEST_LONG_POLL", "2")),
    allow_origins=["*"],
)

"""The browser's own parser, on the vectors that the decoder is tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from load_vectors import all_vectors
from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from playwright.async_api import Page

    from load_vectors import Vector

pytestmark = pytest.mark.asyncio(loop_scope="session")

_LISTEN = """
async ([url, types]) => {
  const source = new EventSource(url);
  const events = [];
  for (const type of types)
    source.addEventListener(type, (event) => {
      if (event instanceof MessageEvent) events.push([event.type, event.data, event.lastEventId]);
    });
  // At its end a stream is lost, as any other is.
  await new Promise((resolve) => { source.onerror = (event) => event instanceof MessageEvent || resolve(); });
  source.close();
  return events;
}
"""


def vectors() -> list[Vector]:
    """Those for the standard's rules, without what only a decoder's options can give."""
    return [
        vector
        for vector in (parameter.values[0] for parameter in all_vectors.args[1])
        if not set(vector.options) - {"comments", "last_event_id"}
        and not vector.options.get("last_event_id")
        and vector.expected.before_end == len(vector.expected.events)
    ]


def expected(vector: Vector) -> list[list[Any]]:
    return [[event.event, event.data, event.id] for event in vector.expected.events]


async def test_the_browsers_own_event_source_gives_what_the_vectors_say(page: Page) -> None:
    served = vectors()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        name = scope["path"].removeprefix("/")
        kind = b"text/event-stream" if name.isdecimal() else b"text/html"
        body = served[int(name)].stream if name.isdecimal() else b"<!doctype html><title>test</title>"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    differences = {}
    with loopback_server(app) as url:  # type: ignore[arg-type]
        await page.goto(url)
        for number, vector in enumerate(served):
            types = sorted({event.event or "" for event in vector.expected.events} | {"message"})
            found = await page.evaluate(_LISTEN, [f"{url}/{number}", types])
            if found != expected(vector):
                differences[vector.name] = found
    # Chromium takes a line that is nothing but a byte order mark for a field of that name.
    assert differences == {"a BOM before a blank line is stripped": []}

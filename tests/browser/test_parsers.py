"""The page's parser and the browser's own, on the vectors that the decoder is tested with."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from playbacks import chat

from load_vectors import all_vectors
from ssejet.cli._playback import playback_app
from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from playwright.async_api import Page

    from load_vectors import Vector

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PARSE = """
async ([streams, size]) => {
  const { EventStreamParser } = await import("/parser.js");
  return streams.map((stream) => {
    const bytes = Uint8Array.from(atob(stream), (character) => character.charCodeAt(0));
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    const events = [];
    for (let start = 0; start < bytes.length; start += size)
      events.push(...parser.push(decoder.decode(bytes.subarray(start, start + size), { stream: true })));
    return events.map((event) => [event.type, event.data, event.lastEventId]);
  });
}
"""

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


async def test_the_pages_parser_gives_what_the_vectors_say_however_the_bytes_are_cut(page: Page) -> None:
    streams = [base64.b64encode(vector.stream).decode() for vector in vectors()]
    with loopback_server(playback_app(chat("a"))) as url:
        await page.goto(url)
        for size in (1, 2, 3, 1000):
            found = await page.evaluate(_PARSE, [streams, size])
            differences = {
                vector.name: (events, expected(vector))
                for vector, events in zip(vectors(), found, strict=True)
                if events != expected(vector)
            }
            assert differences == {}


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

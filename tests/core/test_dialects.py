"""The peers' dialects against the peers themselves, on streams that they read as the standard does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import httpx_sse
import pytest
from hypothesis import assume, example, given

import reference
import strategies
from reference import Event
from ssejet import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTENT_TYPE = {"content-type": "text/event-stream"}


def _httpx_sse(stream: bytes) -> list[Event]:
    response = httpx.Response(200, headers=_CONTENT_TYPE, content=stream)
    return [_event(event) for event in httpx_sse.EventSource(response).iter_sse()]


def _httpx2(stream: bytes) -> list[Event]:
    request = httpx2.Request("GET", "http://localhost/")
    response = httpx2.Response(200, headers=_CONTENT_TYPE, content=stream, request=request)
    return [_event(event) for event in httpx2.EventSource(response, max_event_size=None)]


def _event(event: Any) -> Event:
    return Event(event.event, event.data, event.id, event.retry)


def _is_read_by_the_peers_as_by_the_standard(stream: bytes) -> bool:
    """Whether there is no BOM to strip, and no number that Python takes and the standard does not."""
    if stream.startswith(b"\xef\xbb\xbf"):
        return False
    for line in stream.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        if name == "retry":
            try:
                retry = int(value.removeprefix(" "))
            except ValueError:
                continue
            if not value.removeprefix(" ").isdecimal() or not value.isascii() or retry > reference.RETRY_MAX:
                return False
    return True


@pytest.mark.parametrize(("dialect", "peer"), [("httpx-sse", _httpx_sse), ("httpx2", _httpx2)])
@given(stream=strategies.streams())
@example(stream=b"id: 1\n\n\n\ndata: a\n\nretry: 5\n\nevent\n\nevent: e\n\nid\n\n\n\n:c\n\n")
def test_a_dialect_gives_what_its_peer_gives(
    dialect: str, peer: Callable[[bytes], list[Event]], stream: bytes
) -> None:
    assume(_is_read_by_the_peers_as_by_the_standard(stream))
    # At the end of the stream, httpx2 takes a CR for the end of a line and of the event.
    assume(dialect != "httpx2" or not stream.endswith(b"\r"))
    decoder = Decoder(dialect=dialect)
    events = decoder.feed(stream)
    assert decoder.finish() == []
    assert [_event(event) for event in events] == peer(stream)

"""Bodies that are labelled as event streams, or sent in their place, and are something else."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

import ssejet
from drivers import NO_TLS, SyncDriver
from servers import A_LONG_TIME, Then
from ssejet import APIError, ContentTypeError, aconnect_sse, connect_sse
from ssejet.emit import arelay, relay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers import AsyncDriver
    from servers import Server

    Driver = SyncDriver | AsyncDriver

ERROR = {"error": {"message": "model not found", "type": "invalid_request_error"}}
BUSY = {"error": {"message": "busy", "type": "overloaded_error"}}
BOM = b"\xef\xbb\xbf"

ERRORS = {
    "JSON": json.dumps(ERROR).encode(),
    "JSON over several lines": json.dumps(ERROR, indent=2).encode() + b"\n",
    "JSON after a byte order mark": BOM + json.dumps(ERROR).encode(),
    "JSON after white space": b"\r\n  \n " + json.dumps(ERROR).encode(),
    "an array of JSON": json.dumps([ERROR]).encode(),
    "lines of JSON": b'{"text": "a"}\n' + json.dumps(ERROR).encode() + b"\n",
    "long JSON": json.dumps(ERROR | {"details": "x" * 5000}).encode(),
}
OTHERS = {
    "HTML": b"<!doctype html><title>502 Bad Gateway</title>\n",
    "HTML after a byte order mark": BOM + b"<html><h1>502 Bad Gateway</h1>",
    "XML": b"<?xml version='1.0'?>\n<error>502 Bad Gateway</error>",
    "plain text": b"502 Bad Gateway",
    "plain text with a colon": b"upstream: 502 Bad Gateway\n\n",
    "lines of JSON": b'{"text": "502 Bad Gateway"}\n{"text": "b"}\n',
    "JSON over several lines": b'{\n  "data": "502 Bad Gateway",\n  "id": 7\n}\n',
    "fields after white space": b"  data: 502 Bad Gateway\n\n",
}
STREAMS = {
    "nothing": b"",
    "a byte order mark": BOM,
    "blank lines": b"\n\n\r\n",
    "a comment": b": 502\n",
    "a comment after a byte order mark": BOM + b":\n\n",
    "a retry": b"retry: 5\n\n",
    "an id": b"id: 5\n\n",
    "an unfinished event": b"data: 5",
    "a field without a value": b"data",
    "the start of a field": b"da",
    "the start of a field after a byte order mark": BOM + b"retr",
    "the start of a byte order mark": BOM[:2],
    "the start of a field after a blank line": b"\n\nev",
    "a comment after another line": b"hello\n: there\n",
}


def read(driver: Driver, url: str, kind: str, **options: Any) -> list[Any]:
    """All that comes by one of the ways to read."""
    if kind == "stream":
        return driver.read(url, **options)[0].result()
    if isinstance(driver, SyncDriver):
        with driver.http.Client(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            if kind == "subscription":
                with ssejet.subscribe(url, client=client, reconnection_time=0, **options) as events:
                    return list(events)
            with connect_sse(client, "GET", url) as source:
                return list(source)

    async def main() -> list[Any]:
        async with driver.http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            if kind == "subscription":
                async with ssejet.asubscribe(url, client=client, reconnection_time=0, **options) as events:
                    return [event async for event in events]
            async with aconnect_sse(client, "GET", url) as source:
                return [event async for event in source]

    return anyio.run(main, backend=driver.backend)


@pytest.mark.parametrize("kind", ["stream", "source", "subscription"])
class TestABodyThatIsNoEventStream:
    @pytest.mark.parametrize("body", ERRORS.values(), ids=ERRORS)
    def test_raises_the_error_that_it_reports(
        self, driver: Driver, server: Server, kind: str, body: bytes
    ) -> None:
        for steps in ([body], [body[:1], body[1:7], body[7:]]):
            answer = server.answer(*steps)
            with pytest.raises(APIError, match="model not found") as caught:
                read(driver, answer.url, kind)
            assert not caught.value.retryable
            assert len(answer.requests) == 1

    @pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
    def test_raises_an_error_that_shows_its_beginning(
        self, driver: Driver, server: Server, kind: str, body: bytes
    ) -> None:
        for steps in ([body], [body[:1], body[1:7], body[7:]]):
            answer = server.answer(*steps)
            with pytest.raises(ContentTypeError, match="502 Bad Gateway") as caught:
                read(driver, answer.url, kind)
            assert caught.value.body == body
            assert "is no event stream" in str(caught.value)
            assert len(answer.requests) == 1

    @pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS)
    def test_is_not_a_stream_without_events(
        self, driver: Driver, server: Server, kind: str, body: bytes
    ) -> None:
        options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
        assert read(driver, server.answer(body).url, kind, **options) == []

    def test_may_be_endless(self, driver: Driver, server: Server, kind: str) -> None:
        line = b'{"token": "' + b"x" * 1000 + b'"}\n'
        with pytest.raises(ContentTypeError) as caught:
            read(driver, server.answer(*[line] * 70, Then.HANG).url, kind)
        assert caught.value.body == line[:1024] + line[: 1024 - len(line)]


@pytest.mark.parametrize("start", [b": waiting\n\n", b": one\n: two\n\n", b"retry: 3000\n\n", b"id: 1\n\n"])
@pytest.mark.parametrize("kind", ["stream"])
def test_an_error_may_come_after_signs_of_life(
    driver: Driver, server: Server, start: bytes, kind: str
) -> None:
    answer = server.answer(start + json.dumps(ERROR).encode())
    with pytest.raises(APIError, match="model not found"):
        read(driver, answer.url, kind)
    answer = server.answer(start + b"<html>502 Bad Gateway</html>\n")
    with pytest.raises(ContentTypeError, match="502 Bad Gateway"):
        read(driver, answer.url, kind)


@pytest.mark.parametrize("kind", ["stream", "source"])
def test_lines_of_something_else_after_an_event_are_ignored(
    driver: Driver, server: Server, kind: str
) -> None:
    answer = server.answer(b": ping\n\ndata: 1\n\n{}\n<p>\n[1]\n")
    assert len(read(driver, answer.url, kind)) == 1


@pytest.mark.parametrize("kind", ["stream", "subscription"])
def test_a_body_of_json_that_does_not_end_is_not_waited_for(
    driver: Driver, server: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.refusal._IDLE_TIME", 0.05)
    with pytest.raises(APIError, match="model not found"):
        read(driver, server.answer(json.dumps(ERROR).encode(), Then.HANG).url, kind)


@pytest.mark.parametrize("kind", ["stream", "subscription"])
def test_events_after_what_looks_like_something_else_are_read_in_their_own_time(
    driver: Driver, server: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.refusal._TIME", 0.2)
    answer = server.answer(b"{}\n\n", 0.01, b"data: 1\n\n", 0.3, b"data: 2\n\n")
    options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
    items = read(driver, answer.url, kind, **options)
    assert [item.json() if kind == "subscription" else item for item in items] == [1, 2]


def test_a_subscription_tries_again_if_the_error_is_a_passing_one(driver: Driver, server: Server) -> None:
    answer = server.answer(json.dumps(BUSY).encode())
    with pytest.raises(APIError, match="busy"):
        read(driver, answer.url, "subscription", max_attempts=3)
    assert len(answer.requests) == 3


async def relayed(url: str, **options: Any) -> bytes:
    with httpx.Client(verify=NO_TLS) as client:
        response = client.send(client.build_request("GET", url), stream=True)  # noqa: ASYNC212
        return b"".join(relay(response, **options))


async def arelayed(url: str, **options: Any) -> bytes:
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        response = await client.send(client.build_request("GET", url), stream=True)
        return b"".join([piece async for piece in arelay(response, **options)])


@pytest.mark.parametrize("verbatim", [True, False])
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/html", None])
@pytest.mark.parametrize(
    ("body", "expected"),
    [*((body, "model not found") for body in ERRORS.values()), (OTHERS["HTML"], "interrupted")],
    ids=[*ERRORS, "HTML"],
)
@pytest.mark.parametrize("pass_on", [relayed, arelayed])
async def test_a_relay_tells_its_clients(
    server: Server,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    expected: str,
    content_type: str | None,
    verbatim: bool,
    pass_on: Callable[..., Awaitable[bytes]],
) -> None:
    sent = await pass_on(server.answer(body[:3], body[3:], content_type=content_type).url, verbatim=verbatim)
    (event,) = ssejet.Decoder().feed(sent)
    assert event.event == "error"
    assert expected in event.json()["error"]["message"]
    assert "502" not in event.data
    warnings = [record.levelno for record in caplog.records if "no event stream: HTTP" in record.message]
    assert warnings == [logging.WARNING]


@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS)
async def test_a_relay_passes_on_what_has_no_events(server: Server, body: bytes) -> None:
    assert await relayed(server.answer(body).url) == body

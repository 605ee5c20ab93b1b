"""Bodies that are labelled as event streams, or sent in their place, and are something else."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

import ssejet
from drivers import NO_TLS, FakeResponse, SyncDriver
from http_libraries import aopened, opened
from servers import A_LONG_TIME, Then
from ssejet import APIError, ContentTypeError, aconnect_sse, connect_sse
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream
from ssejet.emit import arelay, relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from drivers import AsyncDriver
    from servers import Server

    Driver = SyncDriver | AsyncDriver

# A fault belongs to a library, a kind of reader or a body, or to two of them together: a library has its own
# chunks of a body, and a reader its own way to refuse one.
pytestmark = [pytest.mark.slow, pytest.mark.pairs]

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
    def test_a_body_that_is_no_event_stream_raises_the_error_that_it_reports(
        self, driver: Driver, server: Server, kind: str, body: bytes
    ) -> None:
        for steps in ([body], [body[:1], body[1:7], body[7:]]):
            answer = server.answer(*steps)
            with pytest.raises(APIError, match="model not found") as caught:
                read(driver, answer.url, kind)
            assert not caught.value.retryable
            assert len(answer.requests) == 1

    @pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
    def test_a_body_that_is_no_event_stream_raises_an_error_that_shows_its_beginning(
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
    def test_a_stream_without_events_is_no_error_of_the_body(
        self, driver: Driver, server: Server, kind: str, body: bytes
    ) -> None:
        options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
        assert read(driver, server.answer(body).url, kind, **options) == []

    def test_a_body_that_is_no_event_stream_may_be_endless(
        self, driver: Driver, server: Server, kind: str
    ) -> None:
        line = b'{"token": "' + b"x" * 1000 + b'"}\n'
        with pytest.raises(ContentTypeError) as caught:
            read(driver, server.answer(*[line] * 70, Then.HANG).url, kind)
        assert caught.value.body == line[:1024] + line[: 1024 - len(line)]


SIGNS_OF_LIFE = {
    "a comment": b": waiting\n\n",
    "comments": b": one\n: two\r\n\r\n:\r\r",
    "comments after a byte order mark": BOM + b": waiting\n\n",
    "a retry": b"retry: 3000\n\n",
    "an id": b"id: 1\n\n",
    "a type": b"event: start\n\n",
    "a field that the standard does not know": b": waiting\nserver: a-7\n\n",
    "blank lines": b"\n\n\r\n",
    "more comments than are kept": b": waiting\n\n" * 9000,
}
OTHERS_AFTERWARDS = {
    name: OTHERS[name] for name in ("HTML", "XML", "plain text", "plain text with a colon")
} | {
    "a sentence": b"Error: 502 Bad Gateway",
    "a sentence of several lines": b"It is a\n502 Bad Gateway\n\n",
    "text that looks like a field of an error": b"ValueError: 502 Bad Gateway\n",
}
AFTER_EVENTS = {
    "JSON": json.dumps(ERROR).encode(),
    "JSON and blank lines": json.dumps(ERROR).encode() + b"\n\n",
    "JSON over several lines": json.dumps(ERROR, indent=2).encode(),
    "JSON after a comment": b": ping\n\n" + json.dumps(ERROR).encode(),
    "JSON before a comment": json.dumps(ERROR).encode() + b"\n: ping\n",
    "JSON after many comments": b": ping\n\n" * 9000 + json.dumps(ERROR).encode(),
    "an array of JSON": json.dumps([ERROR]).encode(),
    "an event without its end": b"data: " + json.dumps(ERROR).encode() + b"\n",
    "an event without the end of its line": b"data: " + json.dumps(ERROR).encode(),
    "an event of type error without its end": b"event: error\ndata: model not found\n",
}
CUTS = {
    "whole": lambda body: [body],
    "bytes": lambda body: [body[index : index + 1] for index in range(len(body))],
    "sevens": lambda body: [body[index : index + 7] for index in range(0, len(body), 7)],
}


def cut(body: bytes, name: str) -> list[bytes]:
    """A body in pieces; a long one is cut only near its end."""
    start = max(0, len(body) - 500)
    return [*filter(None, [body[:start]]), *CUTS[name](body[start:])]


@pytest.mark.parametrize("start", SIGNS_OF_LIFE.values(), ids=SIGNS_OF_LIFE)
@pytest.mark.parametrize("kind", ["stream", "source", "subscription"])
class TestAfterSignsOfLife:
    def test_after_signs_of_life_an_error_is_the_one_that_it_reports(
        self, driver: Driver, server: Server, start: bytes, kind: str
    ) -> None:
        answer = server.answer(*cut(start + ERRORS["JSON"], "sevens"))
        with pytest.raises(APIError, match="model not found"):
            read(driver, answer.url, kind)
        assert len(answer.requests) == 1

    def test_after_signs_of_life_something_else_raises_an_error_that_shows_it(
        self, driver: Driver, server: Server, start: bytes, kind: str
    ) -> None:
        body = OTHERS_AFTERWARDS["plain text"]
        with pytest.raises(ContentTypeError, match="502 Bad Gateway") as caught:
            read(driver, server.answer(start + body).url, kind)
        assert caught.value.body == body

    def test_after_signs_of_life_nothing_is_no_error(
        self, driver: Driver, server: Server, start: bytes, kind: str
    ) -> None:
        options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
        assert read(driver, server.answer(start).url, kind, **options) == []

    def test_after_signs_of_life_events_are_read_whatever_came_before_them(
        self, driver: Driver, server: Server, start: bytes, kind: str
    ) -> None:
        options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
        body = start + b"{}\nhello there\n\ndata: 1\n\n<html>\n{}\n"
        assert len(read(driver, server.answer(*cut(body, "sevens")).url, kind, **options)) == 1


@pytest.mark.parametrize("body", OTHERS_AFTERWARDS.values(), ids=OTHERS_AFTERWARDS)
@pytest.mark.parametrize("kind", ["stream", "source", "subscription"])
def test_something_else_of_any_kind_is_found_after_comments(
    driver: Driver, server: Server, body: bytes, kind: str
) -> None:
    with pytest.raises(ContentTypeError, match="502 Bad Gateway") as caught:
        read(driver, server.answer(b": waiting\n\n", body).url, kind)
    assert caught.value.body == body


@pytest.mark.parametrize("kind", ["stream", "subscription"])
def test_an_error_after_signs_of_life_is_not_waited_for(
    driver: Driver, server: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.typed._refusal._IDLE_TIME", 0.05)
    answer = server.answer(b": waiting\n\n", json.dumps(ERROR).encode(), Then.HANG)
    with pytest.raises(APIError, match="model not found"):
        read(driver, answer.url, kind)


@pytest.mark.parametrize("kind", ["stream", "source", "subscription"])
def test_an_error_after_an_event_is_no_error_of_the_body(driver: Driver, server: Server, kind: str) -> None:
    options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
    answer = server.answer(b": ping\n\ndata: 1\n\n", b"{}\n<html>502 Bad Gateway</html>\n")
    assert len(read(driver, answer.url, kind, **options)) == 1


def test_a_decoder_with_events_without_data_is_believed(driver: Driver, server: Server) -> None:
    answer = server.answer(b"event: start\n\n", json.dumps(ERROR).encode())

    def sync() -> list[Any]:
        with driver.http.Client(verify=NO_TLS) as client, opened(client, answer.url) as response:
            return list(ssejet.EventSource(response, decoder=ssejet.Decoder(dialect="httpx2")))

    async def main() -> list[Any]:
        async with (
            driver.http.AsyncClient(verify=NO_TLS) as client,
            aopened(client, answer.url) as response,
        ):
            source = ssejet.EventSource(response, decoder=ssejet.Decoder(dialect="httpx2"))
            return [event async for event in source]

    events = sync() if isinstance(driver, SyncDriver) else anyio.run(main, backend=driver.backend)
    assert [event.event for event in events] == ["start"]


@pytest.mark.parametrize("end", AFTER_EVENTS.values(), ids=AFTER_EVENTS)
class TestAnErrorAtTheEnd:
    def test_an_error_at_the_end_comes_after_the_items(
        self, driver: Driver, server: Server, end: bytes
    ) -> None:
        body = b"data: 1\n\ndata: 2\n\n" + end
        reading = driver.read(server.answer(*cut(body, "sevens")).url)[0]
        assert reading.items == [1, 2]
        assert isinstance(reading.error, APIError)
        assert reading.error.message == "model not found"

    @pytest.mark.parametrize("cut_into", CUTS)
    @pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
    def test_an_error_at_the_end_is_found_however_the_body_is_cut(
        self, end: bytes, cut_into: str, line_end: bytes
    ) -> None:
        body = (b"data: 1\n\ndata: 2\n\n" + end).replace(b"\n", line_end)
        reading = SyncDriver(httpx).consume(FakeResponse(cut(body, cut_into)))
        assert reading.items == [1, 2]
        assert isinstance(reading.error, APIError)

    @pytest.mark.parametrize("cut_into", CUTS)
    def test_an_error_at_the_end_ends_an_answer_that_keeps_what_had_come(
        self, end: bytes, cut_into: str
    ) -> None:
        chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'
        content = iter(cut(chunk + end, cut_into))
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)
        stream = ChatCompletionStream(ssejet.Stream(response, cast_to=ChatCompletionChunk))
        with pytest.raises(APIError, match="model not found") as caught:
            stream.get_final_completion()
        assert caught.value.partial.choices[0].message.content == "Hi"

    def test_an_error_at_the_end_counts_for_nothing_after_the_sentinel(self, end: bytes) -> None:
        body = b"data: 1\n\ndata: [DONE]\n\n" + end
        assert SyncDriver(httpx).consume(FakeResponse([body])).result() == [1]


@pytest.mark.parametrize("cut_into", CUTS)
@pytest.mark.parametrize(
    "body",
    [
        b'data: 1\n\ndata: {"detail": "of a user"}\n\n',
        b'data: 1\n\ndata: {"detail": "of a user"}\n',
        b'data: 1\n\ndata: {"a": {"error": 1}}\n',
        b'data: 1\n\n{"a": {"error": 1}}',
        b'data: 1\n\n{"error": nu',
        b'data: 1\n\n{"error": 1}\n\ndata: 2\n\n',
        b'data: {"a":\ndata: {"error": 1}}\n\n',
    ],
)
def test_no_error_is_seen_at_the_end_where_there_is_none(body: bytes, cut_into: str) -> None:
    reading = SyncDriver(httpx).consume(FakeResponse(cut(body, cut_into)))
    assert reading.error is None
    assert reading.items == [event.json() for event in ssejet.Decoder().feed(body)]


@pytest.mark.parametrize("kind", ["stream", "subscription"])
def test_a_body_of_json_that_does_not_end_is_not_waited_for(
    driver: Driver, server: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.typed._refusal._IDLE_TIME", 0.05)
    with pytest.raises(APIError, match="model not found"):
        read(driver, server.answer(json.dumps(ERROR).encode(), Then.HANG).url, kind)


@pytest.mark.parametrize("kind", ["stream", "subscription"])
def test_events_after_what_looks_like_something_else_are_read_in_their_own_time(
    driver: Driver, server: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.typed._refusal._TIME", 0.2)
    answer = server.answer(b"{}\n\n", 0.01, b"data: 1\n\n", 0.3, b"data: 2\n\n")
    options = {"max_attempts": 1, "method": "POST"} if kind == "subscription" else {}
    items = read(driver, answer.url, kind, **options)
    assert [item.json() if kind == "subscription" else item for item in items] == [1, 2]


def test_a_subscription_tries_again_if_the_error_is_a_passing_one(driver: Driver, server: Server) -> None:
    answer = server.answer(json.dumps(BUSY).encode())
    with pytest.raises(APIError, match="busy"):
        read(driver, answer.url, "subscription", max_attempts=3)
    assert len(answer.requests) == 3


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body for clients of both kinds."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


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


@pytest.mark.parametrize("verbatim", [True, False])
@pytest.mark.parametrize("cut_into", ["whole", "sevens"])
@pytest.mark.parametrize("start", SIGNS_OF_LIFE.values(), ids=SIGNS_OF_LIFE)
class TestARelayAfterSignsOfLife:
    async def test_a_relay_after_signs_of_life_tells_its_clients_what_went_wrong(
        self,
        server: Server,
        caplog: pytest.LogCaptureFixture,
        start: bytes,
        cut_into: str,
        verbatim: bool,
    ) -> None:
        for body, expected in ((ERRORS["JSON"], "model not found"), (OTHERS["plain text"], "interrupted")):
            for is_async in (False, True):
                url = server.answer(*cut(start + body, cut_into)).url
                caplog.clear()
                sent = b""
                if is_async:
                    async with httpx.AsyncClient(verify=NO_TLS) as client:
                        response = await client.send(client.build_request("GET", url), stream=True)
                        sent = b"".join([piece async for piece in arelay(response, verbatim=verbatim)])
                else:
                    with httpx.Client(verify=NO_TLS) as client:
                        response = client.send(client.build_request("GET", url), stream=True)
                        sent = b"".join(relay(response, verbatim=verbatim))
                assert not verbatim or sent.startswith(start)
                (event,) = ssejet.Decoder().feed(sent)
                assert event.event == "error"
                assert expected in event.json()["error"]["message"]
                assert b"502" not in sent
                warnings = [each for each in caplog.records if "no event stream: HTTP" in each.message]
                assert [each.levelno for each in warnings] == [logging.WARNING]


@pytest.mark.parametrize("cut_into", CUTS)
@pytest.mark.parametrize(
    "unfinished", [b"data: x\n", b": ping\n\nid: 7\revent: a\rdata: {\rdata\r", b"data\r\n"]
)
@pytest.mark.parametrize("body", [ERRORS["JSON"], ERRORS["JSON over several lines"], OTHERS["HTML"]])
def test_a_relay_drops_the_unfinished_event_that_an_error_ends(
    body: bytes, unfinished: bytes, cut_into: str
) -> None:
    def response() -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=headers, stream=Pieces(cut(unfinished + body, cut_into)))

    async def arelayed() -> bytes:
        return b"".join([piece async for piece in arelay(response())])

    for sent in (b"".join(relay(response())), asyncio.run(arelayed())):
        assert [event.event for event in ssejet.Decoder().feed(sent)] == ["error"]


@pytest.mark.parametrize("start", [*SIGNS_OF_LIFE.values(), b": a comment without its end"])
async def test_a_relay_passes_signs_of_life_on_at_once(server: Server, start: bytes) -> None:
    def url() -> str:
        return server.answer(start, Then.HANG).url

    with httpx.Client(verify=NO_TLS) as client:
        response = client.send(client.build_request("GET", url()), stream=True)  # noqa: ASYNC212
        pieces = iter(relay(response, heartbeat=None))
        received = b""
        while len(received) < len(start):
            received += next(pieces)
        assert received == start
        pieces.close()
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        response = await client.send(client.build_request("GET", url()), stream=True)
        apieces = aiter(arelay(response, heartbeat=None))
        received = b""
        while len(received) < len(start):
            received += await anext(apieces)
        assert received == start
        await apieces.aclose()


@pytest.mark.parametrize("cut_into", CUTS)
@pytest.mark.parametrize(
    "body",
    [
        b": ping\n\n{}\n\ndata: 1\n\n{}",
        BOM + b": ping\r\rtext\r\n: ping\n\n",
        b"text that may be\n\ndata: 1\r\r<html>",
        b": ping\n\nx-unknown: 1\n\nda",
    ],
)
def test_a_relay_passes_everything_on_if_an_event_comes(server: Server, body: bytes, cut_into: str) -> None:
    with httpx.Client(verify=NO_TLS) as client:
        url = server.answer(*cut(body, cut_into)).url
        response = client.send(client.build_request("GET", url), stream=True)
        assert b"".join(relay(response)) == body

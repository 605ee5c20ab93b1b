from __future__ import annotations

import asyncio
import re
import socket
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import httpx2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chunks import cut
from reference import decode
from servers import Answer, Server, Then, compress
from ssejet import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    Decoder,
    EventTooLargeError,
    ServerSentEvent,
    StreamError,
    encode,
)
from ssejet.emit import arelay, relay, resume_headers
from ssejet.emit._upstream import Upstream
from strategies import BOM, chunked_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.slow

HEARTBEAT = b": keep-alive\n\n"
SOON = 0.01


class Chunks:
    """A response that is nothing but its body, of both kinds."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self.chunks = chunks
        self.error = error
        self.closed = 0

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.error is not None:
            raise self.error

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for chunk in self.iter_bytes():
            yield chunk

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


def relay_sync(response: Any, **options: Any) -> list[bytes]:
    return list(relay(response, **options))


def relay_async(response: Any, **options: Any) -> list[bytes]:
    async def read() -> list[bytes]:
        return [piece async for piece in arelay(response, **options)]

    return asyncio.run(read())


Pieces: TypeAlias = "Callable[..., list[bytes]]"


@pytest.fixture(params=[relay_sync, relay_async])
def pieces_of(request: pytest.FixtureRequest) -> Pieces:
    """Read all that a relay of this response gives."""
    return request.param


def decoded(pieces: list[bytes]) -> list[ServerSentEvent]:
    return Decoder().feed(b"".join(pieces))


# Verbatim


def test_bytes_are_passed_on_unchanged_as_they_come(pieces_of: Pieces) -> None:
    chunks = [b": comm", b"ent\n\nid: 1\r", b"\ndata: a\r\n\r\n", b"data: b\n", b"\nda", b"ta: unfinished"]
    response = Chunks(*chunks)
    assert pieces_of(response) == chunks
    assert response.closed


def test_the_data_of_the_first_event_waits_for_its_end(pieces_of: Pieces) -> None:
    chunks = [b": a\ndata: ", b"x\n", b"data: y", b"\n\nda", b"ta: z"]
    assert pieces_of(Chunks(*chunks)) == [b": a\n", b"data: x\ndata: y\n\nda", b"ta: z"]
    assert pieces_of(Chunks(*chunks[:3])) == [b": a\n", b"data: x\ndata: y"]


def test_a_long_first_event_does_not_wait_for_its_end(pieces_of: Pieces) -> None:
    chunks = [b"data: " + b"x" * 2**16, b"y" * 2**16, b"\n\n"]
    assert pieces_of(Chunks(*chunks)) == chunks


@pytest.mark.parametrize("chunks", [[b"\xef"], [b"\xef", b"\xbb"], [b"\xef\xbbx\n\n"]])
def test_bytes_that_only_begin_like_a_byte_order_mark_pass_after_a_heartbeat_too(chunks: list[bytes]) -> None:
    machine = relay(Chunks()).machine()
    assert list(machine.heartbeat()) == [HEARTBEAT]
    sent = [piece for chunk in chunks for piece in machine.feed(chunk)]
    assert b"".join([*sent, *machine.finish()]) == b"".join(chunks)


@given(chunked_streams(), st.booleans())
def test_heartbeats_are_sent_between_any_two_events_and_nowhere_else(
    chunks: list[bytes], early: bool
) -> None:
    machine = relay(Chunks()).machine()
    sent = b"".join(machine.heartbeat()) if early else b""
    received = b""
    for chunk in chunks:
        sent += b"".join(machine.feed(chunk))
        received += chunk
        beat = b"".join(machine.heartbeat())
        # After an early one, what may become a byte order mark is held back.
        assert bool(beat) == (is_between_events(received) or (early and BOM.startswith(received)))
        early = early or not received
        sent += beat
    sent += b"".join(machine.finish())
    assert decode(sent).events == decode(received).events


def is_between_events(received: bytes) -> bool:
    *lines, unterminated = re.split(b"\r\n|\n|\r", received)
    return not unterminated and (not lines or not lines[-1])


def test_heartbeats_come_while_the_other_server_is_silent(server: Server) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    with httpx.Client() as client:
        stream = relay(send(client, answer), heartbeat=SOON)
        pieces = iter(stream)
        received = b""
        while not received.endswith(2 * HEARTBEAT):
            received += next(pieces)
        assert received.replace(HEARTBEAT, b"") in (b"", b"data: a\n\n")
        stream.close()
    assert answer.left.wait(200)


def test_no_heartbeat_comes_within_an_event(server: Server) -> None:
    answer = server.answer(b"data: 0\n\ndata: a\n", 20 * SOON, b"data: b\n\n")
    with httpx.Client() as client:
        received = b"".join(relay(send(client, answer), heartbeat=SOON))
    assert received.replace(HEARTBEAT, b"") == b"data: 0\n\ndata: a\ndata: b\n\n"
    assert b"data: a\ndata: b\n\n" in received


def test_a_compressed_stream_is_relayed_decompressed(server: Server) -> None:
    answer = server.answer(compress("gzip", b"data: a\n\n" * 100), content_encoding="gzip")
    with httpx.Client() as client:
        assert b"".join(relay(send(client, answer))) == b"data: a\n\n" * 100


# Normalised


def test_events_are_decoded_and_encoded_again(pieces_of: Pieces) -> None:
    messy = (
        b"\xef\xbb\xbf: comment\r\nid:1\rdata:a\revent:x\r\r\ndata: b\n\nid\ndata: \xff\n\ndata: unfinished"
    )
    assert pieces_of(Chunks(*cut(messy, 5, 17, 30)), verbatim=False) == [
        b"event: x\nid: 1\ndata: a\n\n",
        b"data: b\n\n",
        "id: \ndata: \ufffd\n\n".encode(),
    ]


@given(chunked_streams())
def test_normalised_events_arrive_unchanged(chunks: list[bytes]) -> None:
    stream = b"".join(chunks)
    assume(decode(stream).events)  # what is no event stream is an error instead
    relayed = b"".join(relay(Chunks(*chunks), verbatim=False))
    assert decode(relayed).events == [
        event._replace(event=(event.event or "").replace("\0", "\ufffd")) for event in decode(stream).events
    ]


def test_events_may_be_mapped_and_filtered(pieces_of: Pieces) -> None:
    def transform(event: ServerSentEvent) -> Any:
        if event.data == "skip":
            return None
        return {"text": event.data} if event.data != "[DONE]" else event

    response = Chunks(*map(encode, ["a", "skip", "b", "[DONE]"]))
    assert pieces_of(response, transform=transform) == [
        b'data: {"text":"a"}\n\n',
        b'data: {"text":"b"}\n\n',
        b"data: [DONE]\n\n",
    ]


def test_an_event_over_the_limit_is_an_error_after_the_events_before_it(pieces_of: Pieces) -> None:
    response = Chunks(b"data: a\n\ndata: " + b"x" * 100 + b"\n\n")
    events = decoded(pieces_of(response, decoder=Decoder(max_event_size=50)))
    assert [event.event for event in events] == ["message", "error"]


def test_an_error_of_the_transform_is_handled_by_on_error(pieces_of: Pieces) -> None:
    def transform(event: ServerSentEvent) -> Any:
        return event if event.data == "a" else 1 / 0

    response = Chunks(b"data: a\n\ndata: b\n\ndata: a\n\n")
    events = decoded(pieces_of(response, transform=transform))
    assert [event.event for event in events] == ["message", "error"]
    with pytest.raises(ZeroDivisionError):
        pieces_of(response, transform=transform, on_error="raise")


def test_an_event_over_the_limit_is_an_error_at_once() -> None:
    class Waiting(Chunks):
        def iter_bytes(self) -> Iterator[bytes]:
            yield b"data: a\n\ndata: " + b"x" * 100
            pytest.fail("there was no need to read on")

    pieces = iter(relay(Waiting(), decoder=Decoder(max_event_size=50), on_error="raise"))
    assert next(pieces) == b"data: a\n\n"
    with pytest.raises(EventTooLargeError):
        next(pieces)


def test_verbatim_excludes_a_transform_and_a_decoder() -> None:
    for options in ({"transform": str}, {"decoder": Decoder()}):
        for function in (relay, arelay):
            with pytest.raises(ValueError, match="verbatim=True passes bytes on unchanged"):
                function(Chunks(), verbatim=True, **options)


# Ends and errors


def test_a_broken_connection_between_events_is_an_error_event(pieces_of: Pieces) -> None:
    for options in ({}, {"verbatim": False}):
        response = Chunks(b"data: a\n\n", error=httpx.ReadError("gone"))
        events = decoded(pieces_of(response, **options))
        assert [(event.event, event.data[:9]) for event in events] == [
            ("message", "a"),
            ("error", '{"error":'),
        ]
        assert response.closed


def test_a_broken_connection_within_an_event_is_raised(
    pieces_of: Pieces,
) -> None:
    response = Chunks(b"data: a\n\ndata: hal", error=httpx.ReadError("gone"))
    with pytest.raises(APIConnectionError, match="the connection broke: gone"):
        pieces_of(response)
    assert response.closed


def test_a_broken_connection_within_a_normalised_event_is_an_error_event(
    pieces_of: Pieces,
) -> None:
    response = Chunks(b"data: a\n\ndata: hal", error=httpx.ReadError("gone"))
    assert [event.event for event in decoded(pieces_of(response, verbatim=False))] == ["message", "error"]


@pytest.mark.parametrize(
    "end",
    [b'{"error": {"message": "late"}}', b'data: {"error": {"message": "late"}}', b"event: error\ndata: late"],
)
def test_an_unfinished_error_is_reported_by_a_normalising_relay_and_passed_on_by_a_verbatim_one(
    pieces_of: Pieces, end: bytes
) -> None:
    chunks = (b"data: 1\n\n", end[:20], end[20:])
    assert b"".join(pieces_of(Chunks(*chunks))).endswith(end)
    sent, error = decoded(pieces_of(Chunks(*chunks), verbatim=False))
    assert (sent.data, error.event, error.json()["error"]["message"]) == ("1", "error", "late")


def test_a_dropped_connection_is_an_error_event(server: Server) -> None:
    answer = server.answer(b"data: a\n\n", Then.DROP)
    with httpx.Client() as client:
        assert [event.event for event in decoded(list(relay(send(client, answer))))] == ["message", "error"]


def test_an_error_status_is_an_error_event_with_the_error_of_the_other_server(server: Server) -> None:
    body = b'{"error": {"message": "no credit", "code": 17}}'
    answer = server.answer(body, status=429, content_type="application/json")
    with httpx.Client() as client:
        (event,) = decoded(list(relay(send(client, answer))))
    assert event == ServerSentEvent(event="error", data='{"error":{"message":"no credit","code":17}}')


async def test_an_error_status_is_an_error_of_an_async_relay_too(server: Server) -> None:
    answer = server.answer(b"out of order", status=503, content_type="text/plain")
    async with httpx.AsyncClient() as client:
        stream = arelay(await asend(client, answer), on_error="raise")
        with pytest.raises(APIError, match="HTTP status 503: out of order"):
            await anext(aiter(stream))


@pytest.mark.slow
@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_failed_read_raises_what_a_stream_raises(server: Server, library: Any) -> None:
    answers: dict[Then, type[APIConnectionError]] = {
        Then.DROP: APIConnectionError,
        Then.HANG: APITimeoutError,
    }
    for end, error in answers.items():
        answer = server.answer(b"data: a\n\n", end)
        timeout = 1 if end is Then.HANG else 60
        with library.Client(timeout=timeout) as client, pytest.raises(error) as raised:
            list(relay(send(client, answer), on_error="raise", heartbeat=None))
        assert type(raised.value) is error
        async with library.AsyncClient(timeout=timeout) as aclient:
            stream = arelay(await asend(aclient, answer), on_error="raise", heartbeat=None)
            with pytest.raises(error) as raised:
                [piece async for piece in stream]
        assert type(raised.value) is error


@pytest.mark.parametrize("status", [200, 503])
def test_an_error_in_json_whose_body_does_not_end_is_an_error_event(server: Server, status: int) -> None:
    body = b'{"error": {"message": "no credit"}}'
    answer = server.answer(body, Then.HANG, status=status, content_type="application/json")
    with httpx.Client(timeout=None) as client:
        (event,) = decoded(list(relay(send(client, answer), heartbeat=None)))
    assert event == ServerSentEvent(event="error", data='{"error":{"message":"no credit"}}')


# Closing


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("heartbeat", [None, 100.0])
def test_the_other_connection_is_closed_when_the_reader_leaves(
    server: Server, library: Any, heartbeat: float | None
) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    with library.Client() as client:
        stream = relay(send(client, answer), heartbeat=heartbeat)
        next(iter(stream))
        stream.close()
        assert answer.left.wait(200)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_read_that_waits_is_ended_when_the_reader_leaves(server: Server, library: Any) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    before = threading.active_count()
    with library.Client(timeout=None) as client:
        stream = relay(send(client, answer), heartbeat=SOON)
        pieces = iter(stream)
        while next(pieces) != HEARTBEAT:
            pass
        assert threading.active_count() == before + 1
        stream.close()
        assert answer.left.wait(200)
        assert threading.active_count() == before


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_the_other_connection_is_closed_when_the_async_reader_leaves(
    server: Server, library: Any
) -> None:
    for heartbeat in (None, 100.0):
        answer = server.answer(b"data: a\n\n", Then.HANG)
        async with library.AsyncClient() as client:
            stream = arelay(await asend(client, answer), heartbeat=heartbeat)
            await anext(aiter(stream))
            await stream.aclose()
            assert await asyncio.to_thread(answer.left.wait, 200)


def test_a_relay_that_was_never_read_closes_its_response(server: Server) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    with httpx.Client() as client:
        relay(send(client, answer)).close()
        assert answer.left.wait(200)


def test_an_interrupt_leaves_connections_of_other_requests_alone(server: Server) -> None:
    answer = server.answer(b"data: a\n\n")
    with httpx.Client() as client:
        stream = relay(send(client, answer), heartbeat=100.0)
        assert list(stream) == [b"data: a\n\n"]
        response = send(client, answer)  # on the same connection
        stream.close()
        stream.interrupt()
        assert response.read() == b"data: a\n\n"
    assert len(answer.connections) == 1


def test_an_interrupt_between_two_reads_leaves_the_socket_alone() -> None:
    ours, theirs = socket.socketpair()

    class Wire:
        """A network stream."""

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            pytest.fail("nothing is read")

        def get_extra_info(self, _: str) -> Any:
            return ours

    with ours, theirs:
        wire = Wire()
        response: Any = Chunks(b"data: a\n\n", b"data: b\n\n")
        response.http_version = "HTTP/1.1"
        response.extensions = {"network_stream": wire}
        response.is_closed = False
        upstream = Upstream(response)
        chunks = iter(upstream)
        next(chunks)
        upstream.interrupt()
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
        assert list(chunks) == []
        assert response.closed
        assert vars(wire) == {}


@pytest.mark.parametrize("heartbeat", [None, 100.0])
def test_another_thread_can_close_a_relay_that_waits(server: Server, heartbeat: float | None) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    with httpx.Client(timeout=None) as client:
        stream = relay(send(client, answer), heartbeat=heartbeat)
        pieces: list[bytes] = []
        begun = threading.Event()

        def read() -> None:
            for piece in stream:
                pieces.append(piece)
                begun.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert begun.wait(200)
        stream.close()
        thread.join(200)
        assert not thread.is_alive()
        assert answer.left.wait(200)
    assert pieces == [b"data: a\n\n"]


async def test_another_task_can_close_a_relay_that_waits(server: Server) -> None:
    for heartbeat in (None, 100.0):
        answer = server.answer(b"data: a\n\n", Then.HANG)
        async with httpx.AsyncClient(timeout=None) as client:
            stream = arelay(await asend(client, answer), heartbeat=heartbeat)
            pieces = aiter(stream)
            assert await anext(pieces) == b"data: a\n\n"
            waiting = asyncio.create_task(anext(pieces, None))
            await asyncio.sleep(SOON)
            await stream.aclose()
            assert await waiting is None
            assert await asyncio.to_thread(answer.left.wait, 200)


@pytest.mark.parametrize("heartbeat", [None, 100.0])
async def test_a_read_after_a_cancelled_one_raises(server: Server, heartbeat: float | None) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    async with httpx.AsyncClient() as client:
        pieces = aiter(arelay(await asend(client, answer), heartbeat=heartbeat))
        assert await anext(pieces) == b"data: a\n\n"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(pieces), SOON)
        with pytest.raises(StreamError, match="an earlier read of this event stream was cancelled"):
            await anext(pieces)
        assert await asyncio.to_thread(answer.left.wait, 200)


@pytest.fixture
def go_on(long_drain: None) -> threading.Event:
    """What a server waits for before it ends a response. A reader that closes it waits for that end."""
    return threading.Event()


@pytest.mark.usefixtures("long_drain")
@pytest.mark.parametrize("library", [httpx, httpx2])
def test_the_connection_is_used_again_if_the_reader_leaves_at_the_sentinel(
    server: Server, library: Any, go_on: threading.Event
) -> None:
    answer = server.answer(b"data: [DONE]\n\n", go_on, b": end\n\n")
    with library.Client() as client:
        for _ in range(2):
            stream = relay(send(client, answer), heartbeat=None)
            assert next(iter(stream)) == b"data: [DONE]\n\n"
            go_on.set()
            stream.close()
            go_on.clear()
    assert len(answer.connections) == 1


@pytest.mark.usefixtures("long_drain")
@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_the_connection_is_used_again_if_the_async_reader_leaves_at_the_sentinel(
    server: Server, library: Any, go_on: threading.Event
) -> None:
    answer = server.answer(b"data: [DONE]\n\n", go_on, b": end\n\n")
    async with library.AsyncClient() as client:
        for _ in range(2):
            stream = arelay(await asend(client, answer), heartbeat=None)
            assert await anext(aiter(stream)) == b"data: [DONE]\n\n"
            go_on.set()
            await stream.aclose()
            go_on.clear()
    assert len(answer.connections) == 1


def test_the_other_kind_of_response_is_refused(server: Server) -> None:
    answer = server.answer()
    with httpx.Client() as client, pytest.raises(TypeError, match=r"are for relay\(\)"):
        arelay(send(client, answer))
    with pytest.raises(
        TypeError,
        match=r"relay\(\) needs a response with iter_bytes\(\) and close\(\).*str has no iter_bytes",
    ):
        relay("not a response")


async def test_the_other_kind_of_async_response_is_refused(server: Server) -> None:
    answer = server.answer()
    async with httpx.AsyncClient() as client:
        response = await asend(client, answer)
        with pytest.raises(TypeError, match=r"are for arelay\(\)"):
            relay(response)
        await response.aclose()


# The client's place in the stream


def test_the_last_event_id_of_the_client_is_passed_on(server: Server) -> None:
    answer = server.answer(b"")
    id = "naïve…"
    incoming = {"Last-Event-ID": id.encode().decode("latin-1")}  # as frameworks give it
    with httpx.Client() as client:
        send(client, answer, headers=resume_headers(incoming)).close()
    assert answer.requests[0]["last-event-id"].encode("latin-1").decode() == id


@pytest.mark.parametrize("headers", [{}, {"Last-Event-ID": ""}])
def test_a_client_without_a_last_event_id_adds_no_header(headers: dict[str, str]) -> None:
    assert resume_headers(headers) == {}


def send(client: Any, answer: Answer, **options: Any) -> Any:
    return client.send(client.build_request("GET", answer.url, **options), stream=True)


async def asend(client: Any, answer: Answer) -> Any:
    return await client.send(client.build_request("GET", answer.url), stream=True)

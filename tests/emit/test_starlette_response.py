from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import fastapi
import httpx
import pytest
import trio
from probes import TIMEOUT, Probe, asgi_server, eventually, leave_after
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from servers import Server, Then
from ssejet import Decoder, encode
from ssejet.cli._server import loopback_server
from ssejet.emit import AsyncEventStream, EventStream, Failure, arelay, relay
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request
    from typing_extensions import Self

pytestmark = pytest.mark.slow

HEARTBEAT = b": keep-alive\n\n"
DONE = b"event: done\ndata: [DONE]\n\n"
SOON = 0.01


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Serve an endpoint, and give its URL; it is called for each request, in the server's event loop."""

    def start(endpoint: Callable[[], Any], **options: Any) -> str:
        async def respond(_: Request) -> Any:
            response = endpoint()
            return await response if asyncio.iscoroutine(response) else response

        context = loopback_server(Starlette(routes=[Route("/", respond, methods=["GET", "POST"])], **options))
        url = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return url

    return start


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


async def words(*items: Any, error: Exception | None = None) -> AsyncIterator[Any]:
    for item in items:
        yield item
    if error is not None:
        raise error


def test_items_become_a_stream_with_the_headers_that_proxies_need(serve: Callable[..., str]) -> None:
    response = get(serve(lambda: EventStreamResponse(words("a", {"b": 1}))))
    assert response.content == b'data: a\n\ndata: {"b":1}\n\n' + DONE
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"


def test_the_caller_sets_status_and_headers(serve: Callable[..., str]) -> None:
    headers = {"cache-control": "no-store", "x-request-id": "7"}
    response = get(serve(lambda: EventStreamResponse(words(), 201, headers, done=None)))
    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-request-id"] == "7"


@pytest.mark.parametrize(
    "content",
    [
        lambda: EventStream(["a"]),
        lambda: AsyncEventStream(["a"]),
        lambda: ["a"],
        lambda: iter(["a"]),
        lambda: words("a"),
        lambda: AsyncEventStream(words("a"), cut=2),
        lambda: EventStream(["a"], heartbeat=100.0),
    ],
)
def test_content_may_be_of_any_kind(serve: Callable[..., str], content: Callable[[], Any]) -> None:
    assert get(serve(lambda: EventStreamResponse(content()))).content == b"data: a\n\n" + DONE


def test_a_head_request_gets_headers_and_the_source_is_closed_unread(serve: Callable[..., str]) -> None:
    probe = Probe()
    response = httpx.head(
        serve(lambda: EventStreamResponse(AsyncEventStream(probe.asynchronous()), heartbeat=SOON)),
        trust_env=False,
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    assert probe.given == 0


# The client leaves


def test_a_source_that_waits_is_cancelled_in_its_task(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=2)
    leave_after(serve(lambda: EventStreamResponse(probe.asynchronous())))
    assert probe.closed.wait(TIMEOUT)
    assert probe.ended_by is asyncio.CancelledError


class Generating(AsyncEventStream[str]):
    """A stream that begins with a source of its own each time it is read."""

    def __init__(self, generate: Callable[[], AsyncIterator[str]]) -> None:
        super().__init__()
        self.generate = generate  # type: ignore[method-assign]


@pytest.mark.parametrize("generates", [True, False])
def test_a_source_is_closed_in_its_task_while_a_slow_client_is_waited_for(
    serve: Callable[..., str], generates: bool
) -> None:
    probe = Probe(size=100_000)
    content = Generating(probe.asynchronous) if generates else probe.asynchronous()
    url = httpx.URL(serve(lambda: EventStreamResponse(content)))
    with socket.create_connection((url.host, url.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert eventually(probe.stands_still)
        assert not probe.closed.is_set()
    assert probe.closed.wait(TIMEOUT)
    assert probe.ended_by is GeneratorExit


def test_a_slow_client_slows_the_source_and_what_is_buffered_is_bounded(serve: Callable[..., str]) -> None:
    probe = Probe(size=10_000)
    url = httpx.URL(serve(lambda: EventStreamResponse(probe.asynchronous())))
    with socket.create_connection((url.host, url.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert eventually(probe.stands_still)
        # What two sockets hold: megabytes at most, however fast the source is.
        assert probe.given * 10_000 < 20_000_000


def test_a_source_that_never_waits_is_ended_too(serve: Callable[..., str]) -> None:
    ended = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            ended.set()

    leave_after(serve(lambda: EventStreamResponse(source())))
    assert eventually(ended.is_set)


def test_other_tasks_run_beside_a_source_that_never_waits() -> None:
    turns = 0

    async def run() -> None:
        async def source() -> AsyncIterator[str]:
            for _ in range(100_000):
                yield "x"

        async def receive() -> Any:
            nonlocal turns
            while True:
                await anyio.lowlevel.checkpoint()
                turns += 1

        async def send(message: Any) -> None: ...

        await EventStreamResponse(source())({"type": "http", "method": "GET"}, receive, send)

    anyio.run(run)
    assert turns > 20


def test_a_source_in_threads_is_closed_when_its_wait_is_over(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=1)
    url = serve(lambda: EventStreamResponse(probe.synchronous(), heartbeat=SOON))
    # A heartbeat can also come before the first item, when the source does not wait yet.
    leave_after(url, until=encode(probe.item) + HEARTBEAT)
    assert not probe.closed.wait(10 * SOON)
    probe.gate.set()
    assert probe.closed.wait(TIMEOUT)
    assert probe.ended_by is GeneratorExit


@pytest.mark.parametrize("heartbeat", [None, SOON])
@pytest.mark.parametrize("verbatim", [True, False])
def test_a_relay_closes_the_other_connection(
    serve: Callable[..., str], server: Server, heartbeat: float | None, verbatim: bool
) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    clients = []

    async def respond() -> EventStreamResponse:
        client = httpx.AsyncClient(trust_env=False)
        clients.append(client)
        upstream = await client.send(client.build_request("GET", answer.url), stream=True)
        return EventStreamResponse(arelay(upstream, verbatim=verbatim, heartbeat=heartbeat))

    received = leave_after(serve(respond), until=b"data: a\n\n" + (2 * HEARTBEAT if heartbeat else b""))
    assert received.replace(HEARTBEAT, b"") == b"data: a\n\n"
    assert answer.left.wait(TIMEOUT)
    assert eventually(lambda: clients[0]._transport._pool.connections == [])


def test_a_relay_of_a_sync_client_closes_the_other_connection(
    serve: Callable[..., str], server: Server
) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    client = httpx.Client(trust_env=False, timeout=None)

    def respond() -> EventStreamResponse:
        upstream = client.send(client.build_request("GET", answer.url), stream=True)
        return EventStreamResponse(relay(upstream, heartbeat=SOON))

    leave_after(serve(respond), until=b"data: a\n\n" + HEARTBEAT)  # so a thread waits in a read
    assert answer.left.wait(TIMEOUT)
    client.close()


def test_a_relay_whose_client_never_reads_is_closed(server: Server) -> None:
    """The client is gone before the response is begun."""
    answer = server.answer(b"data: a\n\n", Then.HANG)

    async def run() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            upstream = await client.send(client.build_request("GET", answer.url), stream=True)
            response = EventStreamResponse(arelay(upstream))
            await response({"type": "http", "method": "GET"}, gone, broken_send)
            assert upstream.is_closed

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def broken_send(message: Any) -> None:
        raise OSError("nobody there")

    asyncio.run(run())


def test_a_client_that_leaves_is_no_error_and_background_tasks_run(
    serve: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    probe = Probe(waits_after=2)
    ran = asyncio.Event()
    leave_after(serve(lambda: EventStreamResponse(probe.asynchronous(), background=BackgroundTask(ran.set))))
    assert eventually(ran.is_set)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("ending", "runs"), [("itself", 1), ("the client", 1), ("HEAD", 1), ("an event", 1), ("an exception", 0)]
)
def test_background_tasks_run_once_however_the_stream_ends(
    serve: Callable[..., str], ending: str, runs: int
) -> None:
    ran = []
    probe = Probe(waits_after=2)
    contents: dict[str, Callable[[], Any]] = {
        "itself": lambda: words("a"),
        "an event": lambda: words("a", error=ValueError()),
        "an exception": lambda: words("a", error=ValueError()),
    }
    content = contents.get(ending, probe.asynchronous)
    on_error: Any = "raise" if ending == "an exception" else "event"
    responses = iter(
        [
            EventStreamResponse(content(), background=BackgroundTask(ran.append, 1), on_error=on_error),
            EventStreamResponse(["later"]),
        ]
    )
    url = serve(lambda: next(responses))
    if ending == "the client":
        leave_after(url)
        assert eventually(lambda: ran)
    elif ending == "HEAD":
        httpx.head(url, trust_env=False)
    else:
        with contextlib.suppress(httpx.RemoteProtocolError):
            get(url)
    get(url)  # the first response has had its time
    assert eventually(lambda: len(ran) == runs)


def test_a_source_whose_cleanup_takes_too_long_is_cancelled(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.emit.starlette._response._CLEANUP_TIME", SOON)
    outcome = []

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "x" * 100_000
        finally:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                outcome.append("cancelled")
                raise

    leave_after(serve(lambda: EventStreamResponse(source())))
    assert eventually(lambda: outcome == ["cancelled"])


def test_a_client_that_leaves_is_noticed_through_middleware(serve: Callable[..., str]) -> None:
    class PassThrough(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    probe = Probe(waits_after=2)
    url = serve(lambda: EventStreamResponse(probe.asynchronous()), middleware=[Middleware(PassThrough)])
    leave_after(url)
    assert probe.closed.wait(TIMEOUT)


# A client that does not read


class FrozenClient:
    """A client that asks for a stream and never reads: its buffer is as small as it can be."""

    def __init__(self, url: str) -> None:
        address = httpx.URL(url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        self.socket.connect((address.host, address.port))
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@pytest.mark.parametrize("kind", ["asynchronous", "synchronous"])
@pytest.mark.parametrize("heartbeat", [None, SOON])
def test_a_client_that_stops_reading_has_its_stream_closed(
    serve: Callable[..., str], kind: str, heartbeat: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Probe(size=100_000)
    ran = asyncio.Event()

    def respond() -> EventStreamResponse:
        background = BackgroundTask(ran.set)
        source = getattr(probe, kind)()
        return EventStreamResponse(source, background=background, heartbeat=heartbeat, send_timeout=0.1)

    with FrozenClient(serve(respond)):
        assert probe.closed.wait(TIMEOUT)
        assert eventually(ran.is_set)
    assert [record.message for record in caplog.records] == [
        "a client has not read for 0.1 seconds: its stream is closed"
    ]


def test_a_client_that_reads_slowly_keeps_its_stream(serve: Callable[..., str]) -> None:
    items = ["x" * 100_000] * 30
    url = serve(lambda: EventStreamResponse(words(*items), send_timeout=TIMEOUT, done=None))
    with FrozenClient(url) as client:
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received += client.socket.recv(50_000)
    assert received.count(b"data: ") == len(items)


def test_a_heartbeat_that_the_client_does_not_read_ends_the_stream() -> None:
    """The source is silent, and only heartbeats fill the buffers."""
    closed = []

    async def run() -> None:
        async def source() -> AsyncIterator[str]:
            try:
                yield "a"
                await anyio.sleep_forever()
            finally:
                closed.append(True)

        async def send(message: Any) -> None:
            if message.get("body") == HEARTBEAT:
                await anyio.sleep_forever()

        response = EventStreamResponse(source(), heartbeat=SOON, send_timeout=SOON)
        await response({"type": "http", "method": "GET"}, anyio.sleep_forever, send)

    anyio.run(run)
    assert closed == [True]


@pytest.mark.parametrize("send_timeout", [0, -1.0])
def test_a_timeout_that_makes_no_sense_is_refused(send_timeout: float) -> None:
    with pytest.raises(ValueError, match="send_timeout must be a positive number of seconds, or None"):
        EventStreamResponse([], send_timeout=send_timeout)


# The beginning


async def refusing(*items: str) -> AsyncIterator[str]:
    await anyio.lowlevel.checkpoint()
    for item in items:
        yield item
    raise HTTPException(404, "no such chat", {"x-reason": "gone"})


def in_a_thread(source: Callable[..., AsyncIterator[str]]) -> Callable[..., Iterator[str]]:
    """The same source, not async."""

    def generate(*items: str) -> Iterator[str]:
        async def collect() -> list[str]:
            return [item async for item in source(*items)]

        yield from items
        yield from asyncio.run(collect())

    return generate


@pytest.mark.parametrize("source", [refusing, in_a_thread(refusing)])
def test_an_http_exception_before_the_first_item_becomes_its_status(
    serve: Callable[..., str], source: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    response = get(serve(lambda: EventStreamResponse(source())))
    assert (response.status_code, response.text) == (404, "no such chat")
    assert response.headers["x-reason"] == "gone"
    assert response.headers["content-type"].startswith("text/plain")
    assert caplog.records == []


def test_an_http_exception_of_fastapi_is_answered_by_its_handler() -> None:
    app = fastapi.FastAPI()

    @app.get("/")
    async def chat() -> EventStreamResponse:
        async def source() -> AsyncIterator[str]:
            raise fastapi.HTTPException(403, {"reason": "not yours"})
            yield ""

        return EventStreamResponse(source())

    with loopback_server(app) as url:
        response = get(url)
    assert (response.status_code, response.json()) == (403, {"detail": {"reason": "not yours"}})


def test_an_http_exception_after_the_first_item_is_an_error_event(serve: Callable[..., str]) -> None:
    response = get(serve(lambda: EventStreamResponse(refusing("a"))))
    first, last = Decoder().feed(response.content)
    assert (response.status_code, first.data, last.event) == (200, "a", "error")


def test_an_http_exception_after_a_heartbeat_is_an_error_event(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=0)

    def source() -> Iterator[str]:
        probe.gate.wait(TIMEOUT)
        raise HTTPException(404)
        yield ""

    url = serve(lambda: EventStreamResponse(source(), heartbeat=SOON))
    with httpx.stream("GET", url, trust_env=False) as response:
        assert response.status_code == 200  # nothing but heartbeats has come so far
        probe.gate.set()
        (last,) = Decoder().feed(response.read())
    assert last.event == "error"


def test_another_exception_before_the_first_item_is_an_error_event(serve: Callable[..., str]) -> None:
    response = get(serve(lambda: EventStreamResponse(words(error=ValueError()))))
    assert (response.status_code, Decoder().feed(response.content)[0].event) == (200, "error")


def test_any_exception_before_the_first_item_reaches_the_handlers_of_the_application_if_asked(
    serve: Callable[..., str],
) -> None:
    async def answer(_: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"handled {error}", 418)

    url = serve(
        lambda: EventStreamResponse(words(error=ValueError("it")), on_error="raise"),
        exception_handlers={ValueError: answer},
    )
    response = get(url)
    assert (response.status_code, response.text) == (418, "handled it")


def test_a_response_begins_at_once_if_asked(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=0)
    url = serve(lambda: EventStreamResponse(probe.asynchronous(), start_at_once=True, heartbeat=None))
    with httpx.stream("GET", url, trust_env=False, timeout=TIMEOUT) as response:
        assert response.status_code == 200
        assert probe.given == 0
    assert probe.closed.wait(TIMEOUT)


def test_an_http_exception_is_an_error_event_where_the_response_began_at_once(
    serve: Callable[..., str],
) -> None:
    response = get(serve(lambda: EventStreamResponse(refusing(), start_at_once=True)))
    assert response.status_code == 200
    assert [event.event for event in Decoder().feed(response.content)] == ["error"]


def test_a_request_for_a_websocket_is_denied_with_the_response() -> None:
    async def endpoint(scope: Any, receive: Any, send: Any) -> None:
        await EventStreamResponse(words("no websockets here"), 403)(scope, receive, send)

    with (
        asgi_server(endpoint) as (_, url),
        pytest.raises(InvalidStatus) as denial,
        connect(url.replace("http:", "ws:"), proxy=None),
    ):
        pass
    assert denial.value.response.status_code == 403
    assert denial.value.response.body == b"data: no websockets here\n\n" + DONE


# Heartbeats


@pytest.mark.parametrize("kind", ["asynchronous", "synchronous"])
def test_heartbeats_keep_a_silent_connection_alive(serve: Callable[..., str], kind: str) -> None:
    probe = Probe(waits_after=1)
    first = b"data: xxxxxxxxxx\n\n"
    url = serve(lambda: EventStreamResponse(getattr(probe, kind)(), heartbeat=SOON))
    leave_after(url, until=first + 3 * HEARTBEAT)
    probe.gate.set()
    assert probe.closed.wait(TIMEOUT)


def test_a_busy_stream_has_no_heartbeats(serve: Callable[..., str]) -> None:
    probe = Probe()
    until = 100 * b"data: xxxxxxxxxx\n\n"
    leave_after(serve(lambda: EventStreamResponse(probe.asynchronous(), heartbeat=100.0)), until)


def test_a_heartbeat_is_dropped_while_a_relay_is_within_an_event(
    serve: Callable[..., str], server: Server
) -> None:
    answer = server.answer(b"data: a\n", 20 * SOON, b"\n", Then.HANG)

    async def respond() -> EventStreamResponse:
        client = httpx.AsyncClient(trust_env=False)
        upstream = await client.send(client.build_request("GET", answer.url), stream=True)
        return EventStreamResponse(arelay(upstream, heartbeat=SOON))

    leave_after(serve(respond), until=b"data: a\n\n" + HEARTBEAT)


def test_trio_sends_heartbeats_too() -> None:
    sent: list[bytes] = []

    async def run() -> None:
        gate = trio.Event()

        async def source() -> AsyncIterator[str]:
            yield "before"
            await gate.wait()
            yield "after"

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if sent.count(HEARTBEAT) == 2:
                gate.set()

        response = EventStreamResponse(source(), heartbeat=SOON)
        await response({"type": "http", "method": "GET"}, trio.sleep_forever, send)

    trio.run(run)
    assert b"".join(sent).replace(HEARTBEAT, b"") == b"data: before\n\ndata: after\n\n" + DONE


# Errors


def test_an_error_of_the_source_is_the_last_event(
    serve: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    response = get(serve(lambda: EventStreamResponse(words("a", error=ValueError("secret")))))
    first, last = Decoder().feed(response.content)
    assert (first.data, last.event) == ("a", "error")
    assert "secret" not in last.data
    assert [record.name for record in caplog.records] == ["ssejet.emit"]


def test_an_error_of_the_source_cuts_the_connection_if_asked(serve: Callable[..., str]) -> None:
    url = serve(lambda: EventStreamResponse(words("a", error=ValueError("secret")), on_error="raise"))
    with pytest.raises(httpx.RemoteProtocolError):
        get(url)


def test_the_server_gets_the_exception_itself() -> None:
    async def run(stream: Any) -> None:
        async def send(message: Any) -> None:
            pass

        response = EventStreamResponse(stream)
        await response({"type": "http", "method": "GET"}, asyncio.Event().wait, send)

    for stream in (
        AsyncEventStream(words(error=ZeroDivisionError())),
        EventStream(1 / 0 for _ in "x"),
        AsyncEventStream(words("x"), fail_after=Failure(events=1, error=ZeroDivisionError)),
    ):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(run(stream))


def test_a_break_at_a_heartbeat_reaches_the_server_as_itself() -> None:
    async def run() -> None:
        async def send(message: Any) -> None:
            pass

        async def source() -> AsyncIterator[str]:
            await asyncio.Event().wait()
            yield ""

        stream = AsyncEventStream(source(), heartbeat=SOON, fail_after=Failure(bytes=5))
        await EventStreamResponse(stream)({"type": "http", "method": "GET"}, asyncio.Event().wait, send)

    with pytest.raises(ConnectionResetError):
        asyncio.run(run())


def test_a_task_group_may_stay_open_over_a_yield(serve: Callable[..., str]) -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            try:
                yield "inside"
                await anyio.sleep_forever()
            finally:
                tasks.cancel_scope.cancel()
                closed.set()

    assert leave_after(serve(lambda: EventStreamResponse(source()))) == b"data: inside\n\n"
    assert eventually(closed.is_set)


async def test_a_client_that_does_not_take_the_start_has_its_stream_closed() -> None:
    closed: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            closed.append("source")

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(_: Any) -> None:
        await anyio.sleep_forever()

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"version": "3.0"}}
    with anyio.fail_after(TIMEOUT):
        await EventStreamResponse(source(), send_timeout=0.05)(scope, receive, send)
    assert closed == ["source"]

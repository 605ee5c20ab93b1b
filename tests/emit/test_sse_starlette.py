from __future__ import annotations

import asyncio
import inspect
import math
import re
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import TIMEOUT, Probe, asgi_server, eventually, leave_after
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.routing import Route

from ssejet.emit import sse_starlette as ours
from ssejet.emit._shutdown import stop_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.slow

sse_starlette = pytest.importorskip("sse_starlette", reason="it needs Python 3.11")

SOON = 0.01
SCOPE = {"type": "http", "method": "GET"}


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve a response, and give its URL."""
    with ExitStack() as servers:

        def start(respond: Callable[[], Any]) -> str:
            async def endpoint(_: Any) -> Any:
                return respond()

            app = Starlette(routes=[Route("/", endpoint, methods=["GET"])])
            return servers.enter_context(asgi_server(app))[1]

        yield start


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    ours.AppStatus.should_exit = False
    ours.AppStatus.enable_automatic_graceful_drain = True


async def stream(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        await anyio.lowlevel.checkpoint()
        yield item


# The same as sse-starlette


def test_every_public_name_of_theirs_is_here() -> None:
    assert set(sse_starlette.__all__) <= set(ours.__all__)
    for name in ("AppStatus", "SendTimeoutError"):
        assert hasattr(sse_starlette.sse, name)
        assert hasattr(ours, name)


@pytest.mark.parametrize("name", ["EventSourceResponse", "ServerSentEvent", "JSONServerSentEvent"])
def test_arguments_have_the_same_names_order_and_defaults(name: str) -> None:
    theirs, own = (inspect.signature(getattr(module, name)) for module in (sse_starlette, ours))
    assert [(p.name, p.kind, p.default) for p in own.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


_texts = st.none() | st.text(st.sampled_from("ab:\r\n é") | st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {"event": _texts, "id": _texts, "comment": _texts, "retry": st.none() | st.integers()}
    ),
    data=_texts | st.integers() | st.lists(st.integers()),
    sep=st.sampled_from([None, "\n", "\r", "\r\n"]),
)
def test_an_event_is_encoded_to_the_same_bytes(fields: dict[str, Any], data: Any, sep: str | None) -> None:
    for kind in ("ServerSentEvent", "JSONServerSentEvent"):
        theirs = getattr(sse_starlette, kind)(data, **fields, sep=sep)
        assert getattr(ours, kind)(data, **fields, sep=sep).encode() == theirs.encode()


@pytest.mark.parametrize("sep", ["\r\n", "\n"])
@pytest.mark.parametrize(
    "item",
    [
        "text",
        "two\nlines",
        b"data: encoded\n\n",
        pytest.param(memoryview(b": c\n\n"), id="memoryview"),
        5,
        None,
        {"data": 1, "event": "e"},
        [1],
        {},
    ],
    ids=repr,
)
def test_an_item_is_encoded_to_the_same_bytes(item: Any, sep: str) -> None:
    assert ours.ensure_bytes(item, sep) == sse_starlette.event.ensure_bytes(item, sep)


@pytest.mark.parametrize(
    "options", [{}, {"sep": "\n", "status_code": 201, "headers": {"cache-control": "public"}}]
)
@pytest.mark.parametrize("kind", ["asynchronous", "synchronous", "HEAD"])
def test_a_client_gets_the_same_response(serve: Callable[..., str], options: Any, kind: str) -> None:
    responses = []
    for module in (sse_starlette, ours):
        items = ["a", {"data": "b", "event": "e", "id": "1"}, module.JSONServerSentEvent({"c": [1]}), 4]
        make = partial(stream, *items) if kind == "asynchronous" else partial(iter, items)
        url = serve(lambda module=module, make=make: module.EventSourceResponse(make(), **options))
        method = "HEAD" if kind == "HEAD" else "GET"
        response = httpx.request(method, url, trust_env=False)
        del response.headers["date"]
        responses.append((response.status_code, dict(response.headers), response.content))
    assert responses[0] == responses[1]


@pytest.mark.parametrize(
    "options",
    [
        {"sep": "x"},
        {"ping": "ten"},
        {"ping": -1},
        {"shutdown_grace_period": -1},
        {"cleanup_timeout": -1},
    ],
    ids=repr,
)
def test_the_same_arguments_are_refused_with_the_same_messages(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as theirs:
        sse_starlette.EventSourceResponse([], **options)
    with pytest.raises(theirs.type, match=f"^{re.escape(str(theirs.value))}$"):
        ours.EventSourceResponse([], **options)


# What its arguments do, with a real server


def test_pings_come_while_the_source_is_silent(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=1)
    url = serve(lambda: ours.EventSourceResponse(probe.asynchronous(), ping=SOON))
    received = leave_after(url, until=b": ping - 2")
    assert received.startswith(b"data: xxxxxxxxxx\r\n\r\n: ping - 2")
    assert probe.closed.wait(TIMEOUT)


def test_pings_are_what_the_factory_makes(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=0)
    url = serve(
        lambda: ours.EventSourceResponse(
            probe.asynchronous(), ping=SOON, ping_message_factory=lambda: ours.ServerSentEvent(event="ping")
        )
    )
    assert leave_after(url, until=b"event: ping\r\n\r\n" * 2).startswith(b"event: ping\r\n\r\n")


def test_a_sender_feeds_a_channel_and_is_cancelled_when_the_client_leaves(serve: Callable[..., str]) -> None:
    ended: list[Any] = []
    left = threading.Event()

    def respond() -> ours.EventSourceResponse:
        send, receive = anyio.create_memory_object_stream[Any](math.inf)

        async def sender() -> None:
            try:
                async with send:
                    await send.send({"data": "from the sender"})
                    await anyio.sleep_forever()
            except BaseException as error:
                ended.append(type(error))
                raise

        async def closed(message: Any) -> None:
            ended.append(message["type"])
            left.set()

        return ours.EventSourceResponse(
            receive, data_sender_callable=sender, client_close_handler_callable=closed
        )

    assert leave_after(serve(respond)) == b"data: from the sender\r\n\r\n"
    assert left.wait(TIMEOUT)
    assert eventually(lambda: ended == ["http.disconnect", asyncio.CancelledError])


def test_an_error_of_the_sender_ends_the_response() -> None:
    async def sender() -> None:
        raise ZeroDivisionError

    async def send(_: Any) -> None: ...

    async def run() -> None:
        response = ours.EventSourceResponse(Probe(waits_after=0).asynchronous(), data_sender_callable=sender)
        await response(SCOPE, anyio.sleep_forever, send)

    with pytest.raises(ZeroDivisionError):
        anyio.run(run)


def test_a_client_that_does_not_read_ends_the_response_with_an_error() -> None:
    ran = []
    probe = Probe()

    async def send(message: Any) -> None:
        if message.get("body"):
            await anyio.sleep_forever()

    async def run() -> None:
        task = BackgroundTask(ran.append, "background")
        response = ours.EventSourceResponse(probe.asynchronous(), send_timeout=SOON, background=task)
        await response(SCOPE, anyio.sleep_forever, send)

    with pytest.raises(ours.SendTimeoutError):
        anyio.run(run)
    assert probe.closed.is_set()
    assert ran == []


@pytest.mark.parametrize("exit_by", ["the server", "AppStatus"])
def test_a_source_may_send_a_last_event_in_the_grace_period(serve: Callable[..., str], exit_by: str) -> None:
    begun = threading.Event()

    def respond() -> ours.EventSourceResponse:
        shutdown = anyio.Event()

        async def source() -> AsyncIterator[Any]:
            yield "a"
            begun.set()
            await shutdown.wait()
            yield {"event": "goodbye", "data": "b"}

        return ours.EventSourceResponse(source(), shutdown_event=shutdown, shutdown_grace_period=TIMEOUT)

    url = serve(respond)
    received = []
    thread = threading.Thread(target=lambda: received.append(httpx.get(url, trust_env=False).content))
    thread.start()
    assert begun.wait(TIMEOUT)
    if exit_by == "AppStatus":
        ours.AppStatus.should_exit = True
    else:
        stop_streams()
    thread.join(200)
    assert received == [b"data: a\r\n\r\nevent: goodbye\r\ndata: b\r\n\r\n"]


def test_a_source_that_goes_on_after_its_grace_period_is_cancelled(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=1)
    url = serve(lambda: ours.EventSourceResponse(probe.asynchronous(), shutdown_grace_period=SOON))
    with httpx.stream("GET", url, trust_env=False) as response:
        chunks = response.iter_raw()
        next(chunks)
        stop_streams()
        assert b"".join(chunks) == b""  # and the response is complete
    assert probe.ended_by is asyncio.CancelledError


def test_streams_stay_open_while_automatic_draining_is_off(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=1)
    url = serve(lambda: ours.EventSourceResponse(probe.asynchronous(), ping=SOON))
    ours.AppStatus.disable_automatic_graceful_drain()
    with httpx.stream("GET", url, trust_env=False) as response:
        chunks = response.iter_raw()
        next(chunks)
        stop_streams()
        assert b"ping" in next(chunks) + next(chunks)
        assert not probe.closed.is_set()
        ours.AppStatus.should_exit = True
        for _ in chunks:
            pass
    assert probe.closed.wait(TIMEOUT)


def test_a_stream_that_opens_after_should_exit_was_set_ends_at_once(serve: Callable[..., str]) -> None:
    ours.AppStatus.should_exit = True
    probe = Probe(waits_after=0)
    url = serve(lambda: ours.EventSourceResponse(probe.asynchronous()))
    assert httpx.get(url, trust_env=False).content == b""


def test_a_cleanup_that_fails_is_logged_and_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            raise ZeroDivisionError("in the cleanup")

    async def send(message: Any) -> None:
        if message.get("body"):
            raise ConnectionResetError("gone")

    async def run() -> None:
        await ours.EventSourceResponse(source())(SCOPE, anyio.sleep_forever, send)

    with pytest.raises(ConnectionResetError):
        anyio.run(run)
    (record,) = caplog.records
    assert record.name == "sse_starlette.sse"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError

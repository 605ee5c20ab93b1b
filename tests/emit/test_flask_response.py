from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import flask
import httpx
import pytest
from probes import TIMEOUT, Probe, eventually, leave_after, wsgi_server

from servers import Server, Then
from ssejet import Decoder
from ssejet.emit import EventStream, relay
from ssejet.emit.flask import event_stream_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

HEARTBEAT = b": keep-alive\n\n"
DONE = b"event: done\ndata: [DONE]\n\n"
SOON = 0.01


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], str]:
    """Serve a view, and give its URL."""

    def start(view: Callable[[], Any]) -> str:
        app = flask.Flask("test")
        app.add_url_rule("/", view_func=view, endpoint="view")
        context = wsgi_server(app)
        url = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return url

    return start


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "werkzeug")


def test_items_become_a_stream_with_the_headers_that_proxies_need(serve: Callable[..., str]) -> None:
    response = httpx.get(serve(lambda: event_stream_response(["a", {"b": 1}])), trust_env=False)
    assert response.content == b'data: a\n\ndata: {"b":1}\n\n' + DONE
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"


def test_the_caller_sets_status_and_headers(serve: Callable[..., str]) -> None:
    url = serve(
        lambda: event_stream_response([], 201, {"cache-control": "no-store", "X-Request-ID": "7"}, done=None)
    )
    response = httpx.get(url, trust_env=False)
    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-request-id"] == "7"


def test_a_stream_is_the_body_of_a_plain_response_too(serve: Callable[..., str]) -> None:
    probe = Probe()
    url = serve(lambda: flask.Response(EventStream(probe.synchronous()), mimetype="text/event-stream"))
    assert leave_after(url).startswith(b"data: xxxxxxxxxx\n\n")
    assert probe.closed.wait(TIMEOUT)


@pytest.mark.parametrize("heartbeat", [None, 100.0])
def test_a_source_is_closed_when_the_client_leaves(
    serve: Callable[..., str], heartbeat: float | None
) -> None:
    probe = Probe()
    leave_after(serve(lambda: event_stream_response(probe.synchronous(), heartbeat=heartbeat)))
    assert probe.closed.wait(TIMEOUT)
    assert threading.current_thread() is not probe.thread


def test_a_heartbeat_shows_that_the_client_of_a_silent_source_has_left(serve: Callable[..., str]) -> None:
    probe = Probe(waits_after=1)
    first = b"data: xxxxxxxxxx\n\n"
    stream = EventStream(probe.synchronous(), heartbeat=SOON)
    leave_after(serve(lambda: event_stream_response(stream)), until=first + 2 * HEARTBEAT)
    probe.gate.set()
    assert probe.closed.wait(TIMEOUT)


@pytest.mark.parametrize("with_context", [False, True])
def test_a_client_that_leaves_while_the_generator_waits_leaves_no_traceback(
    serve: Callable[..., str],
    with_context: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "werkzeug")
    probe = Probe(waits_after=1)
    done = threading.Event()

    def view() -> flask.Response:
        source = probe.synchronous()
        response = event_stream_response(
            flask.stream_with_context(source) if with_context else source, heartbeat=SOON
        )
        response.call_on_close(done.set)
        return response

    leave_after(serve(view), until=b"data: xxxxxxxxxx\n\n" + 2 * HEARTBEAT)
    assert done.wait(TIMEOUT)
    assert not probe.closed.is_set()  # it still waits
    probe.gate.set()
    assert probe.closed.wait(TIMEOUT)
    assert eventually(lambda: any("GET /" in record.message for record in caplog.records))
    assert "Traceback" not in capfd.readouterr().err
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_source_that_fails_to_begin_is_an_error_event(
    serve: Callable[..., str],
) -> None:
    class Broken(EventStream[str]):
        def generate(self) -> Iterator[str]:
            raise ZeroDivisionError

    url = serve(lambda: event_stream_response(Broken(heartbeat=SOON, on_error="event")))
    (event,) = Decoder().feed(httpx.get(url, trust_env=False).content)
    assert event.event == "error"


@pytest.mark.parametrize("heartbeat", [None, SOON])
def test_a_relay_closes_the_other_connection(
    serve: Callable[..., str], server: Server, heartbeat: float | None
) -> None:
    silent = [Then.HANG] if heartbeat else [b"data: b\n\n", SOON] * 1000
    answer = server.answer(b"data: a\n\n", *silent)
    with httpx.Client(trust_env=False, timeout=None) as client:

        def view() -> flask.Response:
            upstream = client.send(client.build_request("GET", answer.url), stream=True)
            return event_stream_response(relay(upstream, heartbeat=heartbeat))

        leave_after(serve(view))
        assert eventually(lambda: client._transport._pool.connections == [])  # type: ignore[attr-defined]


def test_a_head_request_gets_headers_and_closes_the_source(serve: Callable[..., str], server: Server) -> None:
    answer = server.answer(b"data: a\n\n", Then.HANG)
    with httpx.Client(trust_env=False) as client:

        def view() -> flask.Response:
            return event_stream_response(
                relay(client.send(client.build_request("GET", answer.url), stream=True))
            )

        response = httpx.head(serve(view), trust_env=False)
        assert response.headers["content-type"].startswith("text/event-stream")
        assert answer.left.wait(TIMEOUT)


def test_a_slow_client_slows_the_source(serve: Callable[..., str]) -> None:
    probe = Probe(size=10_000)
    url = serve(lambda: event_stream_response(probe.synchronous()))
    with httpx.stream("GET", url, trust_env=False) as response:
        next(response.iter_raw())
        assert eventually(probe.stands_still)
        assert probe.given * 10_000 < 20_000_000
    assert probe.closed.wait(TIMEOUT)


@pytest.mark.parametrize("heartbeat", [None, 100.0])
def test_a_source_may_use_the_request(serve: Callable[..., str], heartbeat: float | None) -> None:
    def view() -> flask.Response:
        @flask.stream_with_context
        def source() -> Iterator[str]:
            yield flask.request.args["name"]

        return event_stream_response(source(), heartbeat=heartbeat, done=None)

    assert httpx.get(serve(view), params={"name": "x"}, trust_env=False).content == b"data: x\n\n"


def test_an_error_of_the_source_is_the_last_event(serve: Callable[..., str]) -> None:
    url = serve(lambda: event_stream_response(1 / (1 - number) for number in range(3)))
    first, last = Decoder().feed(httpx.get(url, trust_env=False).content)
    assert (first.data, last.event) == ("1.0", "error")


def test_an_error_of_the_source_cuts_the_connection_if_asked(serve: Callable[..., str]) -> None:
    url = serve(lambda: event_stream_response((1 / (1 - number) for number in range(3)), on_error="raise"))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url, trust_env=False)

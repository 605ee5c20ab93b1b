"""The responses of Starlette, FastAPI and Flask, read over real HTTP as ``EventSource`` does it."""

from __future__ import annotations

import threading
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from flask import Flask
from flask import request as flask_request
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from werkzeug.serving import make_server

from ssejet import EventSource, ServerSentEvent
from ssejet.hub import AsyncHub, Hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.slow


@contextmanager
def serve_asgi(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serve_wsgi(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


GO_ON = threading.Event()


def fastapi_app(options: dict[str, Any]) -> FastAPI:
    hub = AsyncHub(**options)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with hub:
            yield

    app = FastAPI(lifespan=lifespan)

    async def answer() -> AsyncIterator[dict[str, int]]:
        for number in range(10):
            if number == 5:
                while not GO_ON.is_set():  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            yield {"n": number}

    @app.get("/answer/{key}")
    async def follow(key: str, request: Request) -> Any:
        await hub.start(key, answer)
        return hub.response(key, request, heartbeat=0.1)

    @app.get("/in-thread/{key}")
    def follow_in_thread(key: str, request: Request) -> Any:
        return hub.response(key, request, headers={"X-Mine": "1"})

    @app.post("/stop/{key}")
    async def stop(key: str) -> None:
        await hub.stop(key)

    return app


def flask_app(options: dict[str, Any]) -> tuple[Flask, Hub]:
    hub = Hub(**options)
    app = Flask("test")

    def answer() -> Iterator[dict[str, int]]:
        for number in range(10):
            if number == 5:
                GO_ON.wait(200)
            yield {"n": number}

    @app.get("/answer/<key>")
    def follow(key: str) -> Any:
        hub.start(key, answer)
        return hub.response(key, flask_request, heartbeat=0.1)

    @app.get("/in-thread/<key>")
    def follow_plain(key: str) -> Any:
        return hub.response(key, flask_request, headers={"X-Mine": "1"})

    @app.post("/stop/<key>")
    def stop(key: str) -> str:
        hub.stop(key)
        return ""

    return app, hub


@pytest.fixture(params=["fastapi", "flask"])
def base(request: pytest.FixtureRequest, hub_options: dict[str, Any]) -> Iterator[str]:
    GO_ON.clear()
    if request.param == "fastapi":
        with serve_asgi(fastapi_app(hub_options)) as url:
            yield url
            GO_ON.set()
    else:
        app, hub = flask_app(hub_options)
        with hub, serve_wsgi(app) as url:
            yield url
            GO_ON.set()


@contextmanager
def connected(url: str, last_event_id: str = "") -> Iterator[Any]:
    headers = {b"Last-Event-ID": last_event_id.encode()} if last_event_id else {}
    with httpx.Client(timeout=200) as client, client.stream("GET", url, headers=headers) as response:
        yield response


def take(response: Any, count: int) -> list[ServerSentEvent]:
    events = EventSource(response).iter_sse()
    return [next(iter(events)) for _ in range(count)]


def test_an_answer_survives_a_reload_and_204_ends_it(base: str) -> None:
    with connected(f"{base}/answer/key") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        before = take(response, 5)
    with (
        connected(f"{base}/answer/key") as second_tab,
        connected(f"{base}/answer/key", before[2].id or "") as reloaded,
    ):
        GO_ON.set()
        whole = list(EventSource(second_tab).iter_sse())
        rest = list(EventSource(reloaded).iter_sse())
    assert [event.data for event in whole[:-1]] == [f'{{"n":{number}}}' for number in range(10)]
    assert whole[:5] == before
    assert whole[-1].event == "end"
    assert rest == whole[3:]
    with connected(f"{base}/answer/key", whole[-1].id or "") as response:
        assert response.status_code == 204
        assert response.read() == b""
        assert "content-type" not in response.headers
    with connected(f"{base}/in-thread/key", whole[-1].id or "") as response:
        assert (response.status_code, response.headers["x-mine"]) == (204, "1")
    with connected(f"{base}/in-thread/key") as response:
        assert response.headers["x-mine"] == "1"
        assert list(EventSource(response).iter_sse()) == whole


def test_a_client_can_stop_the_answer_of_another_request(base: str) -> None:
    with connected(f"{base}/answer/key") as response:
        take(response, 5)
        with connected(f"{base}/in-thread/key") as other:
            httpx.post(f"{base}/stop/key")
            # A source that waits in a thread is closed after its wait, but the clients are told at once.
            assert list(EventSource(other).iter_sse())[-1].data == '{"reason":"stopped"}'


def test_heartbeats_go_on_while_there_is_no_event(base: str) -> None:
    with connected(f"{base}/answer/key") as response:
        text = ""
        for piece in response.iter_text():
            text += piece
            if text.count(": keep-alive") >= 2:
                break
    assert text.count("data:") == 5


def test_a_bad_id_is_no_error(base: str) -> None:
    GO_ON.set()
    for id in ("garbage", "é", "aaaaaaaaaa-1", "9" * 5000):
        with connected(f"{base}/answer/key", id) as response:
            assert response.status_code == 200
            events = list(EventSource(response).iter_sse())
        assert [event.event for event in events] == ["gap", *["message"] * 10, "end"]


@pytest.mark.slow
def test_a_client_that_does_not_read_is_dropped_and_holds_nobody_up(hub_options: dict[str, Any]) -> None:
    hub = AsyncHub(**hub_options)
    ended: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with hub:
            yield

    starlette = Starlette(lifespan=lifespan)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await starlette(scope, receive, send)
            return
        request = StarletteRequest(scope)
        await hub.start("key", lambda: ("x" * 100_000 for _ in range(200)))
        await hub.response("key", request, send_timeout=0.3)(scope, receive, send)
        ended.append(request.url.path)

    with serve_asgi(app) as url:
        with connected(f"{url}/stuck"):
            with connected(f"{url}/reads") as response:
                assert sum(1 for _ in EventSource(response).iter_sse()) == 201
            for _ in range(1000):
                if len(ended) == 2:
                    break
                time.sleep(0.01)
        assert sorted(ended) == ["/reads", "/stuck"]


def test_a_client_that_leaves_frees_its_follower(base: str) -> None:
    for _ in range(5):
        with connected(f"{base}/answer/key") as response:
            take(response, 5)
    GO_ON.set()
    with connected(f"{base}/answer/key") as response:
        assert list(EventSource(response).iter_sse())[-1].event == "end"

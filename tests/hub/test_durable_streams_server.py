"""Durable Streams in a real server: clients that leave or do not read, a server that stops, the examples."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from test_durable_streams import JSON, TEXT, client_of

from ssejet.hub import AsyncHub, durable_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parent.parent.parent / "docs" / "durable-streams.md"

A_LONG_TIME = 200


class Served:
    """An application that a server runs in a thread."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=0, lifespan="on", ws="none", log_level="warning")
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        until(lambda: self._server.started)
        self.address = self._server.servers[0].sockets[0].getsockname()
        self.url = "http://{}:{}".format(*self.address)

    def stop(self) -> None:
        self._server.should_exit = True

    def join(self) -> None:
        self._thread.join(A_LONG_TIME)
        assert not self._thread.is_alive(), "the server waits for its clients"


@contextmanager
def serving(**options: Any) -> Iterator[Served]:
    served = Served(durable_streams.app(AsyncHub(), **options))
    yield served
    served.stop()
    served.join()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + A_LONG_TIME
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("live", ["long-poll", "sse"])
def test_a_client_that_leaves_is_forgotten(live: str) -> None:
    with serving(long_poll_timeout=60) as served:
        httpx.put(f"{served.url}/s", headers=JSON)
        with socket.create_connection(served.address) as client:
            client.sendall(f"GET /s?offset=-1&live={live} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            until(lambda: served.app._live_readers == 1)
        until(lambda: served.app._live_readers == 0)
        assert not served.app._hub._engine._followed


def test_a_client_that_does_not_read_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    with serving(send_timeout=0.3) as served:
        httpx.put(f"{served.url}/s", headers={**TEXT, "stream-closed": "true"}, content=b"x" * 8_000_000)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(served.address)
            client.sendall(b"GET /s?offset=-1&live=sse HTTP/1.1\r\nhost: x\r\n\r\n")
            until(lambda: "a client has not read for 0.3 seconds" in caplog.text)
            until(lambda: served.app._live_readers == 0)


def test_a_server_that_stops_ends_the_answers_of_clients_that_wait() -> None:
    with serving(long_poll_timeout=600, sse_lifetime=600) as served:
        httpx.put(f"{served.url}/s", headers=JSON)
        answers: list[httpx.Response] = []

        def read(live: str) -> None:
            answers.append(httpx.get(f"{served.url}/s?offset=-1&live={live}", timeout=A_LONG_TIME))

        readers = [threading.Thread(target=read, args=(live,)) for live in ("long-poll", "sse")]
        for reader in readers:
            reader.start()
        until(lambda: served.app._live_readers == 2)
        served.stop()
        for reader in readers:
            reader.join()
        assert sorted(answer.status_code for answer in answers) == [200, 204]


def test_a_response_with_events_ends_after_a_time_and_is_not_silent_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssejet.hub.durable_streams._app._HEARTBEAT", 0.1)
    with serving(sse_lifetime=0.5) as served:
        httpx.put(f"{served.url}/s", headers=JSON)
        body = httpx.get(f"{served.url}/s?offset=-1&live=sse").text
        assert body.count("event: control") == 1
        assert body.endswith(":\n\n")


def blocks() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        found.append({})
        exec(block, found[-1])
    return found


async def test_the_examples_of_the_page_do_what_it_says() -> None:
    first, guarded, answers = blocks()
    async with client_of(first["app"]) as client:
        assert (await client.put("/chat/1", headers=JSON)).status_code == 201
    ann = {"authorization": "Bearer secret"}
    async with guarded["hub"], client_of(guarded["app"]) as client:
        assert (await client.put("/streams/ann/1", headers=JSON)).status_code == 403
        made = await client.put("/streams/ann/1", headers={**JSON, **ann})
        assert (made.status_code, made.headers["location"]) == (201, "http://test/streams/ann/1")
        assert (await client.put("/streams/bob/1", headers={**JSON, **ann})).status_code == 403
        assert (await client.get("/streams/ann/1", headers=ann)).json() == []
    async with answers["hub"], client_of(answers["app"]) as client:
        assert (await client.post("/ask")).json() == {"started": True}
        read = await client.get("/answers/answer-1?offset=-1&live=sse")
        assert '"data":"Hello"' in read.text
        assert '"streamClosed":true' in read.text

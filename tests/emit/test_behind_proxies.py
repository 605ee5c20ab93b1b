"""Streams through nginx, Caddy and HAProxy, with the configurations of docs/deployment.md."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from ssejet import EventSource, connect_sse
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parent.parent.parent / "docs" / "deployment.md").read_text()

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    gzip on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {configuration}
    }}
}}
"""


class App:
    """Makes an event only when the test says so, and notices when its source is closed."""

    def __init__(self) -> None:
        self.asked_for = asyncio.Semaphore(0)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.closed = threading.Event()
        self.bodies: list[bytes] = []
        self.port = free_port()
        routes = [Route("/events", self.events, methods=["GET", "POST"]), Route("/silence", self.silence)]
        self.app = Starlette(routes=routes)

    def go_on(self) -> None:
        """Have the next event made."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.asked_for.release)

    async def events(self, request: Request) -> EventStreamResponse:
        self.loop = asyncio.get_running_loop()
        self.bodies.append(await request.body())
        return EventStreamResponse(self.numbers(), heartbeat=0.1)

    async def numbers(self) -> AsyncIterator[str]:
        try:
            for number in range(1000):
                yield str(number)
                await self.asked_for.acquire()
        finally:
            self.closed.set()

    async def silence(self, _: Request) -> EventStreamResponse:
        async def source() -> AsyncIterator[str]:
            yield "before"
            await asyncio.sleep(4.5)
            yield "after"

        return EventStreamResponse(source(), heartbeat=0.25)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def app() -> Iterator[App]:
    served = App()
    server = uvicorn.Server(uvicorn.Config(served.app, port=served.port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield served
    server.should_exit = True
    thread.join()


def configured(name: str, port: int, upstream: int, folder: Path) -> list[str]:
    """Write the page's configuration, with shorter timeouts, and return the command that uses it."""
    (text,) = re.findall(rf"```{name}\n(.*?)```", PAGE, re.DOTALL)
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}").replace("60s", "3s")
    path = folder / f"{name}.conf"
    if name == "nginx":
        path.write_text(NGINX.format(folder=folder, port=port, configuration=text))
        return ["nginx", "-p", str(folder), "-c", str(path)]
    if name == "caddy":
        options = "{\n    admin off\n    auto_https off\n}\n"
        path.write_text(options + text.replace("example.com", f"http://127.0.0.1:{port}"))
        return ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]
    path.write_text(text.replace("bind :80", f"bind 127.0.0.1:{port}"))
    return ["haproxy", "-db", "-f", str(path)]


@pytest.fixture(params=["nginx", "caddy", "haproxy"])
def url(request: pytest.FixtureRequest, app: App, tmp_path: Path) -> Iterator[str]:
    if shutil.which(request.param) is None:
        reason = f"there is no {request.param} here: .ci/proxies installs Debian's"
        if os.environ.get("SSEJET_REQUIRE_PROXIES"):
            pytest.fail(reason)
        pytest.skip(reason)
    port = free_port()
    command = configured(request.param, port, app.port, tmp_path)
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as proxy:
        try:
            for _ in range(3000):
                assert proxy.poll() is None, (tmp_path / "log").read_text()
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            proxy.terminate()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_proxy_passes_on_each_event_before_the_next_is_made(app: App, url: str, method: str) -> None:
    body = b'{"question": "?"}' if method == "POST" else b""
    headers = {"accept-encoding": "gzip"}
    with (
        httpx.Client(timeout=200) as client,
        client.stream(method, f"{url}/events", content=body, headers=headers) as response,
    ):
        assert "content-encoding" not in response.headers
        for number, event in enumerate(EventSource(response).iter_sse()):
            assert event.data == str(number)
            if number == 5:
                break
            app.go_on()
    # The client has left: the source ends, though the server has nothing to send but heartbeats.
    assert app.closed.wait(200)
    assert app.bodies == [body]


def test_heartbeats_keep_a_silent_stream_open_beyond_the_timeout_of_a_proxy(url: str) -> None:
    with (
        httpx.Client(timeout=200) as client,
        connect_sse(client, "GET", f"{url}/silence") as source,
    ):
        assert [event.data for event in source.iter_sse()][:2] == ["before", "after"]

from __future__ import annotations

import importlib.util
import sys
import threading
from operator import le
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from chat_server import ChatServer, asgi_server, open_sockets
from probes import eventually, wsgi_server

from ssejet import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
LEAVERS = 150

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="sockets are counted in /proc")


class Relay:
    """A running example, and the server behind it."""

    def __init__(self, url: str, upstream: ChatServer, tasks: Callable[[], int]) -> None:
        self.url = url
        self.upstream = upstream
        self.tasks = tasks

    def ask(self, client: httpx.Client, path: str = "/chat", **options: Any) -> Any:
        return client.stream("POST", self.url + path, json=options)

    def leftovers(self) -> tuple[int, int, int, int]:
        """Streams of the other server, sockets, tasks, threads."""
        return self.upstream.streams, open_sockets(), self.tasks(), threading.active_count()


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["fastapi_relay", "flask_relay"])
def relay(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    upstream = ChatServer()
    with asgi_server(upstream) as behind:
        monkeypatch.setenv("OPENAI_BASE_URL", behind.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        module = load(request.param)
        if request.param == "fastapi_relay":
            with asgi_server(module.app) as front:
                yield Relay(front.url, upstream, lambda: front.tasks() + behind.tasks())
        else:
            with wsgi_server(module.app) as url:
                yield Relay(url, upstream, behind.tasks)
            module.client.close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "werkzeug")


def test_a_whole_answer_is_relayed(relay: Relay, client: httpx.Client) -> None:
    with relay.ask(client, tokens=100) as response:
        events = Decoder().feed(response.read())
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [event.json()["choices"][0]["delta"]["content"] for event in events[:-1]] == [
        f" {n}" for n in range(100)
    ]
    assert events[-1].data == "[DONE]"


def test_a_refusal_keeps_its_status(relay: Relay, client: httpx.Client) -> None:
    with relay.ask(client, refused=True) as response:
        assert response.read() == b'{"error":{"message":"slow down"}}'
    assert response.status_code == 429
    assert response.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("relay", ["fastapi_relay"], indirect=True)
def test_the_text_alone_is_relayed(relay: Relay, client: httpx.Client) -> None:
    with relay.ask(client, path="/words", tokens=3) as response:
        assert response.read() == b"data:  0\n\ndata:  1\n\ndata:  2\n\nevent: done\ndata: \n\n"


@needs_proc
def test_clients_that_leave_one_after_another_leave_no_threads_tasks_or_connections(
    relay: Relay, client: httpx.Client
) -> None:
    with relay.ask(client, tokens=1) as response:
        response.read()
    client.close()
    assert eventually(lambda: relay.upstream.streams == 0)
    before = relay.leftovers()
    for leaver in range(LEAVERS):
        with httpx.Client(trust_env=False) as one, relay.ask(one, pause=0.001) as response:
            assert response.status_code == 200
            chunks = response.iter_bytes()
            for _ in range(leaver % 3):
                assert next(chunks).startswith(b"data: ")
    assert eventually(lambda: relay.upstream.streams == 0)
    assert eventually(lambda: all(map(le, relay.leftovers(), before))), f"{relay.leftovers()}, not {before}"

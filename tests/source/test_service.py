"""The test service, driven as the harnesses for event-stream clients drive it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from raw_server import RawServer, Request, chunk, head, read_request

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


class Connection:
    """A stream that the service is reading, until ``None`` is sent."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()


class Harness(RawServer):
    """Serves the test's streams below ``/stream``, and takes reports below ``/callback``."""

    def __init__(self) -> None:
        super().__init__()
        self.response: tuple[int, dict[str, str]] = (200, {"Content-Type": "text/event-stream"})
        self.requests: list[Request] = []
        self.reports: list[tuple[str, Any]] = []
        self.ignored_path = ""
        self._streams: list[Connection] = []

    def connection(self) -> Connection:
        """Wait for the next connection to the stream."""
        self.wait_until(lambda: self._streams)
        return self._streams.pop(0)

    def send(self, connection: Connection, data: bytes | None) -> None:
        """Send bytes of the stream, or break the connection."""
        self._loop.call_soon_threadsafe(connection.queue.put_nowait, data)

    def report(self) -> dict[str, Any]:
        """Wait for the next report of the service."""
        self.wait_until(lambda: self.reports)
        _, report = self.reports.pop(0)
        return report

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        if request.path == self.ignored_path:
            return False
        if request.path.startswith("/callback/"):
            self.tell(lambda: self.reports.append((request.path, json.loads(request.body))))
            writer.write(head(202, {"Content-Length": "0"}))
            return True
        self.tell(lambda: self.requests.append(request))
        status, headers = self.response
        if status != 200:
            writer.write(head(status, headers | ({} if status == 204 else {"Content-Length": "0"})))
            return True
        writer.write(head(200, headers | {"Transfer-Encoding": "chunked"}))
        connection = Connection(request)
        self.tell(lambda: self._streams.append(connection))
        gone = asyncio.create_task(reader.read())
        try:
            while not gone.done():
                getting = asyncio.create_task(connection.queue.get())
                await asyncio.wait([gone, getting], return_when=asyncio.FIRST_COMPLETED)
                data = getting.result() if getting.done() else None
                getting.cancel()
                if data is None:
                    break
                writer.write(chunk(data))
        finally:
            gone.cancel()
        return False


@pytest.fixture
def harness() -> Iterator[Harness]:
    with Harness() as harness:
        yield harness


@pytest.fixture(scope="module")
def service() -> Iterator[httpx.Client]:
    script = Path(__file__).parents[1] / "service.py"
    with subprocess.Popen([sys.executable, script, "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with httpx.Client(base_url=process.stdout.readline().strip(), trust_env=False) as client:
            yield client
            assert client.delete("/").is_success
        assert process.wait() == 0


@pytest.fixture
def create(service: httpx.Client, harness: Harness) -> Iterator[Any]:
    """Subscribe with parameters, and return the location of the subscription."""
    locations = []

    def create(**parameters: Any) -> str:
        urls = {
            "streamUrl": f"{harness.base}stream",
            "callbackUrl": f"{harness.base}callback",
            "tag": "a test",
        }
        response = service.post("/", json=urls | {"initialDelayMs": 0} | parameters)
        assert response.status_code == 201
        locations.append(response.headers["location"])
        return locations[-1]

    yield create
    for location in locations:
        assert service.delete(location).status_code == 204
        assert service.delete(location).status_code == 404
        assert service.post(location, json={"command": "restart"}).status_code == 404
    harness.wait_until(lambda: harness.connections == 0)


def test_the_service_lists_its_capabilities(service: httpx.Client) -> None:
    status = service.get("/").json()
    assert status["name"].startswith("ssejet")
    assert {"comments", "restart", "server-directed-shutdown-request"} < set(status["capabilities"])


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        {},
        {"streamUrl": "http://127.0.0.1/"},
        {"streamUrl": "stream", "callbackUrl": "http://127.0.0.1/"},
        {"streamUrl": "http://", "callbackUrl": "http://127.0.0.1/"},
        {"streamUrl": "http://127.0.0.1/", "callbackUrl": "http://127.0.0.1:99999/"},
        {"streamUrl": "http://127.0.0.1:x/", "callbackUrl": "http://127.0.0.1/"},
        {"streamUrl": "http://127.0.0.1/", "callbackUrl": "http://127.0.0.1/", "initialDelayMs": "soon"},
        {"streamUrl": "http://127.0.0.1/", "callbackUrl": "http://127.0.0.1/", "initialDelayMs": -1},
        {"streamUrl": "http://127.0.0.1/", "callbackUrl": "http://127.0.0.1/", "readTimeoutMs": 0},
        {"streamUrl": "http://127.0.0.1/", "callbackUrl": "http://127.0.0.1/", "headers": {"a": 1}},
        {"streamUrl": "http://127.0.0.1/", "callbackUrl": "http://127.0.0.1/", "lastEventId": "a\nb"},
    ],
)
def test_the_service_refuses_parameters_that_make_no_sense(service: httpx.Client, parameters: Any) -> None:
    assert service.post("/", json=parameters).status_code == 400
    assert service.post("/", content=b"{").status_code == 400


def test_events_and_comments_are_reported_in_order(create: Any, harness: Harness) -> None:
    create()
    harness.send(harness.connection(), b":one\ndata: two\n\n: three\nevent: e\nid: i\ndata: four\n\n:five\n")
    harness.wait_until(lambda: len(harness.reports) == 5)
    assert [path for path, _ in harness.reports] == [f"/callback/{number}" for number in range(1, 6)]
    assert [report for _, report in harness.reports] == [
        {"kind": "comment", "comment": "one"},
        {"kind": "event", "event": {"type": "message", "data": "two", "id": ""}},
        {"kind": "comment", "comment": " three"},
        {"kind": "event", "event": {"type": "e", "data": "four", "id": "i"}},
        {"kind": "comment", "comment": "five"},
    ]


def test_a_report_that_fails_does_not_stop_the_next(create: Any, harness: Harness) -> None:
    harness.ignored_path = "/callback/2"
    create()
    harness.send(harness.connection(), b"data: 1\n\ndata: 2\n\ndata: 3\n\n")
    harness.wait_until(lambda: len(harness.reports) == 2)
    assert [(path, report["event"]["data"]) for path, report in harness.reports] == [
        ("/callback/1", "1"),
        ("/callback/3", "3"),
    ]


def test_requests_are_those_of_an_event_source(create: Any, harness: Harness) -> None:
    create()
    request = harness.connection().request
    assert request.method == "GET"
    assert request.headers["accept"] == b"text/event-stream"
    assert request.headers["cache-control"] == b"no-cache"
    assert "last-event-id" not in request.headers


@pytest.mark.parametrize("method", ["POST", "REPORT"])
def test_requests_follow_the_parameters(create: Any, harness: Harness, method: str) -> None:
    create(method=method, body="{}", headers={"content-type": "application/json"}, lastEventId="…")
    for _ in range(2):
        connection = harness.connection()
        assert connection.request.method == method
        assert connection.request.body == b"{}"
        assert connection.request.headers["content-type"] == b"application/json"
        assert connection.request.headers["last-event-id"] == "…".encode()
        harness.send(connection, None)


def test_a_broken_connection_is_reported_and_replaced(create: Any, harness: Harness) -> None:
    create()
    connection = harness.connection()
    harness.send(connection, b"id: abc\ndata: Hello\n\nid: def\ndata: Good")
    assert harness.report()["event"] == {"type": "message", "data": "Hello", "id": "abc"}
    harness.send(connection, None)
    assert harness.report()["kind"] == "error"
    connection = harness.connection()
    assert connection.request.headers["last-event-id"] == b"abc"
    harness.send(connection, b"id\ndata: We meet again\n\n")
    assert harness.report()["event"] == {"type": "message", "data": "We meet again", "id": ""}
    harness.send(connection, None)
    assert "last-event-id" not in harness.connection().request.headers


def test_a_restart_makes_a_new_connection_without_an_error(
    service: httpx.Client, create: Any, harness: Harness
) -> None:
    location = create(initialDelayMs=3_600_000)
    harness.send(harness.connection(), b"data: Hello\n\n")
    assert harness.report()["event"]["data"] == "Hello"
    assert service.post(location, json={"command": "restart"}).status_code == 202
    harness.send(harness.connection(), b"data: Thanks\n\n")
    assert harness.report()["event"]["data"] == "Thanks"


def test_unknown_commands_are_refused(service: httpx.Client, create: Any) -> None:
    location = create()
    assert service.post(location, json={"command": "dance"}).status_code == 400
    assert service.post(location, json="restart").status_code == 400
    assert service.post(location, content=b"{").status_code == 400


def test_a_silence_is_reported_and_ends_the_connection(create: Any, harness: Harness) -> None:
    create(readTimeoutMs=100)
    harness.send(harness.connection(), b"data: Hello\n\n")
    assert harness.report()["event"]["data"] == "Hello"
    assert "0.1 seconds" in harness.report()["error"]
    harness.connection()


def test_204_ends_the_subscription(create: Any, harness: Harness) -> None:
    harness.response = (204, {})
    create()
    harness.wait_until(lambda: harness.requests and harness.connections == 0)
    assert len(harness.requests) == 1
    assert harness.reports == []


@pytest.mark.parametrize("headers", [{}, {"Location": ""}])
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_to_nowhere_is_an_error_and_ends_the_subscription(
    create: Any, harness: Harness, status: int, headers: dict[str, str]
) -> None:
    harness.response = (status, headers)
    create()
    assert "Location" in harness.report()["error"]
    assert len(harness.requests) == 1

"""respx, pytest-httpx and vcrpy go on working beside the mocks, for the requests that are not the mocks'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest
import respx
import vcr

from ssejet.testing import OpenAIMock, mock_openai
from ssejet.testing.openai_responses import OpenAIMock as OpenAIResponsesMock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_httpx import HTTPXMock

pytestmark = pytest.mark.slow

OTHER = "https://api.example.com/weather"
CLIENTS = {"its own": None, "httpx": httpx.Client}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    make = CLIENTS[request.param]
    with openai.OpenAI(api_key="k", max_retries=0, http_client=make and make()) as client:
        yield client


def ask(client: openai.OpenAI) -> str | None:
    return client.chat.completions.create(model="m", messages=[]).choices[0].message.content


@pytest.mark.parametrize("first", ["respx", "ours"])
def test_respx_answers_beside_a_mock(client: openai.OpenAI, first: str) -> None:
    ours, theirs = OpenAIMock(), respx.mock(assert_all_called=True)
    ours.chat.completions.create.response = "Hello"
    theirs.get(OTHER).respond(json={"value": 57})
    outer, inner = (theirs, ours) if first == "respx" else (ours, theirs)
    with outer, inner:
        assert ask(client) == "Hello"
        assert httpx.get(OTHER).json() == {"value": 57}
        with pytest.raises(respx.models.AllMockedAssertionError):
            httpx.get("https://api.example.com/other")


def test_the_fixture_of_respx_works_beside_ours(
    client: openai.OpenAI, respx_mock: respx.MockRouter, mock_openai: OpenAIMock
) -> None:
    mock_openai.chat.completions.create.response = "Hello"
    route = respx_mock.get(OTHER).respond(204)
    assert ask(client) == "Hello"
    assert httpx.get(OTHER).status_code == 204
    assert route.call_count == 1


def test_respx_answers_what_a_mock_of_openai_responses_passes_through(client: openai.OpenAI) -> None:
    ours = OpenAIResponsesMock()
    ours.router.route(host="api.example.com").pass_through()
    with respx.mock, ours.router:
        respx.get(OTHER).respond(json={"value": 57})
        assert client.beta.threads  # the client works as before
        assert httpx.get(OTHER).json() == {"value": 57}


def test_pytest_httpx_answers_beside_a_mock(
    client: openai.OpenAI, httpx_mock: HTTPXMock, mock_openai: OpenAIMock
) -> None:
    mock_openai.chat.completions.create.response = "Hello"
    httpx_mock.add_response(url=OTHER, json={"value": 57})
    assert ask(client) == "Hello"
    assert httpx.get(OTHER).json() == {"value": 57}
    assert [f"{each.url}" for each in httpx_mock.get_requests()] == [OTHER]


def test_pytest_httpx_answers_beside_a_mock_that_began_earlier(
    client: openai.OpenAI, mock_openai: OpenAIMock, httpx_mock: HTTPXMock
) -> None:
    mock_openai.chat.completions.create.response = "Hello"
    httpx_mock.add_response(url=OTHER, json={"value": 57})
    assert ask(client) == "Hello"
    assert httpx.get(OTHER).json() == {"value": 57}


def test_vcrpy_records_and_replays_what_no_mock_answers(
    client: openai.OpenAI, tmp_path: Path, http_server: str
) -> None:
    cassette = tmp_path / "cassette.yaml"
    for _ in range(2):
        with mock_openai() as mock, vcr.use_cassette(f"{cassette}", record_mode="once") as tape:
            mock.chat.completions.create.response = "Hello"
            assert ask(client) == "Hello"
            assert httpx.get(http_server).text == "answer 1"
    assert tape.play_count == 1
    assert "openai" not in cassette.read_text()


def test_vcrpy_replays_inside_and_outside_of_a_mock(tmp_path: Path, http_server: str) -> None:
    cassette = f"{tmp_path / 'cassette.yaml'}"
    with vcr.use_cassette(cassette), OpenAIMock():
        assert httpx.get(http_server).text == "answer 1"
    with OpenAIMock(), vcr.use_cassette(cassette):
        assert httpx.get(http_server).text == "answer 1"
    assert httpx.get(http_server).text == "answer 2"


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_the_transports_are_as_before_after_all_of_them(library: Any, http_server: str) -> None:
    before = library.HTTPTransport.handle_request
    with OpenAIMock(), respx.mock(assert_all_called=False), OpenAIMock():
        assert library.HTTPTransport.handle_request is not before
    assert library.HTTPTransport.handle_request is before
    assert library.get(http_server).text == "answer 1"


@pytest.fixture
def http_server() -> Iterator[str]:
    """A server on loopback whose answers say how many requests there were."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        count = 0

        def do_GET(self) -> None:
            Handler.count += 1
            body = f"answer {Handler.count}".encode()
            self.send_response(200)
            self.send_header("content-length", f"{len(body)}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()

from __future__ import annotations

import socket
import threading

import httpx
import pytest
from endpoints import APP

from ssejet.cli._recording import load
from ssejet.cli._server import loopback_server, replay_app


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ssejet-server"]


def test_the_recording_is_served_as_the_bytes_that_were_recorded() -> None:
    frames = load("chat")
    with loopback_server(replay_app(frames, pace=1000)) as url:
        response = httpx.post(f"{url}/v1/chat/completions", json={}, trust_env=False)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content == b"".join(frame.data for frame in frames)


def test_the_server_ends_with_its_block() -> None:
    before = running()
    with loopback_server(APP) as url:
        assert len(running()) == len(before) + 1
    assert running() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", httpx.URL(url).port))


def test_the_server_ends_while_a_stream_goes_on() -> None:
    before = running()
    with (
        httpx.Client(trust_env=False) as client,
        loopback_server(APP) as url,
        client.stream("GET", f"{url}/silent") as response,
    ):
        assert next(response.iter_bytes()) == b"data: first\n\n"
    assert running() == before


def test_two_servers_run_side_by_side() -> None:
    with loopback_server(APP) as one, loopback_server(APP) as other:
        assert one != other
        for url in (one, other):
            assert httpx.get(f"{url}/page", trust_env=False).status_code == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_app_that_cannot_start_is_an_error_not_a_wait() -> None:
    with pytest.raises(RuntimeError, match="did not start"), loopback_server("no.such:app"):  # type: ignore[arg-type]
        pass

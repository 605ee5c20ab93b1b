from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest
from command import Running, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Start = Callable[..., Running]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a stream.sse"
    path.write_bytes(b"data: a\n\ndata: [DONE]\n\n")
    return path


def test_a_file_is_served_until_it_is_interrupted(start: Start, recording: Path) -> None:
    process = start("serve", str(recording), "--port", "0", "--fast")
    first, second = process.stdout.readline(), process.stdout.readline()
    name, _, url = first.strip().rpartition(" at ")
    assert name == "a stream.sse"
    assert second == f"For clients of OpenAI's API: base_url={url}v1\n"
    assert httpx.get(f"{url}events", trust_env=False).text.endswith("data: [DONE]\n\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(200) == 130
    assert process.stderr.read() == ""


def test_without_a_file_it_serves_the_demos_recording(start: Start) -> None:
    process = start("serve", "--port", "0")
    assert process.stdout.readline().startswith("chat.sse at http://127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-file"], "cannot read no-such-file: No such file or directory"),
        (["--pace", "0"], "--pace: must be more than 0"),
        (["--rate", "-1"], "--rate: must be more than 0"),
        (["--fail-after", "0"], "'--fail-after'"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], message: str) -> None:
    done = run("serve", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_a_recording_without_events_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.sse").write_bytes(b"")
    assert run("serve", str(tmp_path / "empty.sse")) == (1, "", "ssejet: empty.sse has no events\n")


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    message = f"ssejet: cannot serve on port {port}: Address already in use; use --port 0 for any free port"
    assert done.stderr.startswith(message)


def test_processes_without_redis_are_refused_with_the_remedy() -> None:
    done = run("serve", "--workers", "2")
    assert (done.returncode, done.stdout) == (2, "")
    message = " ".join(done.stderr.replace("│", " ").split())
    assert "share conversations over Redis only: add --redis redis://localhost, or leave out" in message


def test_a_redis_that_does_not_answer_is_an_error_that_hides_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = run("serve", "--redis", f"redis://me:secret@127.0.0.1:{port}/1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"ssejet: cannot reach Redis at redis://127.0.0.1:{port}/1: ")
    assert done.stderr.endswith("start it with redis-server, or correct --redis\n")
    assert "secret" not in done.stderr


def test_a_url_that_is_not_redis_is_an_error() -> None:
    done = run("serve", "--redis", "localhost:6379")
    assert done.returncode == 1
    assert done.stderr.startswith("ssejet: --redis: Redis URL must specify one of the following schemes")

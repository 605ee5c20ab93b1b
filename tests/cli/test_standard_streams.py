"""Commands whose standard input, output or error is closed, full, or a pipe without a reader."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from command import SCRIPT, UNREAD, UNREADABLE, Done, environment, run
from prepared import CLOSED

pytestmark = pytest.mark.slow

Run = Callable[..., Done]

COMMANDS = {
    "chat": ["chat", "hi", "--quiet", "--base-url", "{api}", "-m", "poet"],
    "chat --json": ["chat", "hi", "--json", "--base-url", "{api}", "-m", "poet"],
    "tail": ["tail", "-n", "3", "{server}/events"],
    "tail --json": ["tail", "--json", "-n", "3", "{server}/events"],
    "tail --raw": ["tail", "--raw", "-n", "3", "{server}/events"],
    "bench": ["bench", "{api}", "-m", "poet", "-n", "2"],
    "bench --json": ["bench", "{api}", "-m", "poet", "-n", "2", "--json", "-"],
    "help": ["--help"],
    "version": ["--version"],
}
every_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture(name="run")
def run_fixture(api: str, server: str) -> Callable[..., Done]:
    """Run one of the commands with redirections."""

    def redirected(command: str, **streams: Any) -> Done:
        arguments = [each.format(api=api, server=server) for each in COMMANDS[command]]
        return run(*arguments, OPENAI_API_KEY="", OPENAI_BASE_URL="", **streams)

    return redirected


@every_command
def test_output_to_a_closed_stream_is_dropped(run: Run, command: str) -> None:
    done = run(command, stdout=CLOSED)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "ssejet:" not in done.stderr


@every_command
def test_a_closed_input_is_not_needed(run: Run, command: str) -> None:
    done = run(command, stdin=CLOSED)
    assert done.returncode == 0
    assert done.stdout
    assert "Traceback" not in done.stderr


@every_command
@pytest.mark.parametrize(
    "streams",
    [{"stderr": CLOSED}, {"stderr": "/dev/full"}, dict.fromkeys(("stdin", "stdout", "stderr"), CLOSED)],
    ids=["closed", "full", "all closed"],
)
def test_a_closed_or_full_standard_error_does_not_fail_a_command_that_succeeds(
    run: Run, command: str, streams: dict[str, Any]
) -> None:
    if command == "bench --json" and streams["stderr"] == "/dev/full":
        pytest.skip("its report is for standard error, and cannot be written")
    assert run(command, **streams).returncode == 0


@every_command
def test_a_full_output_is_an_error_in_one_line(run: Run, command: str) -> None:
    done = run(command, stdout="/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ssejet: cannot write the output: No space left on device"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@every_command
def test_a_reader_that_leaves_is_no_failure(run: Run, command: str) -> None:
    done = run(command, stdout=UNREAD)
    assert done.returncode in ((0, 1) if command == "help" else (0,))
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_closed_input_holds_no_question_and_no_body(api: str, server: str) -> None:
    for arguments in ([], ["-f", "-"]):
        done = run("chat", "--base-url", api, "-m", "poet", *arguments, stdin=CLOSED)
        assert (done.returncode, "the question is empty" in done.stderr) == (2, True)
    done = run("tail", "--raw", "-d", "-", f"{server}/echo", stdin=CLOSED)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_input_that_cannot_be_read_is_named(api: str, server: str) -> None:
    for arguments in (["chat", "--base-url", api, "-m", "poet"], ["tail", "-d", "-", f"{server}/echo"]):
        done = run(*arguments, stdin=UNREADABLE)
        assert done.returncode == 2
        assert "cannot read -: " in done.stderr
        assert "Traceback" not in done.stderr


def test_the_console_script_begins_with_any_streams() -> None:
    for redirections, status in (
        ("<&- >&- 2>&-", 0),
        (">&-", 0),
        ("2>/dev/full", 0),
        (">/dev/full 2>/dev/null", 1),
        ("| true", 0),
    ):
        shell = ["bash", "-c", f'set -o pipefail; "$0" --version {redirections}', SCRIPT]
        done = subprocess.run(shell, env=environment(), capture_output=True, timeout=200, check=False)
        assert (done.returncode, done.stderr) == (status, b""), redirections


def test_a_server_whose_streams_are_closed_still_serves() -> None:
    # The parent of a daemon often leaves it no open stream.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["serve", "--fast", "--port", str(port)]
    process = subprocess.Popen(
        ["bash", "-c", 'exec "$0" "$@" <&- >&- 2>&-', SCRIPT, *arguments], env=environment()
    )
    try:
        while (response := _get(f"http://127.0.0.1:{port}/events")) is None:
            assert process.poll() is None, "it ended"
            time.sleep(0.02)
        assert response.headers["content-type"].startswith("text/event-stream")
        process.send_signal(signal.SIGINT)
        assert process.wait(200) == 130
    finally:
        process.kill()
        process.wait()


def _get(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url, trust_env=False)
    except httpx.ConnectError:
        return None

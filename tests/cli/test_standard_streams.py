"""Commands whose standard input, output or error is closed, full, or has nobody at its other end."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from command import SCRIPT, environment

if TYPE_CHECKING:
    from pathlib import Path

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
def run_fixture(api: str, server: str, tmp_path: Path) -> Run:
    return Run(api, server, tmp_path / "errors")


class Run:
    """Runs the console script in a shell, with redirections."""

    def __init__(self, api: str, server: str, errors: Path) -> None:
        self._names = {"api": api, "server": server}
        self._errors = errors

    def __call__(self, command: str, redirections: str) -> tuple[int, str, str]:
        """Gives the exit status, and what was written to standard output and error."""
        arguments = [each.format(**self._names) for each in COMMANDS[command]]
        self._errors.write_text("")
        done = subprocess.run(
            ["bash", "-c", f'set -o pipefail; "$0" "$@" {redirections}', SCRIPT, *arguments],
            env=environment(ERRORS=str(self._errors), OPENAI_API_KEY="", OPENAI_BASE_URL=""),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, self._errors.read_text() + done.stderr


@every_command
def test_a_closed_output_is_written_to_nobody(run: Run, command: str) -> None:
    status, output, errors = run(command, '>&- 2>"$ERRORS"')
    assert (status, output) == (0, "")
    assert "Traceback" not in errors
    assert "ssejet:" not in errors


@every_command
def test_a_closed_input_is_not_needed(run: Run, command: str) -> None:
    status, output, errors = run(command, '<&- 2>"$ERRORS"')
    assert status == 0
    assert output
    assert "Traceback" not in errors


@every_command
@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", ">&- 2>&- <&-"])
def test_a_closed_or_full_standard_error_is_no_failure_of_what_went_well(
    run: Run, command: str, redirections: str
) -> None:
    if command == "bench --json" and redirections == "2>/dev/full":
        pytest.skip("its report is for standard error, and cannot be written")
    assert run(command, redirections)[0] == 0


@every_command
def test_a_full_output_is_an_error_in_one_line(run: Run, command: str) -> None:
    status, _, errors = run(command, '>/dev/full 2>"$ERRORS"')
    assert status == 1
    assert errors.splitlines()[-1] == "ssejet: cannot write the output: No space left on device"
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


@every_command
def test_a_reader_that_leaves_is_no_failure(run: Run, command: str) -> None:
    status, _, errors = run(command, '2>"$ERRORS" | true')
    assert status in ((0, 1) if command == "help" else (0,))
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert "BrokenPipe" not in errors


def test_a_closed_input_holds_no_question_and_no_body(api: str, server: str) -> None:
    for arguments, reason in (
        (["chat", "--base-url", api, "-m", "poet"], "the question is empty"),
        (["chat", "--base-url", api, "-m", "poet", "-f", "-"], "the question is empty"),
    ):
        done = _with_input("<&-", *arguments)
        assert (done.returncode, reason in done.stderr) == (2, True)
    done = _with_input("<&-", "tail", "--raw", "-d", "-", f"{server}/echo")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_input_that_cannot_be_read_is_named(api: str, server: str) -> None:
    for arguments in (["chat", "--base-url", api, "-m", "poet"], ["tail", "-d", "-", f"{server}/echo"]):
        done = _with_input("0>/dev/null", *arguments)
        assert done.returncode == 2
        assert "cannot read -: " in done.stderr
        assert "Traceback" not in done.stderr


def _with_input(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'"$0" "$@" {redirection}', SCRIPT, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_server_whose_streams_are_closed_serves_all_the_same() -> None:
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
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()


def _get(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url, trust_env=False)
    except httpx.ConnectError:
        return None

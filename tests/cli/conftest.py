from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from command import LEFT_OUT, SCRIPT, SET, Terminal, environment
from endpoints import APP
from models import Log, logs
from typer import rich_utils

from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard() -> Iterator[None]:
    """Shells let what they start in the background ignore Ctrl-C, and so would the console script then."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested in this process sees what the console script sees, whoever runs the tests."""
    for name in LEFT_OUT:
        monkeypatch.delenv(name, raising=False)
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    # typer looked at the environment when it was imported.
    monkeypatch.setattr(rich_utils, "FORCE_TERMINAL", None)
    monkeypatch.setattr(rich_utils, "MAX_WIDTH", None)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with loopback_server(APP) as url:
        yield url


@pytest.fixture
def api(server: str) -> str:
    """The base URL of an API of the test's own."""
    name = str(len(logs))
    logs[name] = Log()
    return f"{server}/api/{name}"


@pytest.fixture
def log(api: str) -> Log:
    """What that API saw."""
    return logs[api.rpartition("/")[2]]


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Start the console script on a terminal; what still runs after the test is ended."""
    terminals: list[Terminal] = []

    def run(*arguments: str, **more: str) -> Terminal:
        terminals.append(Terminal(*arguments, **more))
        return terminals[-1]

    yield run
    for each in terminals:
        each.close()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the console script with arguments; what still runs after the test is ended."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment(**more),
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        with process:
            process.kill()

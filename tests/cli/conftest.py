from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from command import LEFT_OUT, SET, Running, Terminal
from endpoints import APP
from models import Log, logs
from typer import rich_utils

from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard() -> Iterator[None]:
    """Shells let what they start in the background ignore Ctrl-C, and the command would inherit that."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested in this process has the same environment as what is tested in others."""
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
    """Start the command on a terminal; what still runs after the test is ended."""
    terminals: list[Terminal] = []

    def run(*arguments: str, **more: str) -> Terminal:
        terminals.append(Terminal(*arguments, **more))
        return terminals[-1]

    yield run
    for each in terminals:
        each.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start the command with arguments; what still runs after the test is ended."""
    processes: list[Running] = []

    def run(*arguments: str, **more: str) -> Running:
        processes.append(Running(*arguments, **more))
        return processes[-1]

    yield run
    for process in processes:
        process.close()

"""Several processes that serve one port, without the command."""

from __future__ import annotations

from typing import Any

import pytest

from ssejet.cli._server import loopback_listener
from ssejet.cli._workers import WorkerError, run_workers

pytestmark = pytest.mark.slow


def broken() -> Any:
    raise ValueError("no app")


async def stops_at_once(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "not today"})


def unwilling() -> Any:
    return stops_at_once


@pytest.mark.parametrize("make_app", [broken, unwilling])
def test_workers_that_cannot_start_are_an_error_and_not_started_again_and_again(
    make_app: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    replaced: list[Any] = []
    with loopback_listener(0) as listener, pytest.raises(WorkerError, match="a worker could not start"):
        run_workers(2, make_app, listener, on_replaced=lambda *processes: replaced.append(processes))
    assert replaced == []
    if make_app is broken:
        assert "ValueError: no app" in capfd.readouterr().err

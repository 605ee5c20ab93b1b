"""The cases of ``vectors/http/event_source.json``; see ``vectors/README.md`` for their schema."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ssejet
from raw_server import Reply, Request, ScriptServer, Then
from ssejet import APIStatusError, APITimeoutError, ContentTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_refusals")]

CASES = json.loads((Path(__file__).parents[1] / "vectors/http/event_source.json").read_text("utf-8"))["cases"]


class Run:
    """One case with its server, and what a client has got from it so far."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.exchanges = case["exchanges"]
        self.server = ScriptServer(*(_reply(**exchange.get("reply", {})) for exchange in self.exchanges))
        self.events: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.raised: Exception | None = None
        self.ended = False

    def options(self) -> dict[str, Any]:
        return {"on_error": self.errors.append, "repeat": True, **self.case.get("options", {})}

    def add(self, event: ssejet.ServerSentEvent) -> bool:
        """Keep an event, and return whether the client must restart now."""
        fields = {"event": event.event, "data": event.data, "id": event.id}
        self.server.tell(lambda: self.events.append(fields))
        return len(self.events) == self.case.get("restart_after")

    def end(self, error: Exception | None = None) -> None:
        def end() -> None:
            self.raised = error
            self.ended = True

        self.server.tell(end)

    def wait(self, is_open: Callable[[], bool]) -> None:
        """Wait until the client has come to the end of the case."""
        end = self.case["end"]
        if end in {"closed", "error"}:
            self.server.wait_until(lambda: self.ended)
            return
        count = len(self.expected_events())
        self.server.wait_until(
            lambda: self.ended or (self.server.replied == len(self.exchanges) and len(self.events) >= count)
        )
        while end == "open" and not (self.ended or is_open()):
            threading.Event().wait(0.001)

    def expected_events(self) -> list[dict[str, Any]]:
        return [{"event": "message", "id": "", **event} for event in self.case.get("events", ())]

    def check(self, state: str) -> None:
        end = self.case["end"]
        assert self.events == self.expected_events()
        requests = self.server.requests
        assert len(requests) == len(self.exchanges) or end == "reconnects"
        for exchange, (_, request) in zip(self.exchanges, requests, strict=False):
            _check_request(request, **exchange.get("request", {}))
        for exchange, (before, _), (after, _) in zip(
            self.exchanges[1:], requests, requests[1:], strict=False
        ):
            assert after - before >= exchange.get("request", {}).get("least_wait", 0)
        if end == "error":
            assert isinstance(self.raised, (APIStatusError, ContentTypeError))
        else:
            assert self.raised is None
        if end != "reconnects":
            assert state == ("open" if end == "open" else "closed")
        if "restart_after" in self.case:
            assert self.errors == []
        if "idle_timeout" in self.case.get("options", {}):
            (error,) = self.errors
            assert isinstance(error, APITimeoutError)
            assert error.kind == "idle"


def _reply(
    *,
    status: int = 200,
    content_type: str = "text/event-stream",
    location: str | None = None,
    body: str | list[str] = (),
    stays_open: bool = False,
) -> Reply:
    pieces = [body] if isinstance(body, str) else body
    return Reply(
        body=[piece.encode() for piece in pieces],
        status=status,
        headers={"Content-Type": content_type, **({} if location is None else {"Location": location})},
        then=Then.HANG if stays_open else Then.END,
    )


def _check_request(
    request: Request,
    *,
    method: str = "GET",
    path: str | None = None,
    headers: dict[str, str | None] | None = None,
    body: str | None = None,
    least_wait: float = 0,
) -> None:
    assert request.method == method
    assert path is None or request.path == path
    assert body is None or request.body == body.encode()
    for name, value in (headers or {}).items():
        assert request.headers.get(name) == (None if value is None else value.encode())


def subscribe(run: Run) -> str:
    """Run a case synchronously, and return the state of the event source at its end."""
    with ssejet.subscribe(run.server.base, **run.options()) as subscription:

        def read() -> None:
            try:
                for event in subscription:
                    if run.add(event):
                        subscription.restart()
                run.end()
            except Exception as error:
                run.end(error)

        thread = threading.Thread(target=read)
        thread.start()
        run.wait(lambda: subscription.ready_state == "open")
        state = subscription.ready_state
        subscription.close()
        thread.join()
        return state


def asubscribe(run: Run) -> str:
    """Run a case asynchronously."""

    async def main() -> str:
        async with ssejet.asubscribe(run.server.base, **run.options()) as subscription:

            async def read() -> None:
                try:
                    async for event in subscription:
                        if run.add(event):
                            await subscription.restart()
                    run.end()
                except Exception as error:
                    run.end(error)

            task = asyncio.create_task(read())
            await asyncio.to_thread(run.wait, lambda: subscription.ready_state == "open")
            state = subscription.ready_state
            await subscription.aclose()
            await task
            return state

    return asyncio.run(main())


def test_there_are_58_cases_with_different_names() -> None:
    assert len(CASES) == 58
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("read", [subscribe, asubscribe])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_event_sources_do_what_browsers_and_other_clients_do(
    read: Callable[[Run], str], case: dict[str, Any]
) -> None:
    run = Run(case)
    with run.server:
        run.check(read(run))

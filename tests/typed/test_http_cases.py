"""The HTTP-level cases gathered from other projects' suites, where they are at hand."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ssejet
from raw_server import Reply, Request, ScriptServer, Then

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).parents[3] / "shared/conformance/http_cases.jsonl"

cases: list[dict[str, Any]] = (
    [json.loads(line) for line in CASES.read_text().splitlines()] if CASES.is_file() else []
)


class Case:
    """One case at work: its server, and a client that does as the case says."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.steps = case["server"]
        self.server = ScriptServer(*(_reply(step["response"]) for step in self.steps))
        self.events: list[ssejet.ServerSentEvent] = []
        self.errors: list[Exception] = []
        self.raised: Exception | None = None
        self.ended = False

    def options(self) -> dict[str, Any]:
        client = self.case["client"]
        options: dict[str, Any] = {"on_error": self.errors.append, "repeat": True}
        for name, option, scale in (
            ("method", "method", None),
            ("headers", "headers", None),
            ("body", "content", None),
            ("last_event_id", "last_event_id", None),
            ("initial_delay_ms", "reconnection_time", 1000),
            ("read_timeout_ms", "idle_timeout", 1000),
        ):
            if name in client:
                options[option] = client[name] if scale is None else client[name] / scale
        return options

    def wants_restart(self) -> bool:
        return "restart" in self.case["requires"] and len(self.events) == 1

    def end(self, error: Exception | None = None) -> None:
        self.raised = error
        self.ended = True

    def wait(self, is_open: Callable[[], bool]) -> None:
        """Wait until all that the case expects has happened, if it does."""
        fails = self.case["outcome"] == "fail"
        count = len(self.case["expected"])
        self.server.wait_until(
            lambda: (
                (self.server.replied == len(self.steps) and len(self.events) >= count and not fails)
                or self.ended
            )
        )
        while not (fails or self.ended or is_open()) and self.steps[-1]["response"]["end"] == "open":
            threading.Event().wait(0.001)

    def check(self, state: str) -> None:
        assert [
            {"type": event.event, "data": event.data, "last_event_id": event.id} for event in self.events
        ] == self.case["expected"]
        if self.steps[-1]["response"]["end"] == "open" or self.case["outcome"] == "fail":
            assert len(self.server.requests) == len(self.steps)
        for step, (_, request) in zip(self.steps, self.server.requests, strict=False):
            self._check_request(step["request"], request)
        for (before, _), (after, _), step in zip(
            self.server.requests, self.server.requests[1:], self.steps[1:], strict=False
        ):
            least, _ = step["request"].get("delay_ms", [0, None])
            assert (after - before) * 1000 >= least
        if self.case["outcome"] == "fail":
            assert state == "closed"
            last = self.steps[-1]["response"]["status"]
            assert (self.raised is None) == (last == 204)
        else:
            assert self.raised is None
            assert state == "open" or self.steps[-1]["response"]["end"] == "close"
        if "restart" in self.case["requires"]:
            assert self.errors == []
        if "read-timeout" in self.case["requires"]:
            assert [getattr(error, "kind", None) for error in self.errors] == ["idle"]

    def _check_request(self, expected: dict[str, Any], request: Request) -> None:
        assert request.method == expected.get("method", request.method)
        assert request.path == expected.get("path", request.path)
        for name, value in expected.get("headers", {}).items():
            assert request.headers[name] == value.encode()
        for name, value in expected.get("headers_b64", {}).items():
            assert request.headers[name] == b64decode(value)
        for name in expected.get("headers_absent", ()):
            assert name not in request.headers
        if "body_b64" in expected:
            assert request.body == b64decode(expected["body_b64"])


def _reply(response: dict[str, Any]) -> Reply:
    return Reply(
        body=[b64decode(each) for each in response["chunks_b64"]],
        status=response["status"],
        headers={
            name: value.replace("http://HOST/", "{base}") for name, value in response["headers"].items()
        },
        then=Then.HANG if response["end"] == "open" else Then.END,
    )


def subscribe(case: Case) -> str:
    """Go through a case synchronously, and return the state of the event source."""
    with ssejet.subscribe(case.server.base, **case.options()) as subscription:

        def read() -> None:
            try:
                for event in subscription:
                    case.server.tell(lambda event=event: case.events.append(event))
                    if case.wants_restart():
                        subscription.restart()
                case.server.tell(case.end)
            except Exception as error:
                case.server.tell(lambda error=error: case.end(error))

        thread = threading.Thread(target=read)
        thread.start()
        case.wait(lambda: subscription.ready_state == "open")
        state = subscription.ready_state
        subscription.close()
        thread.join()
        return state


def asubscribe(case: Case) -> str:
    """The same asynchronously."""

    async def main() -> str:
        async with ssejet.asubscribe(case.server.base, **case.options()) as subscription:

            async def read() -> None:
                try:
                    async for event in subscription:
                        case.server.tell(lambda event=event: case.events.append(event))
                        if case.wants_restart():
                            await subscription.restart()
                    case.server.tell(case.end)
                except Exception as error:
                    case.server.tell(lambda error=error: case.end(error))

            task = asyncio.create_task(read())
            await asyncio.to_thread(case.wait, lambda: subscription.ready_state == "open")
            state = subscription.ready_state
            await subscription.aclose()
            await task
            return state

    return asyncio.run(main())


@pytest.mark.skipif(not cases, reason=f"{CASES.name} is not at hand")
@pytest.mark.parametrize("run", [subscribe, asubscribe])
@pytest.mark.parametrize("case", cases, ids=lambda case: f"{case['suite']}: {case['name']}")
def test_event_sources_do_what_browsers_and_other_clients_do(
    run: Callable[[Case], str], case: dict[str, Any]
) -> None:
    running = Case(case)
    with running.server:
        running.check(run(running))

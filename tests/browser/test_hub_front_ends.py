"""What is sent to front ends, with a hub under it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import model_events
import node
import pytest
from engines import Chromium, Node
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from test_front_ends import CHAT, parts

from ssejet.cli._server import loopback_server
from ssejet.emit import ag_ui, ai_sdk
from ssejet.emit.starlette import EventStreamResponse, browser_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engines import Engine
    from starlette.requests import Request

hub_module = pytest.importorskip("ssejet.hub", reason="this version has no hub")

pytestmark = pytest.mark.asyncio(loop_scope="session")


def site(hub: Any) -> Starlette:
    runs: list[str] = []

    async def model(name: str) -> AsyncIterator[Any]:
        runs.append(name)
        for event in model_events.chat():
            yield event

    async def failing() -> AsyncIterator[str]:
        yield "1"
        raise ValueError("secret")

    async def use_chat(request: Request) -> Response:
        if request.method == "POST":
            await hub.start("chat", lambda: ai_sdk.astream(model("chat")))
        log = hub.follow("chat", last_event_id=request.headers.get("last-event-id", ""))
        return EventStreamResponse(ai_sdk.astream(log), headers=ai_sdk.HEADERS)

    async def agent(request: Request) -> Response:
        run = await request.json()
        names = {"thread_id": run["threadId"], "run_id": run["runId"]}
        await hub.start("agent", lambda: ag_ui.astream(model("agent"), **names))
        return EventStreamResponse(ag_ui.astream(hub.follow("agent"), **names))

    async def words(request: Request) -> Response:
        await hub.start("words", lambda: ["1", "2", "3", "4"])
        while await hub.status("words") == "live":  # noqa: ASYNC110 - a hub says no more
            await asyncio.sleep(0.001)
        return hub.response("words", request)  # type: ignore[no-any-return]

    async def fails(request: Request) -> Response:
        await hub.start("fails", failing)
        return hub.response("fails", request)  # type: ignore[no-any-return]

    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse("<!doctype html><title>test</title>")),
            Route("/ssejet.js", browser_module),
            Route("/use-chat", use_chat, methods=["GET", "POST"]),
            Route("/agent", agent, methods=["POST"]),
            Route("/words", words),
            Route("/fails", fails),
        ]
    )
    app.state.runs = runs
    return app


@pytest.fixture(params=["node", "chromium"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with loopback_server(site(hub_module.AsyncHub(max_events=3))) as url:
        yield Node(url) if request.param == "node" else Chromium(url, request.getfixturevalue("page"))


async def test_use_chat_resumes_an_answer_and_the_model_runs_once() -> None:
    node.packages()
    app = site(hub_module.AsyncHub())
    with loopback_server(app) as url:
        given = {"url": f"{url}/use-chat", "resume": False}
        first = await node.run(node.HERE / "read_ai_sdk.mjs", given=given)
        again = await node.run(node.HERE / "read_ai_sdk.mjs", given={**given, "resume": True})
    for found in (first, again):
        assert (found["error"], found["finish"]["finishReason"]) == (None, "stop")
        assert parts(found) == CHAT
    assert app.state.runs == ["chat"]


async def test_ag_ui_reads_an_answer_of_a_hub() -> None:
    node.packages()
    app = site(hub_module.AsyncHub())
    with loopback_server(app) as url:
        found = [
            await node.run(node.HERE / "read_ag_ui.mjs", given={"url": f"{url}/agent"}) for _ in range(2)
        ]
    for each in found:
        assert (each["error"], each["warnings"]) == (None, [])
        assert each["messages"][-1]["content"] == "7 °C."
    assert app.state.runs == ["agent"]


async def test_connect_understands_what_a_hub_says(engine: Engine) -> None:
    found = await engine.call(
        """
        async ({ connect }, url) => {
          const gaps = [];
          const onGap = (gap) => gaps.push(gap);
          const events = connect(url + "/words", { onGap });
          const data = [];
          for await (const event of events) data.push(event.data);
          const { end, lastEventId } = events;
          const rest = [];
          for await (const event of connect(url + "/words", { lastEventId })) rest.push(event);
          let error;
          try {
            for await (const event of connect(url + "/fails")) data.push(event.data);
          } catch (thrown) {
            error = { kind: thrown.kind, message: thrown.message };
          }
          return { data, gaps, end: end.event, reason: JSON.parse(end.data).reason, rest, error };
        }
        """
    )
    # The log keeps three events, the end among them.
    assert found["data"] == ["3", "4", "1"]
    assert found["gaps"] == [{"reason": "trimmed", "missed": 2}]
    assert (found["end"], found["reason"], found["rest"]) == ("end", "finished", [])
    assert found["error"]["kind"] == "server"
    assert "secret" not in found["error"]["message"]

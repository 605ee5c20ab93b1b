"""What is sent to front ends, with a hub under it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import model_events
import node
import pytest
from engines import Chromium, Node
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from test_front_ends import CHAT, parts

from ssejet.chat import ChatCompletionChunk
from ssejet.cli._server import loopback_server
from ssejet.emit import ag_ui, ai_sdk
from ssejet.emit.starlette import browser_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engines import Engine
    from starlette.requests import Request

hub_module = pytest.importorskip("ssejet.hub", reason="this version has no hub")

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Site:
    """An app with a hub. It counts the model's runs, and can cut connections."""

    def __init__(self, pause: float = 0.0, **options: Any) -> None:
        self.hub = hub_module.AsyncHub(**options)
        self.runs: list[str] = []
        self.ended: list[str] = []
        self.cut_after: int | None = None
        # Whether the page runs the model's tools.
        self.has_page_tools = False
        # Whether an answer that goes on after them waits until a page asks to resume.
        self.waits_for_resume = False
        # The first run makes its last third when somebody has asked to resume.
        self.first_run_waits = False
        self._pause = pause
        self._app = Starlette(
            routes=[
                Route("/", lambda _: HTMLResponse("<!doctype html><title>test</title>")),
                Route("/ssejet.js", browser_module),
                Route("/api/chat", self._chat, methods=["POST"]),
                Route("/api/chat/{id}/stream", self._resume),
                Route("/api/chat/{id}/stream", self._stop, methods=["DELETE"]),
                Route("/cut", self._cut, methods=["POST"]),
                Route("/agent", self._agent, methods=["POST"]),
                Route("/agent/stop", self._stop_agent, methods=["POST"]),
                Route("/words", self._words),
                Route("/fails", self._fails),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        left, self.cut_after = self.cut_after, None

        async def send_some(message: Any) -> None:
            nonlocal left
            await send(message)
            if left is not None and message.get("body"):
                left -= 1
                if not left:
                    # A client drops what it has not handed out yet when the connection breaks.
                    await asyncio.sleep(0.1)
                    raise _CutError

        with suppress(_CutError):
            await self._app(scope, receive, send_some)

    async def _model(self, name: str) -> AsyncIterator[Any]:
        self.runs.append(name)
        try:
            events = self._events(name)
            is_first = len(self.runs) == 1
            for number, event in enumerate(events):
                await asyncio.sleep(self._pause)
                while number == len(events) * 2 // 3 and is_first and self.first_run_waits:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                while number == 1 and name == "tools" and self.waits_for_resume:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                # Each answer of a model has an id of its own.
                if isinstance(event, ChatCompletionChunk):
                    own = {**event.to_dict(), "id": f"{event.id}-{len(self.runs)}"}
                    yield ChatCompletionChunk.from_dict(own)
                else:
                    yield event
        finally:
            self.ended.append(name)

    def _events(self, name: str) -> list[Any]:
        events = model_events.chat()
        if not self.has_page_tools:
            return events
        answered = [isinstance(event, ai_sdk.ToolOutput) for event in events].index(True)
        return events[answered + 2 :] if name == "tools" else events[:answered]

    async def _chat(self, request: Request) -> Response:
        asked = await request.json()
        key = f"user:{asked['id']}"
        messages = asked["messages"]
        first = "tools" if messages[-1]["role"] == "assistant" else "chat"
        return await ai_sdk.answer(self.hub, key, lambda: self._model(first), messages=messages)

    async def _resume(self, request: Request) -> Response:
        self.waits_for_resume = self.first_run_waits = False
        return await ai_sdk.resume(self.hub, f"user:{request.path_params['id']}")

    async def _stop(self, request: Request) -> Response:
        await self.hub.stop(f"user:{request.path_params['id']}")
        return Response(status_code=204)

    async def _cut(self, _: Request) -> Response:
        self.cut_after = 1
        return Response()

    async def _agent(self, request: Request) -> Response:
        run = await request.json()
        return await ag_ui.answer(self.hub, f"user:{run['runId']}", run, lambda: self._model("agent"))

    async def _stop_agent(self, _: Request) -> Response:
        await self.hub.stop("user:run")
        return Response(status_code=204)

    async def _words(self, request: Request) -> Response:
        await self.hub.start("words", lambda: ["1", "2", "3", "4"])
        while await self.hub.status("words") == "live":  # noqa: ASYNC110 - a hub says no more
            await asyncio.sleep(0.001)
        return self.hub.response("words", request)  # type: ignore[no-any-return]

    async def _fails(self, request: Request) -> Response:
        async def failing() -> AsyncIterator[str]:
            yield "1"
            raise ValueError("secret")

        await self.hub.start("fails", failing)
        return self.hub.response("fails", request)  # type: ignore[no-any-return]


# What the message has in the end if the page runs the tools.
WITH_PAGE_TOOLS = [
    (*part[:2], "output-available", part[3], 7.0) if part[0].startswith("tool-") else part for part in CHAT
]


class _CutError(Exception):
    """A connection is cut."""


@pytest.fixture(params=["node", "chromium"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with loopback_server(Site(max_events=3)) as url:  # type: ignore[arg-type]
        yield Node(url) if request.param == "node" else Chromium(url, request.getfixturevalue("page"))


async def chat_with(site: Site, *steps: str) -> list[dict[str, Any]]:
    """Take the steps with the AI SDK's chat; what it has after each of them."""
    node.packages()
    with loopback_server(site) as url:  # type: ignore[arg-type]
        given = {"api": f"{url}/api/chat", "id": "c1", "steps": steps}
        found: list[dict[str, Any]] = await node.run(node.HERE / "resume_ai_sdk.mjs", given=given)
        return found


async def run_agent(site: Site, attempts: int, *, stop: bool = False) -> list[dict[str, Any]]:
    """Run AG-UI's agent some times with one run's id; what it has after each of them."""
    node.packages()
    with loopback_server(site) as url:  # type: ignore[arg-type]
        given = {"url": f"{url}/agent", "attempts": attempts, "stop": stop}
        found = await node.run(node.HERE / "resume_ag_ui.mjs", given=given)
    assert [told for told in found["warnings"] if not told.startswith("Agent execution failed")] == []
    return found["attempts"]  # type: ignore[no-any-return]


def answers(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for message in step["messages"] if message["role"] == "assistant"]


async def test_use_chat_asks_once_and_gets_the_status_204_where_nothing_is_left() -> None:
    site = Site()
    before, asked, resumed = await chat_with(site, "resume", "ask", "resume")
    assert (before["statuses"], before["status"], before["messages"]) == ([204], "ready", [])
    assert (asked["error"], asked["finish"]["finishReason"]) == (None, "stop")
    assert parts({"messages": answers(asked)}) == CHAT
    assert (resumed["statuses"], resumed["status"]) == ([204], "ready")
    assert resumed["messages"] == asked["messages"]
    assert site.runs == ["chat"]


@pytest.mark.parametrize("reloads", [False, True])
async def test_use_chat_goes_on_after_a_cut_and_nothing_is_lost_or_doubled(reloads: bool) -> None:
    site = Site(pause=0.03)
    site.cut_after = 8
    site.first_run_waits = True
    cut, *_, resumed = await chat_with(site, "ask", *(["reload"] if reloads else []), "resume")
    assert cut["status"] == "error"
    assert 0 < len(answers(cut)[0]["parts"]) < len(CHAT)
    assert (resumed["statuses"], resumed["error"]) == ([200], None)
    assert parts({"messages": answers(resumed)}) == CHAT
    assert site.runs == ["chat"]


async def test_use_chat_learns_that_another_page_has_stopped_the_answer() -> None:
    site = Site(pause=0.03)
    site.first_run_waits = True
    stopped, asked = await chat_with(site, "stop", "ask")
    assert (stopped["status"], stopped["error"]) == ("ready", None)
    assert 0 < len(answers(stopped)[0]["parts"]) < len(CHAT)
    assert site.ended[0] == "chat"
    # The next answer takes the place of the one that was stopped.
    assert parts({"messages": answers(asked)[1:]}) == CHAT
    assert site.runs == ["chat", "chat"]


async def test_a_new_question_takes_the_place_of_an_answer_that_is_still_made() -> None:
    site = Site(pause=0.03)
    site.cut_after = 8
    _, again = await chat_with(site, "ask", "ask")
    assert again["error"] is None
    assert parts({"messages": answers(again)[1:]}) == CHAT
    assert site.runs == ["chat", "chat"]


async def test_an_answer_that_goes_on_after_tools_of_the_page_is_the_same_message() -> None:
    site = Site()
    site.has_page_tools = True
    asked, went_on = await chat_with(site, "ask", "tools")
    assert asked["finish"]["finishReason"] == "tool-calls"
    assert (went_on["error"], answers(went_on)[0]["id"]) == (None, answers(asked)[0]["id"])
    assert parts({"messages": answers(went_on)}) == WITH_PAGE_TOOLS
    assert site.runs == ["chat", "tools"]


@pytest.mark.parametrize("reloads", [False, True])
async def test_an_answer_that_goes_on_after_tools_of_the_page_is_resumed_as_a_whole(reloads: bool) -> None:
    site = Site()
    site.has_page_tools = site.waits_for_resume = True
    steps = ["ask", "cut", "tools", *(["reload"] if reloads else []), "resume"]
    *_, resumed = await chat_with(site, *steps)
    assert (resumed["statuses"], resumed["error"]) == ([200], None)
    assert parts({"messages": answers(resumed)}) == WITH_PAGE_TOOLS
    assert site.runs == ["chat", "tools"]


async def test_ag_ui_goes_on_after_a_cut_and_nothing_is_lost_or_doubled() -> None:
    site = Site(pause=0.03)
    site.cut_after = 10
    cut, resumed, again = await run_agent(site, 3)
    assert cut["error"]
    assert "RUN_FINISHED" not in cut["types"]
    assert [message["role"] for message in cut["messages"]][:2] == ["reasoning", "assistant"]
    for each in resumed, again:
        assert (each["error"], each["types"][-1]) == (None, "RUN_FINISHED")
        reasoning, assistant, one, two, last = each["messages"]
        assert reasoning["content"] == "Let me see."
        assert (assistant["content"], len(assistant["toolCalls"])) == ("I'll look … 你😀", 2)
        assert assistant["toolCalls"][0]["function"]["arguments"] == '{"city": "Oslo"}'
        assert (one["toolCallId"], two["toolCallId"]) == ("call_1", "call_2")
        assert last["content"] == "7 °C."
    assert site.runs == ["agent"]


async def test_ag_ui_learns_that_another_page_has_stopped_the_run() -> None:
    site = Site(pause=0.03)
    (stopped,) = await run_agent(site, 1, stop=True)
    assert (stopped["error"], stopped["outcome"]) == (None, {"type": "cancelled"})
    assert stopped["messages"][0]["content"].startswith("Let me ")
    assert site.ended == ["agent"]


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

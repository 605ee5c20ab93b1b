"""``connect()`` of the JavaScript module against real servers, in Node and in Chromium."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import node
import pytest
from engines import Chromium, Node
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from servers import Answer, Then
from ssejet.cli._server import loopback_server
from ssejet.emit.starlette import EventStreamResponse, browser_module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

pytestmark = pytest.mark.asyncio(loop_scope="session")

# A browser drops what it has not handed out yet when the connection breaks.
BREAK = (0.1, Then.DROP)

# What comes out of a connection, as JSON.
READ = """
async ({ connect }, url, { path = "/events", throwAt, closeAt, abortAt, ...options }) => {
  const [events, retries] = [[], []];
  const controller = new AbortController();
  const connection = connect(new URL(path, url), {
    retry: 0,
    signal: controller.signal,
    onRetry: ({ error, ...others }) => retries.push({ ...others, error: error ? String(error) : null }),
    ...options,
  });
  let error = null;
  try {
    for await (const { event, data, id } of connection) {
      events.push([event, data, id]);
      if (data === closeAt) connection.close();
      if (data === abortAt) controller.abort("the user left");
    }
  } catch (thrown) {
    const { name, kind, status, message, body } = thrown;
    error = name ? { name, kind, status, message, body } : thrown;
  }
  return { events, retries, error, end: connection.end?.event ?? null, lastEventId: connection.lastEventId };
}
"""


@dataclass
class Script:
    """Answers requests for events with the next of its answers."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def add(self, *steps: Any, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        self.answers.append(Answer("", steps, status, {"content-type": kind, **headers}))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        answer = self.answers[len(self.requests)]
        headers = {name.decode(): value for name, value in scope["headers"]}
        request = {
            "method": scope["method"],
            "path": scope["path"],
            "body": body.decode(),
            "headers": headers,
        }
        self.requests.append(request)
        await answer(scope, receive, send)

    def sent_ids(self) -> list[str | None]:
        found = [request["headers"].get("last-event-id") for request in self.requests]
        return [None if value is None else value.decode() for value in found]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture(params=["node", "chromium"])
def engine(request: pytest.FixtureRequest, script: Script) -> Iterator[Engine]:
    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse("<!doctype html><title>test</title>")),
            Route("/ssejet.js", browser_module),
            Route("/events", script, methods=["GET", "POST", "PUT"]),
            Route("/resume/{id}", script),
        ]
    )
    with loopback_server(app) as url:
        if request.param == "node":
            yield Node(url)
        else:
            yield Chromium(url, request.getfixturevalue("page"))


async def test_a_lost_connection_resumes_after_the_last_event(engine: Engine, script: Script) -> None:
    script.add(b"retry: 1\nid: a-1\ndata: 1\n\nid: a-2\ndata: 2\n\nid: a-3\ndata: 3", *BREAK)
    script.add(b"id: a-3\ndata: 3\n\n: alive\n\nid: a-4\n\n")
    script.add(b'event: end\nid: a-5\ndata: {"reason":"finished"}\n\n', Then.HANG)
    found = await engine.call(READ, {"headers": {"authorization": "Bearer x"}})
    assert found["events"] == [["message", str(n), f"a-{n}"] for n in (1, 2, 3)]
    assert (found["error"], found["end"], found["lastEventId"]) == (None, "end", "a-5")
    assert script.sent_ids() == [None, "a-2", "a-4"]
    assert [request["headers"]["authorization"] for request in script.requests] == [b"Bearer x"] * 3
    assert [request["headers"]["accept"] for request in script.requests] == [b"text/event-stream"] * 3
    assert [retry["failures"] for retry in found["retries"]] == [1, 1]
    assert [retry["error"] is None for retry in found["retries"]] == [False, True]


async def test_an_id_is_sent_as_its_utf_8(engine: Engine, script: Script) -> None:
    script.add("id: …é😀\ndata: 1\n\n".encode())
    script.add(status=204)
    found = await engine.call(READ, {"lastEventId": "ü"})
    assert found["events"] == [["message", "1", "…é😀"]]
    assert script.sent_ids() == ["ü", "…é😀"]


@pytest.mark.parametrize("engine", ["node"], indirect=True)
async def test_an_id_that_node_cannot_send_ends_the_stream_with_its_error(
    engine: Engine, script: Script
) -> None:
    """To ask without the id would give the events twice, and to ask again would fail for ever."""
    script.add(b"id: a\x01b\ndata: 1\n\n")
    found = await engine.call(READ, {})
    assert found["events"] == [["message", "1", "a\x01b"]]
    assert (found["error"]["name"], found["error"]["message"]) == ("TypeError", "fetch failed")
    assert found["lastEventId"] == "a\x01b"
    assert (len(script.requests), len(found["retries"])) == (1, 1)


@pytest.mark.parametrize("engine", ["chromium"], indirect=True)
async def test_a_browser_sends_an_id_with_control_characters(engine: Engine, script: Script) -> None:
    script.add(b"id: a\x01b\ndata: 1\n\n")
    script.add(status=204)
    found = await engine.call(READ, {})
    assert found["error"] is None
    assert script.sent_ids() == [None, "a\x01b"]


async def test_204_ends_a_stream_that_has_nothing_left(engine: Engine, script: Script) -> None:
    script.add(status=204)
    found = await engine.call(READ, {"lastEventId": "a-5"})
    assert found == {"events": [], "retries": [], "error": None, "end": None, "lastEventId": "a-5"}
    assert script.sent_ids() == ["a-5"]


@pytest.mark.parametrize("last", ["event: end\ndata: x", "event: done\ndata: [DONE]", "data: [DONE]"])
async def test_an_event_that_says_so_ends_the_stream(engine: Engine, script: Script, last: str) -> None:
    script.add(f"data: 1\n\n{last}\n\ndata: 2\n\n".encode(), Then.HANG)
    found = await engine.call(READ, {})
    assert [data for _, data, _ in found["events"]] == ["1"]
    assert found["error"] is None
    assert found["end"] == last.partition("event: ")[2].partition("\n")[0] or "message"


async def test_an_event_error_is_thrown_after_what_came_before_it(engine: Engine, script: Script) -> None:
    body = {"error": {"message": "The producer of this stream has disappeared.", "code": "abandoned"}}
    script.add(f"data: 1\n\nevent: error\nid: a-2\ndata: {json.dumps(body)}\n\n".encode(), Then.HANG)
    found = await engine.call(READ, {})
    assert [data for _, data, _ in found["events"]] == ["1"]
    assert found["error"] == {
        "name": "SSEError",
        "kind": "server",
        "message": "The producer of this stream has disappeared.",
        "body": body,
    }


async def test_a_gap_is_told_and_without_a_listener_it_is_an_event(engine: Engine, script: Script) -> None:
    gap = b'id: b-7\nevent: gap\ndata: {"reason":"trimmed","missed":7}\n\n'
    script.add(gap + b"id: b-8\ndata: 8\n\n")
    script.add(gap + b"event: end\nid: b-9\ndata:\n\n")
    found = await engine.call(
        """
        async ({ connect }, url) => {
          const [events, gaps] = [[], []];
          const onGap = (gap) => gaps.push(gap);
          for await (const event of connect(url + "/events", { retry: 0, repeat: false, onGap }))
            events.push(event.event);
          for await (const event of connect(url + "/events")) events.push(event.event);
          return { events, gaps };
        }
        """
    )
    assert found == {"events": ["message", "gap"], "gaps": [{"reason": "trimmed", "missed": 7}]}


async def test_a_post_is_sent_once_unless_told_otherwise(engine: Engine, script: Script) -> None:
    options = {"method": "POST", "body": '{"prompt":"x"}', "headers": {"content-type": "application/json"}}
    script.add(b"data: 1\n\n", *BREAK)
    found = await engine.call(READ, options)
    assert found["error"]["kind"] == "lost"
    assert "pass repeat or resume" in found["error"]["message"]
    # An end that is no break is one.
    script.add(b"data: 2\n\n")
    found = await engine.call(READ, options)
    assert (found["error"], found["events"]) == (None, [["message", "2", ""]])
    script.add(b"data: 3\n\n", *BREAK)
    script.add(b"data: 4\n\nevent: done\ndata:\n\n")
    found = await engine.call(READ, {**options, "repeat": True})
    assert [data for _, data, _ in found["events"]] == ["3", "4"]
    assert [(each["method"], each["body"]) for each in script.requests] == [("POST", '{"prompt":"x"}')] * 4


async def test_a_post_resumes_with_a_get(engine: Engine, script: Script) -> None:
    options = {"method": "POST", "body": "{}", "headers": {"content-type": "application/json", "x-key": "7"}}
    script.add(b"id: a-1\ndata: 1\n\n", *BREAK)
    script.add(b"id: a-2\ndata: 2\n\nevent: end\ndata: x\n\n")
    found = await engine.call(
        """
        async ({ connect }, url, options) => {
          const resume = (id) => `${url}/resume/${id}`;
          const events = [];
          const connection = connect(url + "/events", { retry: 0, resume, ...options });
          for await (const event of connection) events.push(event.data);
          return events;
        }
        """,
        options,
    )
    assert found == ["1", "2"]
    first, second = script.requests
    assert (first["method"], first["path"], first["body"]) == ("POST", "/events", "{}")
    assert (second["method"], second["path"], second["body"]) == ("GET", "/resume/a-1", "")
    assert "content-type" not in second["headers"]
    assert (second["headers"]["last-event-id"], second["headers"]["x-key"]) == (b"a-1", b"7")


async def test_what_is_no_stream_is_an_error_that_shows_it(engine: Engine, script: Script) -> None:
    script.add(b'{"error": {"message": "No such chat."}}', status=404, kind="application/json")
    found = await engine.call(READ, {})
    assert found["error"] == {
        "name": "SSEError",
        "kind": "status",
        "status": 404,
        "message": "HTTP status 404: No such chat.",
        "body": {"error": {"message": "No such chat."}},
    }
    script.add(b"<title>Log in</title>", kind="text/html")
    found = await engine.call(READ, {})
    assert found["error"]["kind"] == "content-type"
    assert found["error"]["message"] == "not an event stream but text/html: <title>Log in</title>"


async def test_a_server_that_restarts_is_waited_for_only_after_it_has_sent_events(
    engine: Engine, script: Script
) -> None:
    script.add(b"unavailable", status=503)
    assert (await engine.call(READ, {}))["error"]["status"] == 503
    script.add(b"id: 1\ndata: 1\n\n")
    script.add(b"bad gateway", status=502)
    script.add(b"slow down", status=429, **{"retry-after": "0.15"})
    script.add(b"data: 2\n\nevent: end\ndata:\n\n")
    found = await engine.call(READ, {})
    assert [data for _, data, _ in found["events"]] == ["1", "2"]
    assert [retry["failures"] for retry in found["retries"]] == [1, 2, 3]
    assert found["retries"][2]["delay"] >= 150
    script.add(b"id: 1\ndata: 1\n\n")
    script.add(b"gone", status=410)
    assert (await engine.call(READ, {}))["error"]["status"] == 410


async def test_it_gives_up_after_so_many_attempts(engine: Engine, script: Script) -> None:
    for _ in range(3):
        script.add(Then.DROP)
    found = await engine.call(READ, {"attempts": 3})
    assert found["error"]["kind"] == "lost"
    assert "3 times in a row" in found["error"]["message"]
    assert len(script.requests) == 3


async def test_waits_double_up_to_a_bound_and_are_spread(engine: Engine) -> None:
    function = """
    async ({ connect }, url, { retry, maxRetry }) => {
      const delays = [];
      const wait = globalThis.setTimeout;
      globalThis.setTimeout = (run, delay) => (delays.push(delay), wait(run, 0));
      const fetch = async () => { throw new TypeError("no network"); };
      const found = {};
      for (const random of [0, 0.5, 1]) {
        Math.random = () => random;
        try {
          for await (const _ of connect(url, { fetch, retry, maxRetry, attempts: 6 }));
        } catch {}
        found[random] = delays.splice(0);
      }
      globalThis.setTimeout = wait;
      return found;
    }
    """
    found = await engine.call(function, {"retry": 1000, "maxRetry": 5000})
    assert found["0"] == [1000] * 5
    assert found["1"] == pytest.approx([1100, 2000, 4000, 5000, 5000])
    assert found["0.5"] == pytest.approx([1050, 1500, 2500, 3000, 3000])
    # A server that asks for no wait gets no flood, and one that asks for a year is not asked at once.
    assert (await engine.call(function, {"retry": 0, "maxRetry": 60000}))["1"][:2] == pytest.approx(
        [110, 200]
    )
    assert (await engine.call(function, {"retry": 1e12, "maxRetry": 60000}))["1"] == [2e9] * 5


@pytest.mark.parametrize(("option", "error"), [("closeAt", None), ("abortAt", "the user left")])
async def test_close_ends_it_quietly_and_a_signal_with_its_reason(
    engine: Engine, script: Script, option: str, error: Any
) -> None:
    script.add(b"data: 1\n\n", Then.HANG)
    found = await engine.call(READ, {option: "1"})
    assert found["error"] == error
    assert found["retries"] == []
    assert await asyncio.to_thread(script.answers[0].left.wait, 200), "the server was not left"


async def test_a_break_leaves_the_server_and_another_iteration_goes_on(
    engine: Engine, script: Script
) -> None:
    script.add(b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n", Then.HANG)
    script.add(b"id: 2\ndata: 2\n\nevent: end\ndata:\n\n")
    found = await engine.call(
        """
        async ({ connect }, url) => {
          const connection = connect(url + "/events");
          const events = [];
          for await (const event of connection) { events.push(event.data); break; }
          for await (const event of connection) events.push(event.data);
          return events;
        }
        """
    )
    assert found == ["1", "2"]
    assert script.sent_ids() == [None, "1"]
    assert await asyncio.to_thread(script.answers[0].left.wait, 200), "the server was not left"


async def test_a_wait_ends_when_it_is_closed_and_when_the_network_is_back(
    engine: Engine, script: Script
) -> None:
    script.add(b"id: 1\ndata: 1\n\n")
    script.add(b"data: 2\n\n")
    found = await engine.call(
        """
        async ({ connect }, url) => {
          globalThis.addEventListener ?? Object.assign(globalThis, { listeners: new EventTarget() });
          globalThis.listeners && ["addEventListener", "removeEventListener", "dispatchEvent"].forEach(
            (name) => (globalThis[name] = listeners[name].bind(listeners)));
          let waits = 0;
          const wake = () => waits++ ? connection.close() : dispatchEvent(new Event("online"));
          const onRetry = () => setTimeout(wake, 1);
          const connection = connect(url + "/events", { retry: 1e9, onRetry });
          const events = [];
          for await (const event of connection) events.push(event.data);
          return events;
        }
        """
    )
    assert found == ["1", "2"]


async def test_a_connection_that_is_silent_counts_as_lost(engine: Engine, script: Script) -> None:
    script.add(b"id: 1\ndata: 1\n\n", Then.HANG)
    script.add(b"data: 2\n\nevent: end\ndata:\n\n")
    found = await engine.call(READ, {"idleTimeout": 300})
    assert [data for _, data, _ in found["events"]] == ["1", "2"]
    assert [retry["error"] for retry in found["retries"]] == ["Error: idleTimeout"]
    assert script.sent_ids() == [None, "1"]


async def test_headers_can_be_made_for_each_request_and_a_wrong_request_is_an_error(
    engine: Engine, script: Script
) -> None:
    script.add(b"data: 1\n\n")
    script.add(status=204)
    found = await engine.call(
        """
        async ({ connect }, url) => {
          let count = 0;
          const headers = async () => ({ "x-token": String(++count) });
          for await (const event of connect(url + "/events", { headers, retry: 0 }));
          const errors = [];
          for (const options of [{ headers: { "x y": "" } }, { method: "a b" }])
            try {
              for await (const event of connect(url + "/events", options));
            } catch (error) {
              errors.push(error.name);
            }
          return errors;
        }
        """
    )
    assert found == ["TypeError", "TypeError"]
    assert [request["headers"]["x-token"] for request in script.requests] == [b"1", b"2"]


async def test_an_event_over_the_limit_ends_it_after_those_before(engine: Engine, script: Script) -> None:
    script.add(b"data: 1\n\ndata: " + b"x" * 100 + b"\n\n", Then.HANG)
    found = await engine.call(READ, {"maxEventSize": 50})
    assert [data for _, data, _ in found["events"]] == ["1"]
    assert found["error"]["kind"] == "too-large"


async def test_it_reads_what_our_own_response_sends(page: Any) -> None:
    async def events(request: Any) -> EventStreamResponse:
        return EventStreamResponse([{"n": 1}, {"n": 2}])

    async def fails(request: Any) -> EventStreamResponse:
        def source() -> Iterator[str]:
            yield "1"
            raise ValueError("secret")

        return EventStreamResponse(source())

    app = Starlette(routes=[Route("/events", events), Route("/fails", fails)])
    with loopback_server(app) as url:
        found = await Node(url).call(READ, {})
        assert [json.loads(data) for _, data, _ in found["events"]] == [{"n": 1}, {"n": 2}]
        assert (found["end"], found["error"]) == ("done", None)
        found = await Node(url).call(READ, {"path": "/fails"})
        assert (found["events"], found["error"]["kind"]) == ([["message", "1", ""]], "server")
        assert "secret" not in found["error"]["message"]


@pytest.mark.slow
async def test_an_error_whose_body_never_comes_is_thrown_all_the_same(engine: Engine, script: Script) -> None:
    script.add(Then.HANG, status=503, kind="application/json")
    script.add(b"Please wai", Then.HANG, kind="text/html")
    found = await engine.call(READ, {})
    assert (found["error"]["kind"], found["error"]["message"]) == ("status", "HTTP status 503: ")
    found = await engine.call(READ, {})
    assert found["error"]["message"] == "not an event stream but text/html: Please wai"


async def test_two_readers_of_one_connection_are_refused_as_they_would_lose_events(
    engine: Engine, script: Script
) -> None:
    script.add(b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nevent: end\ndata:\n\n")
    found = await engine.call(
        """
        async ({ connect }, url) => {
          const connection = connect(url + "/events");
          const found = [];
          const again = async () => {
            for await (const other of connection) found.push("other");
          };
          for await (const event of connection) {
            found.push(event.data);
            await again().catch(({ message }) => found.push(message));
          }
          return found;
        }
        """
    )
    assert found == ["1", "already read", "2", "already read"]
    assert len(script.requests) == 1


@pytest.mark.slow
async def test_a_page_that_was_frozen_goes_on(page: Any, script: Script) -> None:
    go_on = threading.Event()
    script.add(b"id: 1\ndata: 1\n\n", go_on, b"id: 2\ndata: 2\n\n", *BREAK)
    script.add(b"id: 3\ndata: 3\n\nevent: end\ndata:\n\n")
    app = Starlette(routes=[Route("/", lambda _: HTMLResponse("<!doctype html>")), Route("/events", script)])
    app.add_route("/ssejet.js", browser_module)
    with loopback_server(app) as url:
        await page.goto(url)
        await page.evaluate("""async () => {
            const { connect } = await import("/ssejet.js");
            window.found = [];
            (async () => {
                const options = { retry: 1, idleTimeout: 10_000 };
                for await (const { data } of connect("/events", options)) found.push(data);
                found.push("end");
            })();
        }""")
        await page.wait_for_function("found.length === 1")
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        # What comes meanwhile, and the break of the connection, wait for the page.
        go_on.set()
        await asyncio.sleep(0.5)
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await page.wait_for_function("found.at(-1) === 'end'")
        assert await page.evaluate("found") == ["1", "2", "3", "end"]
    assert script.sent_ids() == [None, "2"]


@pytest.mark.slow
async def test_a_long_stream_and_many_reconnections_take_no_more_memory() -> None:
    program = f"""
    import http from "node:http";
    import {{ connect }} from {json.dumps(node.MODULE.as_uri())};
    const block = `id: 1\\ndata: ${{"x".repeat(1000)}}\\n\\n`.repeat(100);
    let left = 0;
    let reconnects = 0;
    const server = http.createServer((request, response) => {{
      response.writeHead(200, {{ "content-type": "text/event-stream" }});
      if (reconnects-- > 0) return response.end("id: 2\\ndata: 2\\n\\n");
      const more = () => {{
        while (left-- > 0) if (!response.write(block)) return response.once("drain", more);
        response.end("event: end\\ndata:\\n\\n");
      }};
      more();
    }});
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const read = async (blocks, breaks) => {{
      [left, reconnects] = [blocks, breaks];
      let count = 0;
      const options = {{ retry: 0, maxRetry: 1 }};
      for await (const event of connect(`http://127.0.0.1:${{server.address().port}}/`, options)) count++;
      return count;
    }};
    const used = async () => {{
      for (let i = 0; i < 5; i++) {{
        await new Promise((resolve) => setTimeout(resolve, 10));
        gc();
      }}
      return process.memoryUsage().heapUsed;
    }};
    await read(100, 100);
    const before = await used();
    const count = await read(500, 400);
    process.stdout.write(JSON.stringify({{ count, grown: (await used()) - before }}));
    process.exit();
    """
    found = await node.run("--expose-gc", "--input-type=module", "--eval", program)
    assert found["count"] == 50_400
    # 50 MB have passed, in 401 connections.
    assert found["grown"] < 2_000_000

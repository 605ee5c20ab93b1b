"""The JavaScript of docs/browser.md, in Chromium, and the types of the module."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import model_events
import node
import pytest
from playwright.async_api import expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from werkzeug.serving import make_server

from ssejet import AsyncClient
from ssejet.cli._server import loopback_server
from ssejet.emit import ai_sdk
from ssejet.emit.starlette import EventStreamResponse, browser_module
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.async_api import Page
    from starlette.requests import Request

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = (node.ROOT / "docs" / "browser.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def _words(request: Request) -> Response:
    return EventStreamResponse(["Hello", ", ", "you!"])


def html(script: str) -> str:
    return f'<!doctype html><title>test</title><p id="answer"></p><div id="root"></div>{script}'


def site(script: str) -> Starlette:
    return Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(html(script))),
            Route("/ssejet.js", browser_module),
            Route("/words", _words),
            Route("/chat", _words, methods=["POST"]),
            Route("/answers/{key}", _words, methods=["POST"]),
        ]
    )


async def _model(request: Request) -> Response:
    assert (await request.json())["messages"] == [{"role": "user", "content": "Who is there?"}]
    chunks = [each for each in model_events.chat() if not isinstance(each, ai_sdk.ToolOutput)]
    return EventStreamResponse([chunk.to_dict() for chunk in chunks], done="[DONE]")


async def _close(client: Any, request: Request) -> Response:
    await client.aclose()
    return Response()


@contextmanager
def wsgi_server(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Gives the app of the block of Python that has a text. Its model is one of ours."""
    with loopback_server(Starlette(routes=[Route("/v1/chat/completions", _model, methods=["POST"])])) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")

        def app(text: str) -> Any:
            block = next(block for block in blocks("python") if text in block)
            # FastAPI looks annotations up in the module.
            module = ModuleType("documented")
            exec(block, module.__dict__)
            made: Any = module
            if isinstance(made.app, Starlette):
                made.app.add_route("/close", partial(_close, made.client))
            return made.app

        yield app


@pytest.mark.parametrize("number", range(4))
async def test_the_javascript_runs(page: Page, number: int) -> None:
    assert len(blocks("js")) == 4
    with loopback_server(site(f'<script type="module">{blocks("js")[number]}</script>')) as url:
        await page.goto(url)
        # The parser alone gives out the event at the end too.
        await expect(page.locator("#answer")).to_have_text(re.compile(r"^Hello, you!(\[DONE\])?$"))


async def test_use_chat_shows_what_the_server_sends(
    page: Page, tmp_path: Path, app_of: Callable[[str], Any]
) -> None:
    (tmp_path / "node_modules").symlink_to(node.packages(), target_is_directory=True)
    (component,) = blocks("jsx")
    (tmp_path / "Chat.jsx").write_text(component)
    (tmp_path / "page.jsx").write_text(
        'import { createRoot } from "react-dom/client";\nimport { Chat } from "./Chat.jsx";\n'
        'createRoot(document.getElementById("root")).render(<Chat />);\n'
    )
    program = """
    import { build } from "esbuild";
    const where = { entryPoints: ["page.jsx"], absWorkingDir: process.argv[2] };
    const how = { bundle: true, format: "esm", jsx: "automatic", write: false, logLevel: "error" };
    const { outputFiles } = await build({ ...where, ...how });
    process.stdout.write(JSON.stringify(outputFiles[0].text));
    """
    (tmp_path / "build.mjs").write_text(program)
    bundle = await node.run(tmp_path / "build.mjs", tmp_path)
    app = app_of("/api/chat")
    app.add_route("/", lambda _: HTMLResponse(html('<script type="module" src="/page.js"></script>')))
    app.add_route("/page.js", lambda _: Response(bundle, media_type="text/javascript"))
    with loopback_server(app) as url:
        await page.goto(url)
        await page.get_by_role("button", name="Ask").click()
        await expect(page.locator(".assistant")).to_have_text("I'll look … 你😀7 °C.")
        await expect(page.get_by_role("button", name="Ask")).to_be_enabled()
        await page.request.get(f"{url}/close")


async def test_ag_ui_reads_what_the_server_sends(app_of: Callable[[str], Any]) -> None:
    node.packages()
    with loopback_server(app_of("/agent")) as url:
        given = {"url": f"{url}/agent", "question": "Who is there?"}
        found = await node.run(node.HERE / "read_ag_ui.mjs", given=given)
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(f"{url}/close")
    assert (found["error"], found["warnings"]) == (None, [])
    assert found["messages"][-1]["content"] == "7 °C."


@pytest.mark.parametrize("text", ["async def resume", "def answer_to"])
async def test_use_chat_resumes_with_the_endpoints_of_the_page(
    app_of: Callable[[str], Any], text: str
) -> None:
    node.packages()
    app = app_of(text)
    with loopback_server(app) if isinstance(app, Starlette) else wsgi_server(app) as url:
        given = {"api": f"{url}/api/chat", "id": "chat1234", "steps": ["resume", "ask", "resume"]}
        before, asked, resumed = await node.run(node.HERE / "resume_ai_sdk.mjs", given=given)
        if isinstance(app, Starlette):
            async with httpx.AsyncClient(trust_env=False) as http:
                stopped = await http.delete(f"{url}/api/chat/chat1234/stream")
                await http.get(f"{url}/close")
            assert stopped.status_code == 204
    assert before["statuses"] == resumed["statuses"] == [204]
    assert (asked["statuses"], asked["error"]) == ([200], None)
    texts = [part["text"] for part in asked["messages"][-1]["parts"] if part["type"] == "text"]
    assert texts == ["I'll look … 你😀", "7 °C."]


async def test_ag_ui_runs_once_with_the_endpoint_of_the_page(app_of: Callable[[str], Any]) -> None:
    node.packages()
    with loopback_server(app_of('"/runs"')) as url:
        given = {"url": f"{url}/runs", "attempts": 2, "question": "Who is there?"}
        found = await node.run(node.HERE / "resume_ag_ui.mjs", given=given)
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(f"{url}/close")
    first, second = found["attempts"]
    assert (first["error"], second["error"], found["warnings"]) == (None, None, [])
    assert first["messages"] == second["messages"]
    assert first["messages"][-1]["content"] == "7 °C."


async def test_the_types_are_those_of_the_module(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(node.packages(), target_is_directory=True)
    (tmp_path / "use.ts").write_text(
        """
        import { connect, createParser, SSEError, type ServerSentEvent } from "ssejet";

        const events: ServerSentEvent[] = [];
        const onComment = (comment: string) => comment.length;
        const parser = createParser((event) => events.push(event), { onComment });
        parser.push(new Uint8Array(1));
        const retry: number | null = parser.retry;

        export async function read(url: URL): Promise<string> {
          const connection = connect(url, {
            method: "POST",
            headers: async () => ({ authorization: "Bearer x" }),
            resume: (id) => `/answers/${id}`,
            onGap: ({ reason, missed }) => [reason, missed],
            onRetry: ({ delay, failures, error }) => [delay + failures, error],
            signal: new AbortController().signal,
          });
          try {
            for await (const { event, data, id } of connection) if (event === "x") return data + id + retry;
          } catch (error) {
            if (error instanceof SSEError && error.kind === "status") return String(error.status);
          }
          return connection.end?.data ?? connection.lastEventId;
        }

        // @ts-expect-error: there is no such option
        connect("/", { retries: 3 });
        // @ts-expect-error: only the connection sets it
        connect("/").lastEventId = "";
        """
    )
    options = ["--noEmit", "--strict", "--target", "es2024", "--module", "nodenext"]
    compiler = node.packages() / "typescript" / "bin" / "tsc"
    process = await asyncio.create_subprocess_exec(
        node.node(), compiler, *options, "use.ts", cwd=tmp_path, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_the_types_name_all_that_the_module_exports() -> None:
    exported = re.findall(r"^export (?:class|function|const) (\w+)", node.MODULE.read_text(), re.MULTILINE)
    typed = node.MODULE.with_suffix(".d.ts").read_text()
    assert sorted(exported) == sorted(re.findall(r"^export (?:class|function) (\w+)", typed, re.MULTILINE))


def _names_of(text: str) -> dict[str, Any]:
    """What the block of Python that has a text defines."""
    (block,) = [block for block in blocks("python") if text in block]
    module = ModuleType("documented")
    exec(block, module.__dict__)
    return module.__dict__


async def test_the_module_is_served_beside_a_stream() -> None:
    with loopback_server(_names_of("browser_module")["app"]) as url:
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{url}/ssejet.js")).text == node.MODULE.read_text()
            assert "data: you!\n" in (await http.post(f"{url}/chat")).text


async def test_an_answer_of_several_model_calls_has_what_was_yielded_between_them() -> None:
    app = Starlette(routes=[Route("/v1/chat/completions", _model, methods=["POST"])])
    with loopback_server(app) as url:
        async with AsyncClient(base_url=f"{url}/v1", api_key="") as client:
            messages = [{"role": "user", "content": "Who is there?"}]
            events = _names_of("ai_sdk.ToolOutput")["answer"](client, messages)
            sent = b"".join([piece async for piece in ai_sdk.astream(events)]).decode()
    assert sent.index('"type":"data-progress"') < sent.index('"output":{"degrees":7}')
    assert sent.count('"type":"start-step"') > 2


async def test_other_logs_are_kept_and_sent() -> None:
    documented = _names_of("events_to_keep")
    async with AsyncHub() as hub:
        await hub.start("log", lambda: documented["events_to_keep"](["Hello"]))
        sent = b"".join([piece async for piece in documented["events_to_send"](hub.follow("log"))]).decode()
    assert '"delta":"Hello"' in sent
    assert sent.count("[DONE]") == 1

"""The example with React, built with Vite and driven in Chromium."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import node
import pytest
from playwright.async_api import expect

from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import ModuleType

    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLE = node.ROOT / "examples" / "react"
ANSWER = "You asked: “What is the weather?” In Oslo it is 7 °C and cloudy. " + (
    "Take a coat, and perhaps an umbrella. " * 8
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built page."""
    packages = node.packages()
    folder = tmp_path_factory.mktemp("react") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "__pycache__"))
    (folder / "node_modules").symlink_to(packages, target_is_directory=True)
    command = [node.node(), packages / "vite" / "bin" / "vite.js", "build"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


class Example:
    """The example's server. It counts the answers that it makes, and can break connections."""

    def __init__(self, module: ModuleType, url: str) -> None:
        self.module = module
        self.url = url
        self.questions: list[str] = []
        self.ended: list[str] = []
        self.fails_after: int | None = None
        self.breaks_after: int | None = None


@pytest.fixture
def example(built: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Example]:
    monkeypatch.setenv("PAGE", str(built))
    monkeypatch.setenv("PAUSE", "0.02")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    spec = importlib.util.spec_from_file_location("react_example_server", EXAMPLE / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recorded = module.recorded
    example = Example(module, "")

    async def counted(question: str) -> AsyncIterator[Any]:
        example.questions.append(question)
        left = example.fails_after
        try:
            async for event in recorded(question):
                yield event
                if left is not None:
                    left -= 1
                    if not left:
                        raise ValueError("secret")
        finally:
            example.ended.append(question)

    module.recorded = counted  # type: ignore[attr-defined]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        left = example.breaks_after
        if left is None or scope["path"] == "/" or not scope["path"].startswith("/answers"):
            await module.app(scope, receive, send)
            return
        example.breaks_after = None

        class BreakError(Exception):
            pass

        async def send_some(message: Any) -> None:
            nonlocal left
            await send(message)
            left -= 1
            if not left:
                # A browser drops what it has not handed out yet when the connection breaks.
                await asyncio.sleep(0.1)
                raise BreakError

        with suppress(BreakError):
            await module.app(scope, receive, send_some)

    with loopback_server(app) as url:  # type: ignore[arg-type]
        example.url = url
        yield example


async def ask(page: Page, example: Example, question: str = "What is the weather?") -> Any:
    await page.goto(example.url)
    await page.get_by_label("Question").fill(question)
    await page.get_by_role("button", name="Send").click()
    return answer(page)


def answer(page: Page) -> Any:
    return page.get_by_role("article", name="Answer")


async def is_complete(page: Page) -> None:
    """The answer is there, once, and nothing is missing."""
    await expect(answer(page)).to_have_count(1)
    await expect(answer(page).locator("p.text").last).to_have_text(
        ANSWER, use_inner_text=False, timeout=20_000
    )
    await expect(answer(page).get_by_text("120 tokens")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_answer_streams_with_its_reasoning_and_its_tool_call(page: Page, example: Example) -> None:
    found = await ask(page, example)
    await expect(found.get_by_text("Thinking…")).to_be_visible()
    tool = found.get_by_role("region", name="Tool weather")
    await expect(tool).to_contain_text('"city": "Oslo"')
    await expect(page.get_by_role("status")).to_have_text("Answering…")
    await expect(tool).to_contain_text('"temperature": 7')
    await is_complete(page)
    await expect(found.get_by_text("Thought")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("")


async def test_an_answer_survives_a_reload_and_its_prompt_runs_once(page: Page, example: Example) -> None:
    found = await ask(page, example)
    await expect(found).to_contain_text("In Oslo")
    await page.reload()
    await expect(answer(page)).to_contain_text("In Oslo")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    await is_complete(page)
    assert example.questions == ["What is the weather?"]
    await page.reload()
    await is_complete(page)
    assert example.questions == ["What is the weather?"]


async def test_an_answer_survives_a_lost_connection_without_doubled_words(
    page: Page, example: Example
) -> None:
    example.breaks_after = 40
    await ask(page, example)
    await expect(page.get_by_role("status")).to_contain_text("Reconnecting")
    await is_complete(page)
    assert example.questions == ["What is the weather?"]


async def test_stop_ends_the_answer_at_the_server(page: Page, example: Example) -> None:
    found = await ask(page, example)
    await expect(found).to_contain_text("In Oslo")
    await page.get_by_role("button", name="Stop").click()
    await expect(found.get_by_text("Stopped")).to_be_visible()
    text = await found.text_content()
    assert example.ended == ["What is the weather?"]
    # A second question takes what was said along, and the page is ready for it.
    await page.get_by_label("Question").fill("And tomorrow?")
    await page.keyboard.press("Enter")
    await expect(answer(page)).to_have_count(2)
    await expect(answer(page).last.get_by_text("120 tokens")).to_be_visible(timeout=20_000)
    assert await answer(page).first.text_content() == text
    assert example.questions == ["What is the weather?", "And tomorrow?"]


async def test_an_answer_that_fails_says_so_and_can_be_asked_again(page: Page, example: Example) -> None:
    example.fails_after = 25
    found = await ask(page, example)
    await expect(found.get_by_role("alert")).to_have_text("The stream was interrupted.")
    example.fails_after = None
    await page.reload()
    await page.get_by_role("button", name="Try again").click()
    await is_complete(page)
    assert example.questions == ["What is the weather?"] * 2


async def test_an_answer_that_the_server_has_lost_says_so(page: Page, example: Example) -> None:
    question = {"id": "1", "role": "user", "parts": [{"type": "text", "id": "0", "text": "Where?"}]}
    kept = json.dumps([question, {"id": "2", "role": "assistant", "parts": []}])
    await page.add_init_script(f"sessionStorage.setItem('chat', {json.dumps(kept)})")
    await page.goto(example.url)
    await expect(answer(page).get_by_role("alert")).to_contain_text("404")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_it_fits_a_phone(page: Page, example: Example) -> None:
    await page.set_viewport_size({"width": 320, "height": 568})
    await ask(page, example, "x" * 200)
    await expect(answer(page).get_by_role("region", name="Tool weather")).to_be_visible()
    widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]

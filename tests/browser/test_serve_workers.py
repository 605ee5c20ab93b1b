"""`ssejet serve` with two processes over Redis, and its page in Chromium."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.async_api import expect

from redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

# Milliseconds: for what waits until a lease runs out, on a machine with other work.
PATIENCE = 200_000

WORDS = [f"{number} " for number in range(60)]


class Served:
    """The command, with what it prints."""

    def __init__(self, folder: Path, redis_url: str, *more: str) -> None:
        recording = folder / "recording.sse"
        chunks = [b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % word.encode() for word in WORDS]
        recording.write_bytes(b"".join([*chunks, b"data: [DONE]\n\n"]))
        command = Path(sys.executable).with_name("ssejet")
        options = ["--port", "0", "--rate", "8", "--redis", redis_url, "--workers", "2", *more]
        self.process = subprocess.Popen(
            [command, "serve", recording, *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout
        first = self.lines.readline()
        assert " at " in first, first
        self.url = first.strip().rpartition(" at ")[2]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
    yield server
    server.close()


@contextmanager
def interrupted(served: Served) -> Iterator[Served]:
    yield served
    with served.lines:
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(200) == 130


@pytest.fixture(scope="module")
def served(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with interrupted(Served(tmp_path_factory.mktemp("served"), redis_server.url)) as served:
        yield served


@pytest.fixture(scope="module")
def endless(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One whose answers go on until they are stopped."""
    with interrupted(Served(tmp_path_factory.mktemp("endless"), redis_server.url, "--loop")) as served:
        yield served


def answer(page: Page) -> Any:
    return page.locator(".answer").last


def state(page: Page) -> Any:
    return page.get_by_role("status")


async def ask(page: Page, url: str) -> None:
    await page.goto(url)
    await expect(page.locator("#base-url")).not_to_be_empty(timeout=PATIENCE)
    await page.get_by_role("button", name="Ask").click()
    await expect(answer(page)).to_contain_text(WORDS[3], timeout=PATIENCE)


async def is_complete(page: Page) -> None:
    """The answer is there, and nothing is missing or doubled."""
    await expect(state(page)).to_have_text("Complete", timeout=PATIENCE)
    assert await answer(page).text_content() == "".join(WORDS)


async def are_stopped(*pages: Page) -> None:
    """The pages show the same part of an endless answer, and nothing is missing or doubled."""
    for page in pages:
        await expect(state(page)).to_have_text("Stopped", timeout=PATIENCE)
    texts = {await answer(page).text_content() for page in pages}
    assert len(texts) == 1
    is_part_of_the_endless(texts.pop())


def is_part_of_the_endless(text: str | None) -> None:
    words = (text or "").split()
    assert words == [WORDS[number % len(WORDS)].strip() for number in range(len(words))]


async def test_a_reload_and_another_browser_show_one_answer_whoever_makes_it(
    page: Page, browser: Browser, served: Served
) -> None:
    await ask(page, served.url)
    await page.reload()
    context = await browser.new_context()
    second = await context.new_page()
    await second.goto(page.url)
    await expect(answer(second)).to_contain_text(WORDS[5], timeout=PATIENCE)
    await is_complete(page)
    await is_complete(second)
    await context.close()


async def test_a_stop_from_another_browser_reaches_the_process_that_makes_the_answer(
    page: Page, browser: Browser, endless: Served
) -> None:
    await ask(page, endless.url)
    context = await browser.new_context()
    second = await context.new_page()
    await second.goto(page.url)
    await expect(answer(second)).to_contain_text(WORDS[5], timeout=PATIENCE)
    await second.get_by_role("button", name="Stop").click()
    await are_stopped(page, second)
    await context.close()


async def test_a_killed_process_is_told_and_the_question_can_be_asked_again(
    page: Page, browser: Browser, endless: Served
) -> None:
    await ask(page, endless.url)
    context = await browser.new_context()
    second = await context.new_page()
    await second.goto(page.url)
    await expect(answer(second)).to_contain_text(WORDS[5], timeout=PATIENCE)
    maker = await page.get_by_text(re.compile(r"^Process \d+ makes the answer$")).text_content()
    assert maker is not None
    killed = int(maker.split()[1])
    assert killed != endless.process.pid
    os.kill(killed, signal.SIGKILL)
    for each in (page, second):
        await expect(state(each)).to_have_text("Failed", timeout=PATIENCE)
        await expect(each.locator(".note")).to_contain_text("disappeared", timeout=PATIENCE)
    # Nothing is lost of what was made, and nothing is doubled.
    made = await answer(page).text_content()
    assert made == await answer(second).text_content()
    is_part_of_the_endless(made)
    await second.get_by_role("button", name="Try again").click()
    for each in (page, second):
        await expect(state(each)).not_to_have_text("Failed", timeout=PATIENCE)
        await expect(answer(each)).to_contain_text(WORDS[5], timeout=PATIENCE)
        await expect(each.locator(".answer")).to_have_count(1, timeout=PATIENCE)
    await page.get_by_role("button", name="Stop").click()
    await are_stopped(page, second)
    await context.close()
    while not (line := endless.lines.readline()).startswith("Process "):
        assert line
    assert re.fullmatch(rf"Process {killed} ended; process \d+ takes its place\.\n", line)


async def test_the_processes_end_with_the_command(redis_server: RedisServer, tmp_path: Path) -> None:
    for number, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        served = Served(tmp_path, redis_server.url)
        async with httpx.AsyncClient(trust_env=False, timeout=200) as client:
            await client.get(f"{served.url}recording.json")
            with served.lines:
                served.process.send_signal(number)
                assert served.process.wait(200) == status
                # Their output ends when the last of them has.
                served.lines.read()
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(served.url)

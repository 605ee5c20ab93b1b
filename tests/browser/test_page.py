from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from playbacks import Watched, anthropic, chat
from playwright.async_api import expect

from ssejet.cli import _playback
from ssejet.cli._playback import playback_app
from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = [f" {number}" for number in range(20)]
CLIENTS = ["fetch", "EventSource"]

_NAME_OF_FOCUS = """
() => {
  const { ariaLabel, labels, textContent, id } = document.activeElement;
  return ariaLabel ?? ((labels?.[0]?.textContent ?? textContent).trim() || id);
}
"""


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[[Watched], str]:
    def start(playback: Watched) -> str:
        context = loopback_server(playback_app(playback))
        url = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return url

    return start


async def ask(page: Page, url: str, client: str = "fetch") -> None:
    await page.goto(url)
    await expect(page.locator("#base-url")).to_have_text(f"{url}/v1")
    await page.get_by_role("radio", name=client).check()
    await page.get_by_role("button", name="Ask").click()


def answer(page: Page) -> Any:
    return page.locator(".answer").last


def state(page: Page) -> Any:
    return page.get_by_role("status")


async def is_complete(page: Page) -> None:
    """The answer is there, and nothing is missing or doubled."""
    await expect(state(page)).to_have_text("Complete", timeout=20_000)
    assert await answer(page).text_content() == "".join(WORDS)


async def leaves(playback: Watched) -> None:
    """Wait until the playback has no listener any more."""
    while playback.listening:  # noqa: ASYNC110 - what ends it happens in another thread
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("recorded", [chat, anthropic])
async def test_an_answer_is_read_to_its_end(
    page: Page, serve: Callable[..., str], client: str, recorded: Callable[..., Watched]
) -> None:
    playback = recorded(*WORDS)
    await ask(page, serve(playback), client)
    await is_complete(page)
    await expect(page.locator("#tokens")).to_have_text(str(len(WORDS)))
    await expect(page.locator("#first")).to_have_text(re.compile(r"^\d+ ms$"))
    await expect(answer(page)).to_have_attribute("aria-busy", "false")
    assert await page.locator("#log span").all_text_contents() == [
        f"Process {os.getpid()} makes the answer",
        f"Connected to process {os.getpid()}" if client == "fetch" else "Connected",
        "Complete",
    ]
    await leaves(playback)
    assert playback.listeners.count(1) == 1


async def test_the_page_says_what_was_recorded_and_what_was_asked(
    page: Page, serve: Callable[..., str]
) -> None:
    await page.goto(serve(chat("a", "b")))
    await expect(page.locator("#recording")).to_have_text("test.sse: 2 events, 0.0 s.")
    question = page.get_by_role("textbox", name="Your question")
    await question.fill("Why?")
    await question.press("Enter")
    await expect(page.locator(".asked")).to_have_text("Why?")
    await expect(state(page)).to_have_text("Complete")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("by", ["button", "Escape"])
async def test_stopping_ends_the_answer_at_the_server(
    page: Page, serve: Callable[..., str], client: str, by: str
) -> None:
    playback = chat(*WORDS, ends=False)
    await ask(page, serve(playback), client)
    await expect(answer(page)).to_have_text("".join(WORDS).strip())
    await expect(state(page)).to_have_text("Streaming")
    assert playback.listening == 1
    if by == "button":
        await page.get_by_role("button", name="Stop").click()
    else:
        await page.keyboard.press("Escape")
    await expect(state(page)).to_have_text("Stopped")
    await leaves(playback)
    await expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    await expect(page.locator(".note")).to_have_text("Stopped")
    assert await answer(page).text_content() == "".join(WORDS)
    assert playback.listeners.count(1) == 1


async def test_another_question_can_follow(page: Page, serve: Callable[..., str]) -> None:
    playback = chat(*WORDS)
    await ask(page, serve(playback), "fetch")
    await is_complete(page)
    await page.get_by_role("radio", name="EventSource").check()
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator(".answer")).to_have_count(2)
    await is_complete(page)
    assert playback.listeners.count(1) == 2
    await page.get_by_role("button", name="New chat").click()
    await expect(page.locator(".answer")).to_have_count(0)
    await expect(state(page)).to_have_text("Ready")


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_connection_that_breaks_goes_on_and_loses_and_doubles_nothing(
    page: Page, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setattr(_playback, "_RECONNECTION_TIME", 1)
    playback = chat(*WORDS)
    await page.goto(serve(playback))
    await page.get_by_role("checkbox", name="breaks after").check()
    await page.get_by_role("spinbutton", name="events before the connection breaks").fill("6")
    await page.get_by_role("radio", name=client).check()
    await page.get_by_role("button", name="Ask").click()
    await is_complete(page)
    log = await page.locator("#log span").all_text_contents()
    assert any(re.match(r"Connection lost after event \d+; ", line) for line in log)
    # Each connection has six events at the most, so a later one went on in the middle.
    assert any(re.search(r"to go on after event \d+$", line) for line in log)
    # The answer was made once.
    assert playback.listeners.count(1) == 1


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_reload_in_mid_answer_loses_and_doubles_nothing(
    page: Page, serve: Callable[..., str], client: str
) -> None:
    playback = chat(*WORDS, gap=0.05)
    await ask(page, serve(playback), client)
    for word in WORDS[2], WORDS[5]:
        await expect(answer(page)).to_contain_text(word)
        await page.reload()
        await page.get_by_role("radio", name=client).check()
    await is_complete(page)
    await expect(page.locator(".answer")).to_have_count(1)
    assert playback.listeners.count(1) == 1
    # What is complete is there after a reload too.
    await page.reload()
    await is_complete(page)


async def test_a_second_tab_shows_the_same_playback_and_can_stop_the_answer(
    page: Page, serve: Callable[..., str]
) -> None:
    playback = chat(*WORDS, ends=False)
    url = serve(playback)
    await page.goto(url)
    second = await page.context.new_page()
    await second.goto(url)
    await expect(second.locator("#base-url")).not_to_be_empty()
    await page.get_by_role("textbox", name="Your question").fill("Both of us?")
    await page.get_by_role("button", name="Ask").click()
    await expect(second.locator(".asked")).to_have_text("Both of us?")
    for each in (page, second):
        await expect(answer(each)).to_have_text("".join(WORDS).strip())
        await expect(each.get_by_role("button", name="Ask")).to_be_disabled()
    await second.get_by_role("button", name="Stop").click()
    for each in (page, second):
        await expect(state(each)).to_have_text("Stopped")
        await expect(each.get_by_role("button", name="Ask")).to_be_enabled()
    await leaves(playback)
    assert playback.listeners.count(1) == 1
    await second.close()


async def test_a_tab_that_nobody_sees_has_no_connections_and_goes_on_later(
    page: Page, serve: Callable[..., str]
) -> None:
    playback = chat(*WORDS, gap=0.05)
    await ask(page, serve(playback))
    await expect(answer(page)).to_contain_text(WORDS[2])
    hide = """(is_hidden) => {
        Object.defineProperty(document, "hidden", { value: is_hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(hide, True)
    await leaves(playback)
    assert await answer(page).text_content() != "".join(WORDS)
    await page.evaluate(hide, False)
    await is_complete(page)


async def test_a_server_that_was_started_anew_has_forgotten_and_the_page_says_so(page: Page) -> None:
    forgetful = chat(*WORDS, ends=False)
    with loopback_server(playback_app(forgetful)) as url:
        await ask(page, url)
        await expect(answer(page)).to_have_text("".join(WORDS).strip())
    await expect(page.get_by_role("alert")).to_have_text("The server does not answer. This page tries again.")
    with loopback_server(playback_app(chat(*WORDS)), port=int(url.rpartition(":")[2])):
        await expect(page.locator(".note")).to_contain_text(
            "The server no longer has this answer.", timeout=20_000
        )
        await expect(page.get_by_role("alert")).to_have_count(0, timeout=20_000)
        await page.get_by_role("button", name="Try again").click()
        await is_complete(page)
        await expect(page.locator(".answer")).to_have_count(1)


# How it looks and how it is used


async def test_everything_can_be_reached_by_keyboard_and_has_a_name(
    page: Page, serve: Callable[..., str]
) -> None:
    await page.goto(serve(chat("a")))
    await expect(page.locator("#base-url")).not_to_be_empty()
    names = []
    for _ in range(7):
        await page.keyboard.press("Tab")
        names.append(await page.evaluate(_NAME_OF_FOCUS))
    assert names == [
        "New chat",
        "Conversation",
        "Your question",
        "Ask",
        "fetch",
        "breaks after",
        "events before the connection breaks",
    ]


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_is_wider_than_the_window(page: Page, serve: Callable[..., str], width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 700})
    await ask(page, serve(chat("x" * 300, "\n", "y" * 300)), "fetch")
    await expect(state(page)).to_have_text("Complete")
    assert await page.evaluate("() => document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_follows_the_colour_scheme(
    browser: Browser, serve: Callable[..., str], scheme: Any
) -> None:
    page = await browser.new_page(color_scheme=scheme)
    await page.goto(serve(chat("a")))
    background = await page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    channels = [int(channel) for channel in re.findall(r"\d+", background)]
    await page.close()
    assert (min(channels) > 200) if scheme == "light" else (max(channels) < 60)

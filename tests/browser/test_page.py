from __future__ import annotations

import asyncio
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


async def ask(page: Page, url: str, client: str) -> None:
    await page.goto(url)
    await expect(page.locator("#base-url")).to_have_text(f"{url}/v1")
    await page.get_by_role("radio", name=client).check()
    await page.get_by_role("button", name="Ask").click()


def answer(page: Page) -> Any:
    return page.get_by_role("log")


def state(page: Page) -> Any:
    return page.get_by_role("status")


async def leaves(playback: Watched) -> None:
    """Wait until no client is connected any more."""
    while playback.listening:  # noqa: ASYNC110 - what ends it happens in another thread
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("recorded", [chat, anthropic])
async def test_an_answer_is_read_to_its_end(
    page: Page, serve: Callable[..., str], client: str, recorded: Callable[..., Watched]
) -> None:
    playback = recorded(*WORDS)
    await ask(page, serve(playback), client)
    await expect(state(page)).to_have_text("Complete")
    assert await answer(page).text_content() == "".join(WORDS)
    await expect(page.locator("#tokens")).to_have_text(str(len(WORDS)))
    await expect(page.locator("#first")).to_have_text(re.compile(r"^\d+ ms$"))
    await expect(answer(page)).to_have_attribute("aria-busy", "false")
    assert await page.locator("#log span").all_text_contents() == [
        "Connected: HTTP status 200" if client == "fetch" else "Connected",
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
    await expect(page.locator("#asked")).to_have_text("Why?")
    await expect(state(page)).to_have_text("Complete")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("by", ["button", "Escape"])
async def test_stopping_cancels_the_stream_at_the_server(
    page: Page, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, client: str, by: str
) -> None:
    monkeypatch.setattr(_playback, "_RECONNECTION_TIME", 1)
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
    assert await answer(page).text_content() == "".join(WORDS)
    # A source that was only lost would have come back by now.
    await asyncio.sleep(0.1)
    assert playback.listeners.count(1) == 1


async def test_another_question_can_follow(page: Page, serve: Callable[..., str]) -> None:
    playback = chat(*WORDS)
    await ask(page, serve(playback), "fetch")
    await expect(state(page)).to_have_text("Complete")
    await page.get_by_role("radio", name="EventSource").check()
    await page.get_by_role("button", name="Ask").click()
    await expect(state(page)).to_have_text("Complete")
    assert await answer(page).text_content() == "".join(WORDS)
    assert playback.listeners.count(1) == 2


async def test_an_event_source_reconnects_and_loses_and_doubles_nothing(
    page: Page, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_playback, "_RECONNECTION_TIME", 1)
    playback = chat(*WORDS, fail_after=6)
    await ask(page, serve(playback), "EventSource")
    await expect(state(page)).to_have_text("Complete")
    assert await answer(page).text_content() == "".join(WORDS)
    log = await page.locator("#log span").all_text_contents()
    assert log[0] == "Connected"
    assert re.fullmatch(r"Connection lost after event \d+; the browser will reconnect", log[1])
    assert re.fullmatch(r"Reconnected, to go on after event \d+", log[2])
    assert playback.listeners.count(1) >= 4


async def test_a_break_is_shown_to_who_reads_with_fetch(page: Page, serve: Callable[..., str]) -> None:
    await page.goto(serve(chat(*WORDS)))
    await page.get_by_role("checkbox", name="breaks after").check()
    await page.get_by_role("spinbutton", name="events before the connection breaks").fill("5")
    await page.get_by_role("button", name="Ask").click()
    await expect(state(page)).to_have_text(re.compile(r"^Connection lost after [0-5] events$"))
    await expect(page.get_by_role("button", name="Ask")).to_be_enabled()


# How it looks and how it is used


async def test_everything_can_be_reached_by_keyboard_and_has_a_name(
    page: Page, serve: Callable[..., str]
) -> None:
    await page.goto(serve(chat("a")))
    await expect(page.locator("#base-url")).not_to_be_empty()
    names = []
    for _ in range(6):
        await page.keyboard.press("Tab")
        names.append(await page.evaluate(_NAME_OF_FOCUS))
    assert names == [
        "Your question",
        "Ask",
        "fetch",
        "breaks after",
        "events before the connection breaks",
        "answer",
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

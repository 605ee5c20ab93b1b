"""A hub over Redis, two workers of uvicorn, and a browser that reloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.async_api import expect
from workers import uvicorn_runs

from redis_server import RedisServer
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

NUMBERS = " ".join(map(str, range(40)))


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
    yield server.url
    server.close()


@pytest.fixture(scope="module")
def base(redis_url: str) -> Iterator[str]:
    with uvicorn_runs("workers_app:app", workers=2, path="/page/x", TEST_REDIS=redis_url) as url:
        yield url


async def texts(redis_url: str, key: str) -> list[str]:
    async with AsyncHub(redis_url) as hub:
        return [entry.event.data for entry in await hub._read(key, "")]


async def test_an_answer_survives_reloads_and_the_browser_stops_asking(
    base: str, redis_url: str, browser: Browser, page: Page
) -> None:
    await page.goto(f"{base}/page/reloaded")
    await expect(page.locator("#answer")).to_contain_text("3 4")
    second = await browser.new_page()
    await second.goto(f"{base}/page/reloaded")
    await page.reload()
    await expect(page).to_have_title("finished", timeout=20_000)
    await expect(page.locator("#answer")).to_have_text(f"{NUMBERS} ")
    await expect(second.locator("#answer")).to_have_text(f"{NUMBERS} ")
    assert await texts(redis_url, "runs") == ["reloaded"]
    # After the end each page asks once more, with the id of the end, and gets the status 204.
    await page.wait_for_function("source.readyState === EventSource.CLOSED", timeout=20_000)
    await second.wait_for_function("source.readyState === EventSource.CLOSED", timeout=20_000)
    asked = await texts(redis_url, "requests")
    assert len(asked) == 5
    assert [each for each in asked if each != "first"] == [asked[-1]] * 2
    await expect(page.locator("#answer")).to_have_text(f"{NUMBERS} ")
    await second.close()


async def test_a_stop_reaches_the_producer_in_whichever_worker(base: str, page: Page) -> None:
    await page.goto(f"{base}/page/stopped")
    await expect(page.locator("#answer")).to_contain_text("2 3")
    async with httpx.AsyncClient() as client:
        for _ in range(5):
            # Each request has a connection of its own, which any worker may accept.
            await client.delete(f"{base}/answers/stopped", headers={"Connection": "close"})
    await expect(page).to_have_title("stopped")

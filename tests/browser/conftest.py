from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from engines import Chromium, Node
from playwright.async_api import async_playwright
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ssejet.cli._server import loopback_server
from ssejet.emit.starlette import browser_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engines import Engine
    from playwright.async_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that is installed here."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = f"there is no browser here, none of {', '.join(_NAMES)}: .ci/browser installs Debian's"
        if os.environ.get("SSEJET_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


# A browser takes a second to start, so all tests share one, and with it an event loop.
@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # The sandbox refuses to work for root, as whom containers run.
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page whose scripts must not fail."""
    # Its tabs share what they store.
    context = await browser.new_context()
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield await context.new_page()
    await context.close()
    assert errors == []


@pytest.fixture(scope="session")
def module_site() -> Iterator[str]:
    """The URL of a page that JavaScript's module can be imported into."""
    app = Starlette(routes=[Route("/", lambda _: HTMLResponse("<!doctype html><title>test</title>"))])
    app.add_route("/ssejet.js", browser_module)
    with loopback_server(app) as url:
        yield url


@pytest.fixture(params=["node", "chromium"])
def engine(request: pytest.FixtureRequest, module_site: str) -> Engine:
    """Runs JavaScript in Node, and in Chromium."""
    if request.param == "node":
        return Node(module_site)
    return Chromium(module_site, request.getfixturevalue("page"))

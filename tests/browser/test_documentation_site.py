"""The documentation site: it builds without a warning, its links lead somewhere, it needs no other host."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
import subprocess
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser, Page

ROOT = Path(__file__).parent.parent.parent
SITE = ROOT / "site" / "html"

# They have the names of another library, which documents them.
ALL_OF_ANOTHER = {"ssejet.swap.httpx2", "ssejet.testing.openai_responses.ext.httpx"}


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    pytest.importorskip("yaml")
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "_site" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_the_site_builds_strictly_and_asks_no_other_host(browser: Browser) -> None:
    pytest.importorskip("zensical", reason="Zensical needs Python 3.11")
    command = [sys.executable, ROOT / "docs" / "_site" / "build.py"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(undocumented()) == set()
    assert "- [Chat completions](/chat/): `ssejet.chat` reads" in (SITE / "llms.txt").read_text()
    assert "# Chat completions" in (SITE / "llms-full.txt").read_text()

    app = Starlette(routes=[Mount("/", StaticFiles(directory=SITE, html=True))])
    with loopback_server(app) as url:
        await look_around(browser, url, width=1400, colours="light")
        await look_around(browser, url, width=390, colours="dark")


async def look_around(browser: Browser, url: str, *, width: int, colours: Literal["light", "dark"]) -> None:
    """Open some pages, and use the decoder."""
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=colours)
    page = await context.new_page()
    hosts: set[str] = set()
    errors: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in ("", "start/", "performance/", "deployment/", "reference/typed/", "examples/refusal/"):
        await page.goto(f"{url}/{path}", wait_until="networkidle")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is too wide"
        pictures = await page.locator("article img:visible").evaluate_all("all => all.map(e => e.src)")
        assert all(f"#only-{colours}" in picture for picture in pictures)
    await look_at_tables(page, url, width=width)
    await page.goto(f"{url}/decoder/")
    assert await page.locator("#decoder-output tr").count() == 4
    await page.locator("#decoder-cut").check()
    await page.locator("#decoder-input").fill("data: a\\r\\rid: 7\ndata: b\n\n")
    rows = await page.locator("#decoder-output tr").all_inner_texts()
    assert [row.split() for row in rows] == [["message", "a"], ["message", "b", "7"]]
    assert errors == []
    assert hosts == {urlsplit(url).netloc}
    await context.close()


async def look_at_tables(page: Page, url: str, *, width: int) -> None:
    """What scrolls can be reached with a keyboard, and nothing else; a phone says what each cell is."""
    await page.goto(f"{url}/swap-ins/", wait_until="networkidle")
    await page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    await page.wait_for_function(
        """() => [...document.querySelectorAll(".md-typeset__scrollwrap")].every(
            (place) => (place.scrollWidth > place.clientWidth) === (place.tabIndex === 0))""",
        timeout=60_000,
    )
    places = page.locator(".md-typeset__scrollwrap[tabindex]")
    assert (await places.count() > 0) == (width < 700)
    await page.goto(f"{url}/providers/", wait_until="networkidle")
    cell = page.locator("article td", has_text="DEEPSEEK_API_KEY").first
    label = await cell.evaluate("cell => getComputedStyle(cell, '::before').content")
    assert ("key" in label) == (width < 700)
    scrolls = (
        "(place => place.scrollWidth > place.clientWidth)(document.querySelector('.md-typeset__scrollwrap'))"
    )
    assert not await page.evaluate(scrolls)


def undocumented() -> Iterator[str]:
    """The public names that the reference does not have, by its inventory."""
    data = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    inventory = set(re.findall(r"^(\S+) py:", zlib.decompress(data).decode(), re.MULTILINE))
    layout = (ROOT / "tests" / "test_layout.py").read_text()
    (listed,) = re.findall(r"^PUBLIC = \{\n(.*?)^\}", layout, re.DOTALL | re.MULTILINE)
    documented = {name.rpartition(".")[2] for name in inventory}
    for module in set(re.findall(r'"([\w.]+)"', listed)) - ALL_OF_ANOTHER:
        owner = importlib.import_module(module)
        for name in getattr(owner, "__all__", []):
            if name in ("__version__", "main") or isinstance(getattr(owner, name), ModuleType):
                continue
            if name not in documented:
                yield f"{module}.{name}"


def test_a_link_that_leads_nowhere_is_found(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<h1 id="top"></h1><a href="a/#there">a</a><a href="#top">b</a>')
    (tmp_path / "a" / "index.html").write_text(
        '<p id="there"><a href="../">ok</a><a href="https://x.test/">ok</a>'
        '<a href="../b/">1</a><a href="..#no">2</a>'
        '<img src="https://x.test/i.png"><script src="../s.js"></script>'
    )
    assert list(builder.check(tmp_path)) == [
        "a/index.html links to ../b/, which does not exist",
        "a/index.html links to ..#no, which has no such anchor",
        "a/index.html loads https://x.test/i.png from another host",
        "a/index.html links to ../s.js, which does not exist",
    ]


def test_a_link_out_of_the_folder_of_pages_becomes_a_link_to_a_page_or_text(builder: ModuleType) -> None:
    text = "[a](../examples/refusal.py) [b](../CHANGELOG.md) [c](../Makefile) [d](hub.md#x)\n"
    text += "```\n[e](../x)\n```\n"
    made = builder._with_links(text, "docs/chat.md", "chat.md", "")
    assert made == ("[a](examples/refusal.md) [b](changelog.md) c [d](hub.md#x)\n```\n[e](../x)\n```\n")
    assert "[c](https://x.test/blob/main/Makefile)" in builder._with_links(
        text, "docs/chat.md", "chat.md", "https://x.test/"
    )
    with pytest.raises(builder.SiteError, match=r"missing\.py"):
        builder._with_links("[f](../missing.py)", "docs/chat.md", "chat.md", "")


def test_cells_of_a_table_with_three_columns_know_their_headings(builder: ModuleType) -> None:
    head = "<thead><tr><th>a</th><th>b &amp; <code>c</code></th><th></th></tr></thead>"
    row = "<tr><td>1</td><td>2</td><td>3</td></tr>"
    table = builder.with_labels(f"<table>{head}<tbody>{row}</tbody></table>")
    labelled = '<tr><td data-label="a">1</td><td data-label="b &amp; c">2</td><td data-label="">3</td></tr>'
    assert table == f"<table>{head}<tbody>{labelled}</tbody></table>"
    narrow = "<table><thead><tr><th>a</th><th>b</th></tr></thead><tr><td>1</td><td>2</td></tr></table>"
    assert builder.with_labels(narrow) == narrow


def test_an_address_in_a_table_may_break_after_a_slash_and_before_a_dot(builder: ModuleType) -> None:
    made = builder.with_labels(
        "<table><tr><td><code>https://a.test/v1</code> <code>b/c.d</code></td></tr></table>"
    )
    assert "<code>https://a<wbr>.test/<wbr>v1</code> <code>b/c.d</code>" in made


def test_an_environment_variable_in_a_table_may_break_after_an_underscore(builder: ModuleType) -> None:
    made = builder.with_labels("<table><tr><td><code>A_KEY_2</code> <code>a_b</code></td></tr></table>")
    assert "<code>A_<wbr>KEY_<wbr>2</code> <code>a_b</code>" in made

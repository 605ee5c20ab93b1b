"""What the README and the documentation show, works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.servers import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCKS = {
    f"{page.parent.name}-{page.stem}-{at}": block
    for page in PAGES
    for at, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
}

CHUNKS = b"".join(
    b'data: {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n'
    % word
    for word in (b"Hello", b", ", b"you!")
)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_the_code_of_each_page_runs(block: str, server: Server, tmp_path: Path) -> None:
    answer = server.answer(CHUNKS, b"data: [DONE]\n\n")
    script = tmp_path / "script.py"
    # A server's address, or that of `ssejet serve`.
    address = re.compile(r"https://api\.example\.com[\w/]*|http://127\.0\.0\.1:8765[\w/]*")
    script.write_text(address.sub(answer.url, block))
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if address.search(block):
        assert len(answer.requests) == 1
        assert "Hello" in done.stdout or "chat.completion.chunk" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_the_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    images = re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text())
    assert not [target for target in links + images if not (page.parent / target).exists()]


def test_the_commands_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = {
        command for page in PAGES for command in re.findall(r"(?:`|\$ )make ([\w-]+)", page.read_text())
    }
    assert {"demo", "test"} <= commands
    assert not [command for command in commands if not re.search(rf"^{command}:", makefile, re.MULTILINE)]


def test_the_changelog_names_the_version() -> None:
    import ssejet

    newest = re.search(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == ssejet.__version__

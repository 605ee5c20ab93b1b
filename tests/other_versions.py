"""Environments with other versions of libraries, and what the tests say in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ROOT", "Environment"]

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".venv-versions"

# niquests must not replace urllib3, which the tests need, too.
VARIABLES = {"URLLIB3_NO_OVERRIDE": "1", "PIP_NO_BINARY": "urllib3-future"}


class Environment:
    """A new environment.

    Args:
        requirements: what tells it from others.
        base: an environment that is copied, which is faster than an installation; None for an empty one.

    Attributes:
        python: the path of its interpreter.
    """

    def __init__(self, *requirements: str, base: Environment | None = None) -> None:
        name = "".join(c if c.isalnum() or c in ".-" else "_" for c in "+".join(requirements))
        self._home = PLACE / name
        self._variables = {**os.environ, **VARIABLES}
        if base is None:
            venv.create(self._home, clear=True, with_pip=False)
        else:
            shutil.rmtree(self._home, ignore_errors=True)
            # pip never changes a file in place, so that the copies can be links.
            shutil.copytree(base._home, self._home, symlinks=True, copy_function=os.link)
        self.python = str(self._home / "bin" / "python")

    def install(self, *arguments: str) -> None:
        """Install packages.

        Args:
            arguments: requirements and options, as pip takes them.

        Raises:
            subprocess.CalledProcessError: they cannot be installed.
        """
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install"]
        options = ["--quiet", "--no-warn-script-location"]
        subprocess.run([*pip, *options, *arguments], check=True, env=self._variables)

    def test(self, paths: Iterable[Path], *options: str, **variables: str) -> tuple[str, bool]:
        """Run tests, and return what they say, and whether all is well.

        Args:
            paths: the files and folders.
            options: of pytest.
            variables: more environment variables.
        """
        report, log = self._home / "report.xml", self._home / "pytest.log"
        command = [self.python, "-m", "pytest", "-q", f"--junitxml={report}", "-p", "no:cacheprovider"]
        with log.open("w") as output:
            done = subprocess.run(
                [*command, *options, *map(str, paths)],
                check=False,
                cwd=ROOT,
                env={**self._variables, **variables},
                stdout=output,
                stderr=output,
            )
        if not report.exists():
            return f"no tests, see {log.relative_to(ROOT)}", False
        outcomes = Counter(
            next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
            for case in ET.parse(report).iter("testcase")
        )
        say = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        if done.returncode:
            say += f", see {log.relative_to(ROOT)}"
        return say, done.returncode == 0

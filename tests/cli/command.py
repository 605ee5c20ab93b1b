"""The real console script, in an environment or on a terminal of the test's choice."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from select import select
from termios import TIOCSWINSZ

SCRIPT = str(Path(sys.executable).with_name("ssejet"))

# Set for the test run perhaps, but not for the user: styles, sizes, locales, and output that needs no flush.
LEFT_OUT = {
    "COLORTERM",
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "LANG",
    "LANGUAGE",
    "LC_CTYPE",
    "LINES",
    "NO_COLOR",
    "PYTHONIOENCODING",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
    "PY_COLORS",
    "TERMINAL_WIDTH",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "TYPER_USE_RICH",
}
SET = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


def environment(**more: str) -> dict[str, str]:
    """This process's environment, but for what would change the output, and with ``more``."""
    inherited = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return inherited | SET | more


# Seconds.
_BETWEEN_KEYS = 2


class Terminal:
    """The script on a pseudo-terminal of its own, as if somebody sat there."""

    def __init__(self, *arguments: str, columns: int = 80, **more: str) -> None:
        self._controller, terminal = pty.openpty()
        ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            # A session whose terminal this is: else Ctrl-C reaches nobody.
            [sys.executable, "-c", _ON_OWN_TERMINAL, SCRIPT, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment(**more),
            start_new_session=True,
        )
        os.close(terminal)
        self.output = ""

    def type(self, text: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._controller, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until the text has come, and return what came, it included."""
        while text not in self.output:
            piece = _read(self._controller)
            assert piece, f"it ended without {text!r}, but with: {self.output!r}"
            self.output += piece.decode(errors="replace")
        before, found, self.output = self.output.partition(text)
        return before + found

    def end(self, keys: str = "") -> tuple[int, str]:
        """Read to the end; gives the exit status and the rest of the output.

        Args:
            keys: what is pressed, again and again: `input()` misses a Ctrl-C that comes after its prompt and
                before its wait.
        """
        rest = b""
        self.type(keys)
        while True:
            while keys and not select([self._controller], [], [], _BETWEEN_KEYS)[0]:
                self.type(keys)
            if not (piece := _read(self._controller)):
                return self._process.wait(), self.output + rest.decode(errors="replace")
            rest += piece

    def close(self) -> None:
        """End the script, if it still runs."""
        with self._process:
            self._process.kill()
        os.close(self._controller)


_ON_OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def on_terminal(*arguments: str, columns: int = 80, **more: str) -> tuple[int, str]:
    """Run the script on a pseudo-terminal; gives its exit status and all that it wrote."""
    controller, terminal = pty.openpty()
    ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [SCRIPT, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env=environment(**more)
    ) as process:
        os.close(terminal)
        output = b"".join(iter(lambda: _read(controller), b""))
        os.close(controller)
    return process.returncode, output.decode()


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # how Linux says that the other side has closed
        return b""

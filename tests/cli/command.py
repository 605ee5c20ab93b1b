"""The command, in an environment, with standard streams or on a terminal of the test's choice."""

from __future__ import annotations

import os
import pty
import struct
import sys
from contextlib import ExitStack
from fcntl import ioctl
from pathlib import Path
from select import select
from tempfile import TemporaryFile
from termios import TIOCSWINSZ
from typing import Any, NamedTuple

from prepared import CLOSED, Child, fork

SCRIPT = str(Path(sys.executable).with_name("ssejet"))

# What a test run may set and a user does not: styles, sizes, locales, and output that needs no flush.
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
    """This process's environment without what would change the output, and with ``more``."""
    inherited = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return inherited | SET | more


# What ``ssejet demo`` loads.
PEERS = ("anthropic", "httpx2", "httpx_sse", "openai")

CAPTURED: Any = object()
"""In place of a file's name: the output comes back."""

UNREADABLE: Any = object()
"""In place of a file's name: an input that is open for writing only."""

UNREAD: Any = object()
"""In place of a file's name: a pipe whose reader has left."""


class Done(NamedTuple):
    """What came of a run."""

    returncode: int
    stdout: str
    stderr: str


def run(
    *arguments: str, stdin: Any = os.devnull, stdout: Any = CAPTURED, stderr: Any = CAPTURED, **more: str
) -> Done:
    """Run the command to its end.

    Args:
        arguments: the command's.
        stdin, stdout, stderr: each the name of a file, ``CLOSED``, or one of the above.
        more: of the environment.
    """
    with ExitStack() as stack:
        captured = [stack.enter_context(TemporaryFile()) for _ in range(2)]

        def opened(name: Any, flags: int, capture: Any) -> int | None:
            if name is CLOSED:
                return None
            if name is CAPTURED:
                return os.dup(capture.fileno())
            if name is UNREADABLE:
                return os.open(os.devnull, os.O_WRONLY)
            if name is UNREAD:
                reader, writer = os.pipe()
                os.close(reader)
                return writer
            return os.open(name, flags)

        streams = [
            opened(stdin, os.O_RDONLY, None),
            opened(stdout, os.O_WRONLY, captured[0]),
            opened(stderr, os.O_WRONLY, captured[1]),
        ]
        status = _fork(arguments, streams, more).wait()
        texts = []
        for file in captured:
            file.seek(0)
            texts.append(file.read().decode())
        return Done(status, *texts)


class Running(Child):
    """A run that goes on, with pipes for its output."""

    def __init__(self, *arguments: str, **more: str) -> None:
        stdin = os.open(os.devnull, os.O_RDONLY)
        (output, stdout), (errors, stderr) = os.pipe(), os.pipe()
        self.stdout = open(output, encoding="utf-8")  # noqa: PTH123, SIM115
        self.stderr = open(errors, encoding="utf-8")  # noqa: PTH123, SIM115
        started = _fork(arguments, [stdin, stdout, stderr], more)
        super().__init__(started.pid, started.report)

    def communicate(self) -> tuple[str, str]:
        """Read the rest of the output and wait for the end."""
        rest = self.stdout.read(), self.stderr.read()
        self.wait()
        return rest

    def close(self) -> None:
        """End it, if it still runs."""
        self.kill()
        self.stdout.close()
        self.stderr.close()


def _fork(
    arguments: Any, streams: list[int | None], more: dict[str, str], *, has_terminal: bool = False
) -> Child:
    """Run the command with these streams, which this process then closes."""
    imported = PEERS if arguments[:1] == ("demo",) else ()
    child = fork(arguments, streams, environment(**more), has_terminal=has_terminal, imported=imported)
    for stream in streams:
        if stream is not None:
            os.close(stream)
    return child


# Seconds.
_BETWEEN_KEYS = 2


class Terminal:
    """Runs the command on a pseudo-terminal, as a user does."""

    def __init__(self, *arguments: str, columns: int = 80, **more: str) -> None:
        self._controller, terminal = pty.openpty()
        ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        streams: list[int | None] = [terminal, os.dup(terminal), os.dup(terminal)]
        self._process = _fork(arguments, streams, more, has_terminal=True)
        self.output = ""

    def type(self, text: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._controller, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until the text has come; gives what came up to its end."""
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
        """End the command, if it still runs."""
        self._process.kill()
        os.close(self._controller)


def on_terminal(*arguments: str, columns: int = 80, **more: str) -> tuple[int, str]:
    """Run the command on a pseudo-terminal; gives its exit status and all that it wrote."""
    session = Terminal(*arguments, columns=columns, **more)
    try:
        return session.end()
    finally:
        session.close()


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # how Linux says that the other side has closed
        return b""

"""The real console script, in an environment or on a terminal of the test's choice."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

SCRIPT = str(Path(sys.executable).with_name("ssejet"))

# Set for the test run perhaps, but not for the user: styles, sizes, and output that needs no flush.
_LEFT_OUT = {
    "COLUMNS",
    "FORCE_COLOR",
    "LINES",
    "NO_COLOR",
    "PYTHONUNBUFFERED",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
}


def environment(**more: str) -> dict[str, str]:
    """This process's environment, but for what would change the output, and with ``more``."""
    inherited = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return inherited | {"TERM": "xterm-256color"} | more


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

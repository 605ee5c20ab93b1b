"""The three standard streams of the process, which may be closed, full, or without a reader."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["abandon_output", "flush_output", "open_closed_streams"]


def open_closed_streams() -> None:
    """Open what is closed of standard input, output and error on the null device.

    Python has None for them then. And the next file or socket would get the free number, and with it what
    somebody else writes to that stream.
    """
    for number, (name, mode) in enumerate([("stdin", "r"), ("stdout", "w"), ("stderr", "w")]):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        errors = "backslashreplace" if name == "stderr" else None
        setattr(sys, name, open(number, mode, encoding="utf-8", errors=errors, closefd=False))  # noqa: SIM115


def flush_output() -> None:
    """Write out what standard output still holds.

    Raises:
        OSError: it cannot be written. The interpreter would only complain about that, in words of its own.
    """
    sys.stdout.flush()


def abandon_output() -> None:
    """Send the rest of standard output nowhere: the interpreter flushes it once more when it exits."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)

"""Handles standard streams that are closed, full, or have no reader."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["abandon_output", "flush_output", "open_closed_streams"]


def open_closed_streams() -> None:
    """Open the null device for each standard stream that is closed.

    Python sets a closed stream to None. The next file or socket that is opened would get its number, and
    with it what other code writes to that stream.
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
    """Flush standard output.

    Raises:
        OSError: the output cannot be written. The interpreter itself would only print a warning.
    """
    sys.stdout.flush()


def abandon_output() -> None:
    """Discard the rest of standard output, which the interpreter would flush again when it exits."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)

"""Consoles, colours, error messages and exit statuses for all commands."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.theme import Theme

from ssejet.cli._standard_streams import abandon_output

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command_ends", "complain", "error_console", "fail", "printable", "standard_console"]

# Those of a terminal's sixteen colours that are readable on white and on black.
_THEME = Theme(
    {
        "event": "bold magenta",
        "error": "red",
        "good": "green",
        "json.brace": "none",
        "json.key": "cyan",
        "json.str": "green",
        "json.number": "magenta",
        "json.bool_true": "magenta",
        "json.bool_false": "magenta",
        "json.null": "magenta",
        "markdown.code": "cyan",
        "markdown.block_quote": "italic",
        "markdown.link": "none",
        "markdown.link_url": "cyan",
    }
)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich calls this inside its except block, and by default ends the program with status 1.
        raise


def standard_console() -> Console:
    """Make a console on standard output: coloured on a terminal, plain in a pipe or with ``NO_COLOR``."""
    return _console(stderr=False)


def error_console() -> Console:
    """Make a console on standard error, with the same rules."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A character that the code page lacks must not end the stream.
        stream.reconfigure(errors="backslashreplace")
    return _Console(
        stderr=stderr,
        theme=_THEME,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def printable(text: str) -> str:
    r"""Write control characters and lone surrogates as ``\uXXXX``.

    So a server cannot move the cursor or change the terminal's title, and the text can always be encoded.
    """
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def complain(message: str) -> None:
    """Print an error to standard error, in one line."""
    line = printable(" ".join(message.split()))
    error_console().print(f"ssejet: {line}", style="error", soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Print an error to standard error, and end the command with status 1."""
    complain(message)
    raise typer.Exit(1)


@contextmanager
def command_ends() -> Iterator[None]:
    """End a command as shells expect: status 130 after Ctrl-C, 0 when the reader of the output has left."""
    try:
        yield
    except KeyboardInterrupt:
        # Some releases of typer would print "Aborted!" and exit with status 1.
        raise typer.Exit(130) from None
    except BrokenPipeError:
        abandon_output()
        raise typer.Exit(0) from None

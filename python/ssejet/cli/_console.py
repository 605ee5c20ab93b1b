"""What every command prints with: consoles, colours, and ends that a shell understands."""

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

# The sixteen colours that every terminal lets its user tune, and of those only the ones that can be read on
# white as well as on black.
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
        # rich calls this from its except block, and would itself end the program with status 1.
        raise


def standard_console() -> Console:
    """A console on standard output: in colour on a terminal, plain in a pipe or under ``NO_COLOR``."""
    return _console(stderr=False)


def error_console() -> Console:
    """A console on standard error, under the same rules."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A code page without some character must not end the stream.
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
    r"""``text`` with control characters and lone surrogates as ``\uXXXX``.

    What a server sends must not be able to move the cursor, retitle the terminal, or fail to encode.
    """
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def complain(message: str) -> None:
    """Say on standard error what went wrong, in one line."""
    line = printable(" ".join(message.split()))
    error_console().print(f"ssejet: {line}", style="error", soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Say on standard error why the command failed, and end it with status 1."""
    complain(message)
    raise typer.Exit(1)


@contextmanager
def command_ends() -> Iterator[None]:
    """End a command as a shell expects: status 130 after Ctrl-C, quietly once nobody reads the output."""
    try:
        yield
    except KeyboardInterrupt:
        # Here, because some releases of typer make an "Aborted!" and status 1 of it.
        raise typer.Exit(130) from None
    except BrokenPipeError:
        abandon_output()
        raise typer.Exit(0) from None

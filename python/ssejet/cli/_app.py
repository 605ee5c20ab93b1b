"""The command line: the options of ``ssejet`` itself and its commands."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from ssejet.cli._commands.bench import bench
from ssejet.cli._commands.chat import chat
from ssejet.cli._commands.demo import demo
from ssejet.cli._commands.doctor import doctor
from ssejet.cli._commands.serve import serve
from ssejet.cli._commands.tail import tail
from ssejet.cli._console import command_ends

app = typer.Typer(
    help="Server-sent events on the command line.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # Our own errors are one line. For all others, Python's plain traceback is the better bug report.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(bench)
app.command()(chat)
app.command()(demo)
app.command()(doctor)
app.command()(serve)
app.command()(tail)


def _show_version(wanted: bool) -> None:
    if wanted:
        with command_ends():
            typer.echo(f"ssejet {metadata.version('ssejet')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Server-sent events on the command line."""

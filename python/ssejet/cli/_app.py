"""The command line: the options of ``ssejet`` itself and its commands."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ssejet.cli._commands.bench import bench
from ssejet.cli._commands.chat import chat
from ssejet.cli._commands.demo import demo
from ssejet.cli._commands.doctor import doctor
from ssejet.cli._commands.serve import serve
from ssejet.cli._commands.tail import tail
from ssejet.cli._console import command_ends


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _with_plain_flags(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _with_plain_flags(super().get_params(ctx))


def _with_plain_flags(params: list[Any]) -> list[Any]:
    """Show no type beside options that take no value. typer 0.29 shows ``<bool>``."""
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params


app = typer.Typer(
    cls=_Group,
    help="Server-sent events on the command line.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # Our own errors are one line. For all others, Python's plain traceback is the better bug report.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (bench, chat, demo, doctor, serve, tail):
    app.command(cls=_Command)(command)


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

"""``ssejet doctor``: shows the versions, and which of the installed packages ssejet makes fast."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ssejet.cli._console import command_ends, printable, standard_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from ssejet.swap import Installation

__all__ = ["doctor"]

# Libraries that a program may use together with ssejet, as their distributions are called.
_LIBRARIES = (
    *("httpx", "httpcore", "httpx2", "httpcore2", "anyio", "h2", "aiohttp", "requests", "urllib3"),
    *("niquests", "msgspec", "jiter", "pydantic"),
)


def doctor(
    no_import: Annotated[
        bool,
        typer.Option("--no-import", help="Import no package. Then it is not known whether its version fits."),
    ] = False,
) -> None:
    """Show the versions, and which packages ssejet makes fast here. If it does not, say why."""
    with command_ends():
        console = standard_console()
        _show_environment(console)
        _show_packages(console, imports=not no_import)


def _show_environment(console: Console) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _environment():
        table.add_row(name, printable(value))
    console.print(table)


def _environment() -> Iterator[tuple[str, str]]:
    yield "ssejet", metadata.version("ssejet")
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}, {_gil()}"
    yield "platform", f"{platform.platform()}, {platform.machine()}"
    for name in _LIBRARIES:
        yield name, _version(name) or "not installed"
    yield "orjson", _version("orjson") or "not installed: msgspec writes what is sent, more slowly"
    yield "direct reading", _direct_reading()


def _gil() -> str:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "with a GIL"
    enabled: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    return f"free-threaded, the GIL is {'on' if enabled else 'off'}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _direct_reading() -> str:
    if importlib.util.find_spec("ssejet._http.direct") is None:
        return "off: this version of ssejet reads through the HTTP libraries"
    if os.environ.get("SSEJET_DIRECT") == "0":
        return "off: SSEJET_DIRECT=0"
    return "on"


def _show_packages(console: Console, *, imports: bool) -> None:
    import ssejet

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the table says it
        with ssejet.install() as report:
            failed = _import_all(report) if imports else {}
            rows = report.packages
    if not rows:
        console.print("\nNo package that ssejet could make fast is installed.")
        return
    table = Table("package", "version", "state", "why", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        state: str = row.state
        reason = failed.get(row.name, row.reason)
        if row.name in failed:
            state = "broken"
        style = {"swapped": "good", "broken": "error", "left alone": "error"}.get(state, "")
        table.add_row(row.name, row.version, state, printable(reason), style=style)
    console.print()
    console.print(table)
    console.print(
        "ssejet.install() makes the swapped packages fast; ssejet.accelerate(client), one client of an SDK."
    )


def _import_all(report: Installation) -> dict[str, str]:
    """Import the packages that wait, so that it is tried whether they fit. Say which fail, and why."""
    from ssejet.swap._registry import import_streams

    failed = {}
    for row in report.packages:
        if row.state == "waiting":
            try:
                import_streams(row.name)
            except Exception as error:
                failed[row.name] = f"it cannot be imported: {type(error).__name__}: {error}"
    return failed

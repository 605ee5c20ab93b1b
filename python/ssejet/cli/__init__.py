"""The command ``ssejet``: one module per command.

It needs typer and rich (extra ``cli``); ``ssejet demo`` also needs starlette and uvicorn (extra ``serve``).
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRAS = {"typer": "cli", "rich": "cli", "starlette": "cli,serve", "uvicorn": "cli,serve"}


def main() -> None:
    """Run the command line and exit.

    The status is 0 when all went well, 1 when the command failed (why is on standard error), 2 when it was
    called wrongly or lacks a package, 130 after Ctrl-C.
    """
    try:
        # Here, not above: the module must import, and explain itself, without the extras.
        from ssejet.cli._app import app

        app(prog_name="ssejet")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        sys.exit(_explain_missing(missing))
    except KeyboardInterrupt:
        sys.exit(130)


def _explain_missing(package: str) -> int:
    remedy = f'pip install "ssejet[{_EXTRAS[package]}]"'
    print(f"ssejet: this command needs {package}, which is not installed: {remedy}", file=sys.stderr)
    return 2

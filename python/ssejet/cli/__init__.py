"""The command ``ssejet``: one module per command.

It needs typer and rich (extra ``cli``); ``ssejet demo`` and ``serve`` also need starlette and uvicorn (extra
``serve``), and ``serve --redis`` needs redis-py (extra ``redis``).
"""

from __future__ import annotations

import sys
from contextlib import suppress

from ssejet._startup import allow_interrupts, exit_at_interrupts
from ssejet.cli._standard_streams import abandon_output, flush_output, open_closed_streams

__all__ = ["main"]

_EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "starlette": "cli,serve",
    "uvicorn": "cli,serve",
    "redis": "cli,redis,serve",
}


def main() -> None:
    """Run the command line and exit.

    The exit status is 0 for success, 1 for a failure (standard error says why), 2 for wrong arguments or a
    missing package, 130 after Ctrl-C. A closed standard stream acts like the null device. A full disk is an
    error. A closed pipe, as after ``| head``, is not.
    """
    try:
        allow_interrupts()
        open_closed_streams()
        # Imported here, because this module must work without the extras to say which one is missing.
        from ssejet.cli._app import app

        try:
            app(prog_name="ssejet")
        except SystemExit:
            flush_output()
            raise
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        sys.exit(_explain_missing(missing))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        abandon_output()
        sys.exit(0)
    except OSError as error:
        # The commands handle errors of files and connections. Any other OSError comes from standard output.
        if error.filename is not None or isinstance(error, ConnectionError):
            raise
        abandon_output()
        with suppress(OSError):  # standard error may be full as well
            print(f"ssejet: cannot write the output: {error.strerror or error}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        exit_at_interrupts()  # the interpreter takes time to exit


def _explain_missing(package: str) -> int:
    remedy = f'pip install "ssejet[{_EXTRAS[package]}]"'
    print(f"ssejet: this command needs {package}, which is not installed; run {remedy}", file=sys.stderr)
    return 2

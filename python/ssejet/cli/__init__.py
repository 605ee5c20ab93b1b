"""The command ``ssejet``: one module per command.

It needs typer and rich (extra ``cli``); ``ssejet demo`` also needs starlette and uvicorn (extra ``serve``).
"""

from __future__ import annotations

import sys
from contextlib import suppress

from ssejet._startup import allow_interrupts, exit_at_interrupts
from ssejet.cli._standard_streams import abandon_output, flush_output, open_closed_streams

__all__ = ["main"]

_EXTRAS = {"typer": "cli", "rich": "cli", "starlette": "cli,serve", "uvicorn": "cli,serve"}


def main() -> None:
    """Run the command line and exit.

    The status is 0 when all went well, 1 when the command failed (why is on standard error), 2 when it was
    called wrongly or lacks a package, 130 after Ctrl-C. Where standard input or output is closed, it reads
    nothing or writes to nobody. Output that cannot be written is an error; output that nobody reads is not.
    """
    try:
        allow_interrupts()
        open_closed_streams()
        # Here, not above: the module must import, and explain itself, without the extras.
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
        # The commands handle the errors of files and of connections: what is left has no name.
        if error.filename is not None or isinstance(error, ConnectionError):
            raise
        abandon_output()
        with suppress(OSError):  # standard error may be full as well
            print(f"ssejet: cannot write the output: {error.strerror or error}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        exit_at_interrupts()  # as the end of a process takes its time too


def _explain_missing(package: str) -> int:
    remedy = f'pip install "ssejet[{_EXTRAS[package]}]"'
    print(f"ssejet: this command needs {package}, which is not installed: {remedy}", file=sys.stderr)
    return 2

"""Makes Ctrl-C end the command ``ssejet`` quietly while its modules are imported.

The package imports this module first. In other programs it does nothing.
"""

from __future__ import annotations

import sys

__all__ = ["IS_COMMAND", "allow_interrupts", "exit_at_interrupts"]

IS_COMMAND = (getattr(sys, "argv", None) or [""])[0].replace("\\", "/").rpartition("/")[2] in {
    "ssejet",
    "ssejet.exe",
    "ssejet-script.py",
}
"""Whether this process is the command ``ssejet``, by the name of its script."""


def exit_at_interrupts() -> None:
    """Make Ctrl-C end the command at once with status 130, as there is nothing to clean up."""
    if not IS_COMMAND:
        return
    import _signal  # type: ignore[import-not-found]  # importing signal takes longer
    from os import _exit

    # A shell's background jobs ignore Ctrl-C, which must stay so.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, lambda *_: _exit(130))


def allow_interrupts() -> None:
    """Make Ctrl-C raise ``KeyboardInterrupt`` again."""
    if not IS_COMMAND:
        return
    import _signal

    if callable(_signal.getsignal(_signal.SIGINT)):
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


exit_at_interrupts()

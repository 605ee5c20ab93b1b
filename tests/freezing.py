"""Processes that tests stop and continue."""

from __future__ import annotations

import os

__all__ = ["stay_frozen"]


def stay_frozen() -> None:
    """Let only the test continue this process after it was stopped.

    When a shell ends, the kernel continues the stopped processes of the jobs that it leaves behind. A session
    of its own protects a process from that.
    """
    os.setsid()

"""How many files this process may have open: each connection is one."""

from __future__ import annotations

import sys

__all__ = ["allow_connections"]

# Standard streams, the event loop's, certificates, libraries.
_OTHERS = 64


def allow_connections(count: int) -> int | None:
    """Raise this process's limit, if it can be raised, so that it may have so many connections.

    Returns:
        How many connections it may have if that is fewer, else None.
    """
    if sys.platform == "win32":
        return None
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    needed = count + _OTHERS
    if soft == RLIM_INFINITY or soft >= needed:
        return None
    allowed = needed if hard == RLIM_INFINITY else min(needed, hard)
    if allowed > soft:
        setrlimit(RLIMIT_NOFILE, (allowed, hard))
    return None if allowed >= needed else max(0, allowed - _OTHERS)

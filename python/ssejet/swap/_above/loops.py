"""Runs coroutines as ``asyncio.run()`` does, on event loops that are used again."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run"]

# A loop holds three file descriptors.
_MOST_LOOPS = 8


class _Kept:
    """A runner whose loop may be used again."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.loop: Any = self.runner.get_loop()
        self._new = _state(self.loop)

    def is_as_new(self) -> bool:
        return self._new is not None and not asyncio.all_tasks(self.loop) and _state(self.loop) == self._new

    def __del__(self) -> None:
        # At the end of the process nobody else closes it.
        self.loop.close()


_kept: deque[_Kept] = deque()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine as ``asyncio.run()`` does.

    A new loop costs many system calls. A loop that a coroutine leaves as it was when it was new, without
    tasks, timers, sockets or threads, is used again; any other is closed as ``asyncio.run()`` closes it.
    """
    if not _is_usual():
        return asyncio.run(main)
    try:
        kept = _kept.popleft()
    except IndexError:
        kept = _Kept()
    asyncio.set_event_loop(kept.loop)
    try:
        return kept.runner.run(main, context=copy_context())
    finally:
        if kept.is_as_new() and len(_kept) < _MOST_LOOPS:
            asyncio.set_event_loop(None)
            _kept.append(kept)
        else:
            kept.runner.close()
            asyncio.set_event_loop(None)


def _is_usual() -> bool:
    """Whether ``asyncio.run()`` would make one of asyncio's own loops, in a thread that has none."""
    if sys.version_info < (3, 11) or sys.platform == "win32":
        return False
    if threading.current_thread() is threading.main_thread() or asyncio._get_running_loop() is not None:
        return False
    policy = vars(asyncio.events).get("_event_loop_policy")
    return policy is None or type(policy).__module__ == "asyncio.unix_events"


_EMPTY = ("_ready", "_scheduled", "_asyncgens", "_signal_handlers")
_SAME = (
    "_selector",
    "_default_executor",
    "_exception_handler",
    "_task_factory",
    "_debug",
    "_asyncgens_shutdown_called",
)


def _state(loop: Any) -> tuple[Any, ...] | None:
    """Give what coroutines change in a loop; None if something is left in it or it is not asyncio's own."""
    if type(loop) is not asyncio.SelectorEventLoop or loop.is_closed():
        return None
    members = vars(loop)
    if any(name not in members for name in (*_EMPTY, *_SAME)):
        return None
    if any(len(members[name]) for name in _EMPTY):
        return None
    return (*(members[name] for name in _SAME), len(members["_selector"].get_map()))

"""Tasks that outlive the request that starts them, on asyncio and trio."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Any

from ssejet.emit._event_loops import keep_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["logger", "spawn"]

logger = logging.getLogger("ssejet.hub")


def spawn(function: Callable[[], Awaitable[None]]) -> None:
    """Run a function in a task of its own. Its exceptions are logged."""

    async def run() -> None:
        try:
            await function()
        except Exception:
            logger.exception("a task of the hub failed")

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio

        context: Any = contextvars.copy_context()
        trio.lowlevel.spawn_system_task(run, context=context)
    else:
        keep_task(run())

"""Tasks that outlive the request that starts them, on asyncio and trio."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ssejet.emit._event_loops import keep_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["completed", "logger", "spawn"]

T = TypeVar("T")

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


async def completed(function: Callable[[], Awaitable[T]]) -> T:
    """Return what a function returns. It runs to its end, even if the task that waits for it is cancelled."""
    ended = anyio.Event()
    results: list[T] = []
    errors: list[Exception] = []

    async def run() -> None:
        try:
            results.append(await function())
        except Exception as error:
            errors.append(error)
        finally:
            ended.set()

    spawn(run)
    with anyio.CancelScope(shield=True):  # task.cancel() of asyncio ends the wait, but not the function
        await ended.wait()
    if errors:
        raise errors[0]
    return results[0]

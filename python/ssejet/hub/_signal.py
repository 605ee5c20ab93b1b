"""Wakes all tasks that wait for a log to change."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

__all__ = ["Signal"]


class Signal:
    """Wakes all tasks that wait, on asyncio and trio; one event loop at a time.

    ``anyio.Event`` does the same, but each wait costs several times as much.
    """

    __slots__ = ("_futures", "_lot")

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []
        self._lot: Any = None

    async def wait(self) -> None:
        """Wait for the next ``notify``."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await self._wait_in_trio()
            return
        future = loop.create_future()
        self._futures.append(future)
        try:
            await future
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._futures.remove(future)
            raise

    def notify(self) -> None:
        """Wake all tasks that wait."""
        if self._futures:
            futures = self._futures
            self._futures = []
            for future in futures:
                if not future.done():
                    with suppress(RuntimeError):  # its event loop is closed
                        future.set_result(None)
        if self._lot is not None:
            self._lot.unpark_all()

    async def _wait_in_trio(self) -> None:
        from trio.lowlevel import ParkingLot

        if self._lot is None:
            self._lot = ParkingLot()
        await self._lot.park()

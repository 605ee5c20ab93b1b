"""Runs a measurement: the warm-up, the load, its progress display, and Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn

from ssejet.cli._console import error_console
from ssejet.cli._load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ssejet.cli._load import Results

__all__ = ["Measurement"]

_SECONDS_BETWEEN_FRAMES = 0.2
_FRAMES_OF_RATE = 10
_BAR = 24


class Measurement:
    """A measurement.

    Args:
        client_options: the arguments of the clients.
        requests: the parameters of the requests, used in turn.
        concurrency: the number of concurrent requests.
        warmup: the number of requests before the measurement.
        total: the number of measured requests; None for no limit.
        seconds: the time after which no more requests are sent; None for no limit.
    """

    def __init__(
        self,
        client_options: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]],
        *,
        concurrency: int,
        warmup: int,
        total: int | None,
        seconds: float | None,
    ) -> None:
        self._client_options = client_options
        self._requests = requests
        self._concurrency = concurrency
        self._warmup = warmup
        self._total = inf if total is None else total
        self._seconds = inf if seconds is None else seconds
        self._interrupted = False

    async def run(self) -> tuple[Results, bool]:
        """Run the measurement.

        Returns:
            The results, and whether they are complete: Ctrl-C ends the measurement early.

        Raises:
            SSEError: a request of the warm-up failed.
            KeyboardInterrupt: Ctrl-C during the warm-up.
        """
        async with Load(self._client_options, self._requests, concurrency=self._concurrency) as load:
            with self._ending_on_ctrl_c(load):
                if self._warmup:
                    results = await load.run(total=self._warmup)
                    for failure in results.failures.values():
                        raise failure.error
                    if self._interrupted:
                        raise KeyboardInterrupt
                display = asyncio.create_task(self._display(load))
                try:
                    results = await load.run(total=self._total, seconds=self._seconds)
                finally:
                    display.cancel()
                    await asyncio.wait([display])
        return results, not self._interrupted

    @contextmanager
    def _ending_on_ctrl_c(self, load: Load) -> Iterator[None]:
        """Let the first Ctrl-C end the load; a second one raises ``KeyboardInterrupt``."""
        loop = asyncio.get_running_loop()

        def interrupt(*_: object) -> None:
            self._interrupted = True
            signal.signal(signal.SIGINT, before)
            loop.call_soon_threadsafe(load.stop)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    async def _display(self, load: Load) -> None:
        """Show the progress, on a terminal."""
        console = error_console()
        # Not console.is_terminal, which FORCE_COLOR sets.
        if not sys.stderr.isatty() or console.is_dumb_terminal:
            return
        columns = (BarColumn(_BAR), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
            task = progress.add_task("", total=1.0)
            before = [(load.elapsed, load.tokens)]
            while True:
                results = load.results
                now = (load.elapsed, load.tokens)
                before = [*before[-_FRAMES_OF_RATE:], now]
                rate = (now[1] - before[0][1]) / max(now[0] - before[0][0], 1e-9)
                failed = f" · [error]{results.failed:,} failed[/]" if results.failed else ""
                progress.update(
                    task,
                    completed=max(results.ended / self._total, load.elapsed / self._seconds),
                    description=f"{results.ended:,} ended{failed} · {len(load.running):,} streaming · "
                    f"{rate:,.0f} tokens/s",
                    refresh=True,
                )
                await asyncio.sleep(_SECONDS_BETWEEN_FRAMES)

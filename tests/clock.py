"""A clock that tests move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Clock:
    """The time in seconds for all metrics of streams."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def ticking(self, steps: Sequence[tuple[float, bytes]]) -> Iterator[bytes]:
        """Chunks; each arrives some seconds after the reader asks for it."""
        for seconds, chunk in steps:
            self.now += seconds
            yield chunk


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("_stream_metrics", "_token_metrics"):
        monkeypatch.setattr(f"ssejet.metrics.{module}.perf_counter", clock)
    return clock

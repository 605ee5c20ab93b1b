"""A clock that goes only when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Clock:
    """What the time is, in seconds, for all that measures streams."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def ticking(self, steps: Sequence[tuple[float, bytes]]) -> Iterator[bytes]:
        """Chunks, each of which arrives so many seconds after the one before it was asked for."""
        for seconds, chunk in steps:
            self.now += seconds
            yield chunk


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("_stream_metrics", "_token_metrics"):
        monkeypatch.setattr(f"ssejet.metrics.{module}.perf_counter", clock)
    return clock

"""Metrics: what a stream measures of itself, and of the tokens in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._lazy import on_demand
from ssejet.metrics._stream import StreamMetrics

if TYPE_CHECKING:
    from ssejet.metrics._responses import ResponseMetrics
    from ssejet.metrics._tokens import Latencies, TokenMetrics

__all__ = ["Latencies", "ResponseMetrics", "StreamMetrics", "TokenMetrics"]

__getattr__ = on_demand(
    globals(),
    {
        "Latencies": "ssejet.metrics._tokens",
        "ResponseMetrics": "ssejet.metrics._responses",
        "TokenMetrics": "ssejet.metrics._tokens",
    },
)

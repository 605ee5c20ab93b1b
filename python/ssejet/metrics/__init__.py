"""Metrics of streams: times, bytes, events and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._lazy import on_demand
from ssejet.metrics._stream_metrics import StreamMetrics

if TYPE_CHECKING:
    from ssejet.metrics._response_metrics import ResponseMetrics
    from ssejet.metrics._token_metrics import Latencies, TokenMetrics

__all__ = ["Latencies", "ResponseMetrics", "StreamMetrics", "TokenMetrics"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(
        globals(),
        {
            "Latencies": "ssejet.metrics._token_metrics",
            "ResponseMetrics": "ssejet.metrics._response_metrics",
            "TokenMetrics": "ssejet.metrics._token_metrics",
        },
    )

"""Metrics of streams: time to first byte, event and token, latencies between tokens, throughput.

``StreamMetrics`` counts bytes and events. ``TokenMetrics`` also measures the tokens of a model's answer;
``ResponseMetrics`` does so for the Responses protocol, and ``ChatMetrics`` and ``CompletionMetrics`` of
``ssejet.chat`` for chat completions and completions. Latencies and times are in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._lazy import on_demand
from ssejet.metrics._stream import StreamMetrics

if TYPE_CHECKING:
    from ssejet.metrics._responses import ResponseMetrics
    from ssejet.metrics._tokens import Latencies, TokenMetrics

__all__ = ["Latencies", "ResponseMetrics", "StreamMetrics", "TokenMetrics"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(
        globals(),
        {
            "Latencies": "ssejet.metrics._tokens",
            "ResponseMetrics": "ssejet.metrics._responses",
            "TokenMetrics": "ssejet.metrics._tokens",
        },
    )

"""Formats durations and an answer's metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssejet import TokenMetrics

__all__ = ["ORIGINS", "duration", "summary"]

# Who counted the tokens, by ``TokenMetrics.tokens_from``.
ORIGINS = {"usage": "server's count", "tokenizer": "tokenizer's count", "chunks": "chunks"}


def duration(seconds: float) -> str:
    """Format seconds with three digits and a suitable unit."""
    if seconds < 0.9995e-3:
        value, unit = seconds * 1e6, "µs"
    elif seconds < 0.9995:
        value, unit = seconds * 1e3, "ms"
    else:
        value, unit = seconds, "s"
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def summary(metrics: TokenMetrics) -> str:
    """Format the metrics of an answer in one line."""
    parts = []
    if (wait := metrics.time_to_first_token) is not None:
        parts.append(f"TTFT {duration(wait)}")
        answer = metrics.time_to_first_content_token
        if metrics.reasoning_chunks and answer is not None:
            parts[0] += f" (answer {duration(answer)})"
    if (rate := metrics.tokens_per_second) is not None:
        parts.append(f"{rate:,.1f} tokens/s")
    parts.append(f"{metrics.tokens:,} tokens ({ORIGINS[metrics.tokens_from]})")
    if (elapsed := metrics.elapsed) is not None:
        parts.append(duration(elapsed))
    return " · ".join(parts)

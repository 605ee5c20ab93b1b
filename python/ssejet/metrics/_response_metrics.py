"""Metrics of streams of OpenAI's Responses API, whose events are dicts with a ``type``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssejet.metrics._token_metrics import TokenMetrics

__all__ = ["ResponseMetrics"]

_REASONING = frozenset({"response.reasoning_text.delta", "response.reasoning_summary_text.delta"})
_ANSWER = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    }
)
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


class ResponseMetrics(TokenMetrics):
    """The metrics of a stream of the Responses API; see ``TokenMetrics``."""

    __slots__ = ()

    def observe(self, item: Any) -> None:
        """Count the token or the usage in an event."""
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind in _ANSWER:
            self.add_token(item.get("delta") or "")
        elif kind in _REASONING:
            self.add_token(reasoning=item.get("delta") or "")
        elif kind in _LAST:
            self.finished = True
            usage = (item.get("response") or {}).get("usage")
            if usage:
                self.add_usage(
                    prompt=usage.get("input_tokens"),
                    completion=usage.get("output_tokens"),
                    reasoning=(usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
                )

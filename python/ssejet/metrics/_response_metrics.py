"""Metrics of streams of OpenAI's Responses API."""

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
    """The metrics of a stream of the Responses API; see ``TokenMetrics``.

    An event may be ssejet's, openai-python's or a dict.
    """

    __slots__ = ()

    def observe(self, item: Any) -> None:
        """Count the token or the usage in an event."""
        try:
            kind = item.type
        except AttributeError:
            kind = item.get("type") if isinstance(item, Mapping) else None
        if not isinstance(kind, str):
            return
        if kind in _ANSWER:
            self.add_token(_delta_of(item))
        elif kind in _REASONING:
            self.add_token(reasoning=_delta_of(item))
        elif kind in _LAST:
            self.finished = True
            response = _as_dict(item).get("response")
            usage = response.get("usage") if isinstance(response, Mapping) else None
            if isinstance(usage, Mapping):
                details = usage.get("output_tokens_details")
                reasoning = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
                self.add_usage(
                    prompt=_count(usage.get("input_tokens")),
                    completion=_count(usage.get("output_tokens")),
                    reasoning=_count(reasoning),
                )


def _delta_of(item: Any) -> str:
    try:
        delta = item.delta
    except AttributeError:
        delta = item.get("delta") if isinstance(item, Mapping) else None
    return delta if isinstance(delta, str) else ""


def _as_dict(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    data: Mapping[str, Any] = item.to_dict()
    return data


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

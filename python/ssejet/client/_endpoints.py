"""Describes the endpoints of an OpenAI-compatible server: paths, answers and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ssejet._json import loads
from ssejet.chat import ChatCompletion, ChatCompletionChunk, Completion, response_format_param, tool_param
from ssejet.chat._metrics import ChatMetrics, CompletionMetrics
from ssejet.metrics._response_metrics import ResponseMetrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.metrics._token_metrics import TokenMetrics

__all__ = ["CHAT", "COMPLETIONS", "RESPONSES", "Endpoint"]


class Endpoint(NamedTuple):
    """An endpoint of the API.

    Attributes:
        path: the path, relative to the base URL.
        item: the ``cast_to`` of its streams.
        parse: decodes the JSON text of a response to the result.
        is_answer: whether decoded JSON is an answer of this endpoint.
        metrics: the metrics class of its streams.
        adapt: converts the parameters in place to what the API takes.
    """

    path: str
    item: Any
    parse: Callable[[str], Any]
    is_answer: Callable[[Any], bool]
    metrics: type[TokenMetrics]
    adapt: Callable[[dict[str, Any]], None] = lambda _: None


def _types_to_schemas(body: dict[str, Any]) -> None:
    """Replace Python types in a request's parameters with JSON Schemas."""
    if "response_format" in body:
        body["response_format"] = response_format_param(body["response_format"])
    if "tools" in body:
        body["tools"] = [tool_param(tool) for tool in body["tools"]]


def _has_choices(payload: Any) -> bool:
    return isinstance(payload, Mapping) and isinstance(payload.get("choices"), (list, Mapping))


_RESPONSE_STATUSES = frozenset({"cancelled", "completed", "failed", "in_progress", "incomplete", "queued"})


def _is_response(payload: Any) -> bool:
    return isinstance(payload, Mapping) and (
        "output" in payload
        or payload.get("object") == "response"
        or (isinstance(payload.get("status"), str) and payload["status"] in _RESPONSE_STATUSES)
    )


CHAT = Endpoint(
    "chat/completions",
    ChatCompletionChunk,
    ChatCompletion.from_json,
    _has_choices,
    ChatMetrics,
    adapt=_types_to_schemas,
)
COMPLETIONS = Endpoint("completions", Completion, Completion.from_json, _has_choices, CompletionMetrics)
RESPONSES = Endpoint("responses", None, loads, _is_response, ResponseMetrics)

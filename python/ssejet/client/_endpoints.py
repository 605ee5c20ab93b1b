"""Describes the endpoints of an OpenAI-compatible server: paths, answers and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from ssejet.chat import ChatCompletion, ChatCompletionChunk, Completion, response_format_param, tool_param
from ssejet.chat._metrics import ChatMetrics, CompletionMetrics
from ssejet.metrics._response_metrics import ResponseMetrics
from ssejet.responses import Response, ResponseEvent, text_format_param
from ssejet.responses import tool_param as response_tool_param

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
        method: the HTTP method. With ``GET``, the parameters go into the URL's query.
        may_have_error: whether an answer can have an error and still be one, as a failed response does.
        can_be_resumed: whether a stream that was cut can be taken up again.
        object_id: the id of the object, if the endpoint is that of one.
    """

    path: str
    item: Any
    parse: Callable[[str], Any]
    is_answer: Callable[[Any], bool]
    metrics: type[TokenMetrics]
    adapt: Callable[[dict[str, Any]], None] = lambda _: None
    method: str = "POST"
    may_have_error: bool = False
    can_be_resumed: bool = False
    object_id: str | None = None

    def of(self, name: str, *, action: str | None = None, method: str = "POST") -> Endpoint:
        """The endpoint of one object, or of an action on it.

        Raises:
            ValueError: the name is empty.
        """
        if not name:
            raise ValueError(f"an id in {self.path} must not be empty")
        path = f"{self.path}/{quote(name, safe='')}"
        path += f"/{action}" if action else ""
        return self._replace(path=path, method=method, adapt=lambda _: None, object_id=name)


def _types_to_schemas(body: dict[str, Any]) -> None:
    """Replace Python types in a request's parameters with JSON Schemas."""
    if "response_format" in body:
        body["response_format"] = response_format_param(body["response_format"])
    if "tools" in body:
        body["tools"] = [tool_param(tool) for tool in body["tools"]]


def _types_to_response_schemas(body: dict[str, Any]) -> None:
    """Replace Python types in the parameters of a response with JSON Schemas."""
    text_format = body.pop("text_format", None)
    if text_format is not None:
        body["text"] = {**(body.get("text") or {}), "format": text_format_param(text_format)}
    if "tools" in body:
        body["tools"] = [response_tool_param(tool) for tool in body["tools"]]


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
RESPONSES = Endpoint(
    "responses",
    ResponseEvent,
    Response.from_json,
    _is_response,
    ResponseMetrics,
    adapt=_types_to_response_schemas,
    may_have_error=True,
    can_be_resumed=True,
)

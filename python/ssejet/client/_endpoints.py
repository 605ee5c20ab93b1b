"""Describes the endpoints of an OpenAI-compatible server: paths, answers and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from ssejet._server_errors import has_choices
from ssejet.chat import ChatCompletion, ChatCompletionChunk, Completion, response_format_param, tool_param
from ssejet.chat._metrics import ChatMetrics, CompletionMetrics
from ssejet.client._providers import PROVIDERS
from ssejet.client._settings import is_anthropic
from ssejet.messages import Message, MessageMetrics, RawMessageStreamEvent, output_config_param
from ssejet.messages._tools import message_tool_param
from ssejet.metrics._response_metrics import ResponseMetrics
from ssejet.responses import Response, ResponseEvent, text_format_param
from ssejet.responses import tool_param as response_tool_param

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.client._settings import Settings
    from ssejet.metrics._token_metrics import TokenMetrics

__all__ = ["CHAT", "COMPLETIONS", "MESSAGES", "RESPONSES", "Endpoint"]

_ANTHROPIC_VERSION = "2023-06-01"


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
        can_be_resumed: whether a stream that was cut can resume.
        object_id: the id of the object, if the endpoint is that of one.
        url: the URL, for the client's settings; None for the path below the base URL.
        key_headers: the headers with the key; None for a bearer token.
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
    url: Callable[[Settings], str] | None = None
    key_headers: Callable[[Settings], dict[str, str]] | None = None

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


_RESPONSE_STATUSES = frozenset({"cancelled", "completed", "failed", "in_progress", "incomplete", "queued"})


def _is_response(payload: Any) -> bool:
    return isinstance(payload, Mapping) and (
        "output" in payload
        or payload.get("object") == "response"
        or (isinstance(payload.get("status"), str) and payload["status"] in _RESPONSE_STATUSES)
    )


def _messages_url(settings: Settings) -> str:
    """The URL of the Messages API, whether the base URL ends with the version or not."""
    base = settings.base_url
    provider = settings.provider
    if provider is not None and provider.messages_url and base == provider.base_url:
        base = provider.messages_url
    if base == PROVIDERS["openai"].base_url:
        raise ValueError(
            "OpenAI's server has no Messages API: use Client.for_provider('anthropic'), or pass the base_url "
            "of a server that has one"
        )
    return f"{base}/messages" if base.endswith("/v1") else f"{base}/v1/messages"


def _messages_key(settings: Settings) -> dict[str, str]:
    """The headers of a request to the Messages API: the version, and the key in the form that is wanted."""
    headers = {"anthropic-version": _ANTHROPIC_VERSION}
    if settings.api_key:
        if settings.provider is not None:
            form = settings.provider.messages_key
        else:
            form = "x-api-key" if is_anthropic(settings.base_url) else "both"
        if form != "authorization":
            headers["x-api-key"] = settings.api_key
        if form != "x-api-key":
            headers["Authorization"] = f"Bearer {settings.api_key}"
    return headers


def _message_types_to_schemas(body: dict[str, Any]) -> None:
    """Replace Python types in a request's parameters with JSON Schemas."""
    if "tools" in body:
        body["tools"] = [message_tool_param(tool) for tool in body["tools"]]
    if "output_format" in body:
        output_format = body.pop("output_format")
        body["output_config"] = output_config_param(output_format, body.get("output_config"))


CHAT = Endpoint(
    "chat/completions",
    ChatCompletionChunk,
    ChatCompletion.from_json,
    has_choices,
    ChatMetrics,
    adapt=_types_to_schemas,
)
COMPLETIONS = Endpoint("completions", Completion, Completion.from_json, has_choices, CompletionMetrics)
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
MESSAGES = Endpoint(
    "messages",
    RawMessageStreamEvent,
    Message.from_json,
    Message.is_answer,
    MessageMetrics,
    adapt=_message_types_to_schemas,
    url=_messages_url,
    key_headers=_messages_key,
)

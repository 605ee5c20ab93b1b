"""What a client asks an OpenAI-compatible server for, and whether it asks again; no I/O."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from ssejet._core import ServerSentEvent, __version__
from ssejet.backoff import backoff, retry_after
from ssejet.chat import ChatCompletion, ChatCompletionChunk, Completion, response_format_param, tool_param
from ssejet.chat.metrics import ChatMetrics, CompletionMetrics
from ssejet.errors import APIError, APIStatusError, InvalidJSONError, SSEError
from ssejet.machine import describe_error, payload_of, status_error
from ssejet.responses import ResponseMetrics
from ssejet.transport import Deadlines, request_of, translate_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sized

    from ssejet.token_metrics import TokenMetrics

__all__ = ["CHAT", "COMPLETIONS", "RESPONSES", "Call", "Endpoint", "Settings"]

_DEFAULT_BASE_URL = "https://api.openai.com/v1"

# Waits between attempts: seconds. A server that asks for more than the longest is not asked again.
_WAIT_UNIT = 0.25
_LONGEST_BACKOFF = 8.0
_LONGEST_RETRY_AFTER = 60.0


@dataclass(frozen=True)
class Endpoint:
    """One of the API's endpoints.

    Attributes:
        path: below the base URL.
        item: what a stream's items are, as ``cast_to``.
        result: makes the result of a response's JSON text.
        metrics: measures its streams.
        takes_types: whether a response format and tools may be given as types.
    """

    path: str
    item: Any
    result: Callable[[str], Any]
    metrics: type[TokenMetrics]
    takes_types: bool = False


def _json_of(text: str) -> Any:
    return ServerSentEvent(data=text).json()


CHAT = Endpoint(
    "chat/completions", ChatCompletionChunk, ChatCompletion.from_json, ChatMetrics, takes_types=True
)
COMPLETIONS = Endpoint("completions", Completion, Completion.from_json, CompletionMetrics)
RESPONSES = Endpoint("responses", None, _json_of, ResponseMetrics)


@dataclass(frozen=True, repr=False)
class Settings:
    """What all calls of a client have in common, or one call has for itself; see ``Client``."""

    api_key: str = ""
    base_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    connect_timeout: float | None = 10.0
    idle_timeout: float | None = None
    data_timeout: float | None = None
    timeout: float | None = 600.0
    max_retries: int = 2
    require_done: bool = True
    tokenizer: Callable[[str], int | Sized] | None = None

    def __post_init__(self) -> None:
        Deadlines(idle=self.idle_timeout, data=self.data_timeout, total=self.timeout)
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more; got {self.max_retries!r}")
        # The HTTP library's errors would quote what may be a secret.
        for name, value in {"api_key": self.api_key, **self.headers}.items():
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise ValueError(f"{name} has a character that no header can hold, such as a line end")

    @classmethod
    def from_environment(cls, api_key: str | None, base_url: str | None, **others: Any) -> Settings:
        """The settings, with what was not given from the environment.

        Raises:
            ValueError: there is no API key, or it cannot be sent.
        """
        base_url = base_url or os.environ.get("OPENAI_BASE_URL") or _DEFAULT_BASE_URL
        if api_key is None:
            api_key = os.environ.get("OPENAI_API_KEY", "")
            if not api_key and base_url == _DEFAULT_BASE_URL:
                raise ValueError("no API key: pass api_key, or set OPENAI_API_KEY in the environment")
        return cls(api_key=api_key, base_url=base_url.rstrip("/"), **others)

    def override(self, options: Mapping[str, Any]) -> Settings:
        """The settings of one call, which add to its client's headers and query, and replace the rest."""
        headers = {**self.headers, **(options.get("extra_headers") or {})}
        query = {**self.query, **(options.get("extra_query") or {})}
        others = {name: value for name, value in options.items() if not name.startswith("extra_")}
        return replace(self, headers=headers, query=query, body=options.get("extra_body") or {}, **others)


# The parameters of a call that are not the request's.
_OPTIONS = frozenset(
    {
        "data_timeout",
        "extra_body",
        "extra_headers",
        "extra_query",
        "idle_timeout",
        "max_retries",
        "timeout",
        "tokenizer",
    }
)


class Call:
    """One call of an endpoint: its request, its result, and what follows a failure.

    Args:
        settings: of the client.
        endpoint: what is called.
        params: the request's parameters, and options of the call.

    Attributes:
        streams: whether a stream was asked for.
        deadlines: of the latest request.

    Raises:
        TypeError: a parameter cannot be sent.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, params: Mapping[str, Any]) -> None:
        options = {name: value for name, value in params.items() if name in _OPTIONS}
        self._settings = settings.override(options)
        self._endpoint = endpoint
        body = {name: value for name, value in params.items() if name not in _OPTIONS and value is not None}
        self.streams = bool(body.get("stream"))
        if endpoint.takes_types:
            _put_schemas(body)
        self._body = _encode({**body, **self._settings.body})
        self._started = perf_counter()
        self._failures = 0
        self.deadlines = Deadlines()

    def build_request(self, client: Any) -> Any:
        """The request, made by a client of httpx or httpx2.

        Raises:
            APITimeoutError: there is no time left for it.
        """
        settings = self._settings
        self.deadlines = Deadlines(idle=settings.idle_timeout, total=settings.timeout, start=self._started)
        silence = self.deadlines.begin(None)
        wait = None if silence == inf else silence
        headers = {
            "Accept": "text/event-stream" if self.streams else "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"ssejet/{__version__}",
        }
        if settings.api_key:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        return client.build_request(
            "POST",
            f"{settings.base_url}/{self._endpoint.path}",
            params=settings.query or None,
            headers={**headers, **settings.headers},
            content=self._body,
            timeout=(settings.connect_timeout, wait, wait, wait),
        )

    def translate(self, error: Exception, request: Any) -> Exception:
        """What to raise for an error of sending the request."""
        return translate_request(error, request, self._settings.connect_timeout, self.deadlines)

    def open_stream(self, stream_class: Callable[..., Any], response: Any) -> Any:
        """The stream over a response."""
        settings = self._settings
        metrics = self._endpoint.metrics(tokenizer=settings.tokenizer)
        metrics.started = self._started
        metrics.reconnections = self._failures
        return stream_class(
            response,
            cast_to=self._endpoint.item,
            require_done=settings.require_done,
            idle_timeout=settings.idle_timeout,
            data_timeout=settings.data_timeout,
            timeout=settings.timeout,
            metrics=metrics,
        )

    def result(self, response: Any, body: bytes) -> Any:
        """What a response that is no stream says.

        Raises:
            APIStatusError: its status is an error.
            APIError: it says that there was an error.
            InvalidJSONError: it is not JSON, or not of the kind expected.
        """
        if response.status_code >= 400:
            raise status_error(response, body)
        event = ServerSentEvent(data=body.decode("utf-8", "replace"))
        try:
            result = self._endpoint.result(event.data)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            reason = f"the response is not what {self._endpoint.path} answers ({error})"
            raise InvalidJSONError(reason, event=event, index=0) from error
        if getattr(result, "error", None):
            message, payload = describe_error(payload_of(event))
            raise APIError(
                message or "the server reported an error", body=payload, request=request_of(response)
            )
        return result

    def retry_delay(self, error: SSEError) -> float:
        """Seconds after which to send the request again, nothing of the answer having been given away.

        Raises:
            SSEError: the error, if it is not to be sent again.
        """
        wish = None
        retryable = error.retryable
        if isinstance(error, APIStatusError):
            headers = error.response.headers
            wish = retry_after(headers)
            retryable = {"true": True, "false": False}.get(headers.get("x-should-retry"), retryable)
        self._failures += 1
        delay = backoff(self._failures, unit=_WAIT_UNIT, longest=_LONGEST_BACKOFF) if wish is None else wish
        timeout = self._settings.timeout
        left = inf if timeout is None else self._started + timeout - perf_counter()
        if (
            retryable
            and self._failures <= self._settings.max_retries
            and delay < min(left, _LONGEST_RETRY_AFTER)
        ):
            return delay
        raise self._without_key(error)

    def _without_key(self, error: SSEError) -> SSEError:
        """The error, without the API key that some servers quote."""
        key = self._settings.api_key
        if isinstance(error, APIError) and key:
            error.args = tuple(_hide(key, each) for each in error.args)
            error.message = _hide(key, error.message)
            error.body = _hide(key, error.body)
        return error


def _hide(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if isinstance(value, dict):
        return {_hide(key, name): _hide(key, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_hide(key, each) for each in value]
    return value


def _put_schemas(body: dict[str, Any]) -> None:
    """Replace the types in a body by what the API takes."""
    if "response_format" in body:
        body["response_format"] = response_format_param(body["response_format"])
    if "tools" in body:
        body["tools"] = [tool_param(tool) for tool in body["tools"]]


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, default=_jsonable)
    except TypeError as error:  # which stands for lone surrogates and big integers, too
        import json

        if isinstance(error.__cause__, TypeError):
            raise error.__cause__ from None
        return json.dumps(body, default=_jsonable).encode()


def _jsonable(value: Any) -> Any:
    """A message of ssejet's or openai-python's, or another model, as JSON types."""
    for method in ("to_param", "to_dict"):
        if hasattr(value, method):
            return getattr(value, method)()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type: pass dicts, lists, strings, numbers")

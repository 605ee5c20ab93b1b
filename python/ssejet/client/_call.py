"""Makes the request of one call, decodes the answer and decides on retries, without I/O."""

from __future__ import annotations

import sys
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from ssejet._core import ServerSentEvent, __version__
from ssejet._http.backoff import backoff, retry_after
from ssejet._http.deadlines import Deadlines
from ssejet._http.failures import translate_request
from ssejet._http.headers import ACCEPT_ANSWER, with_default_headers
from ssejet._http.response import has_error_status
from ssejet._json import dumps_by, to_json_types
from ssejet._pydantic import can_dump
from ssejet._redaction import is_secret_header
from ssejet._server_errors import is_error_answer
from ssejet.client._resuming import Resumption
from ssejet.client._settings import OPTIONS
from ssejet.errors import (
    APIStatusError,
    APITimeoutError,
    InvalidJSONError,
    SSEError,
    request_of,
)
from ssejet.source._target import may_share_credentials
from ssejet.typed._server_reports import payload_of, reported_error, status_error, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ssejet.client._endpoints import Endpoint
    from ssejet.client._settings import Settings
    from ssejet.metrics._token_metrics import TokenMetrics

__all__ = ["Call"]

# Waits between attempts, in seconds. If the server asks for more than _MAX_RETRY_AFTER, the call fails.
_MIN_BACKOFF = 0.25
_MAX_BACKOFF = 8.0
_MAX_RETRY_AFTER = 60.0


class Call:
    """One call of an endpoint.

    Args:
        settings: the client's settings.
        endpoint: the endpoint.
        params: the parameters of the request and the options of the call.
        metrics: those of the stream that this call resumes; None for new ones.

    Attributes:
        streams: whether the request asks for a stream.
        resumes: whether the stream can resume after it was cut.
        deadlines: the deadlines of the latest request.
        direct: whether bodies may be read from the socket; see ``Stream``.

    Raises:
        TypeError: a parameter cannot be sent, or an option is of the wrong kind.
        ValueError: an option has an invalid value.
    """

    def __init__(
        self,
        settings: Settings,
        endpoint: Endpoint,
        params: Mapping[str, Any],
        metrics: TokenMetrics | None = None,
    ) -> None:
        self._settings = settings.override({name: value for name, value in params.items() if name in OPTIONS})
        self._endpoint = endpoint
        body = {name: value for name, value in params.items() if name not in OPTIONS and value is not None}
        endpoint.adapt(body)
        if settings.provider is not None and endpoint.key_headers is None:
            settings.provider.adapt(body)
        self._url = f"{settings.base_url}/{endpoint.path}" if endpoint.url is None else endpoint.url(settings)
        body |= self._settings.body
        self.streams: bool = bool(body.get("stream"))
        self._query: dict[str, Any] = {**self._settings.query}
        self._body: bytes | None = None
        if endpoint.method == "GET":
            self._query |= _as_query(body)
        else:
            self._body = dumps_by(_jsonable, body)
        self._metrics = metrics
        self._params = params
        # A response that runs in the background goes on without a reader, so its stream can resume. A call
        # with metrics is itself the rest of such a stream.
        is_in_background = endpoint.method == "GET" or bool(body.get("background"))
        self.resumes: bool = self.streams and endpoint.can_be_resumed and is_in_background and metrics is None
        self._started = perf_counter() if metrics is None else metrics.started
        self._failures = 0
        self._redirects = 0
        self.deadlines: Deadlines = Deadlines()
        self.direct: bool = self._settings.direct

    def build_request(self, client: Any) -> Any:
        """Build the request with a client of httpx or httpx2.

        Raises:
            APITimeoutError: the time of ``timeout`` is over.
        """
        settings = self._settings
        self.deadlines = Deadlines(idle=settings.idle_timeout, total=settings.timeout, start=self._started)
        wait = self.deadlines.begin(None)
        connect = min(wait, settings.connect_timeout or inf)
        # The order of httpx: connect, read, write, pool.
        timeouts = [None if seconds == inf else seconds for seconds in (connect, wait, wait, wait)]
        headers = {
            "Accept": ACCEPT_ANSWER[self.streams],
            **({} if self._body is None else {"Content-Type": "application/json"}),
            "User-Agent": f"ssejet/{__version__}",
        }
        if self._endpoint.key_headers is not None:
            headers |= self._endpoint.key_headers(settings)
        elif settings.api_key:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        return client.build_request(
            self._endpoint.method,
            self._url,
            params=self._query or None,
            headers=with_default_headers(settings.headers, headers),
            content=self._body,
            timeout=tuple(timeouts),
        )

    def redirected(self, response: Any, client: Any) -> Any:
        """The request that a redirect asks for; None if the response is no redirect.

        To another origin it has no secrets. httpx itself would remove ``Authorization`` only.

        Args:
            response: the response of the latest request.
            client: the client of httpx or httpx2.

        Raises:
            Exception: the library's ``TooManyRedirects``.
        """
        request = response.next_request
        if request is None:
            self._redirects = 0
            return None
        self._redirects += 1
        if self._redirects > client.max_redirects:
            library = sys.modules[type(response).__module__.partition(".")[0]]
            raise library.TooManyRedirects("Exceeded maximum allowed redirects.", request=request)
        if not may_share_credentials(response.request.url, request.url):
            for name in filter(is_secret_header, [*request.headers]):
                del request.headers[name]
        return request

    def translate(self, error: Exception, request: Any) -> Exception:
        """Translate an error of the HTTP library, raised by the request, to an error of ssejet."""
        failure = translate_request(error, request, self._settings.connect_timeout, self.deadlines)
        if isinstance(failure, APITimeoutError):
            # If ``timeout`` is over too, the error names that limit.
            out_of_time = self.deadlines.error(request)
            return out_of_time if out_of_time.kind == "total" else failure
        return failure

    def open_stream(self, stream_class: Callable[..., Any], response: Any) -> Any:
        """Make the stream of a response, with the metrics of the endpoint."""
        settings = self._settings
        metrics = self._metrics
        if metrics is None:
            metrics = self._endpoint.metrics(tokenizer=settings.tokenizer)
            metrics.started = self._started
            metrics.reconnections = self._failures
        else:
            metrics.reconnections += 1 + self._failures
        stream = stream_class(
            response,
            cast_to=self._endpoint.item,
            require_done=settings.require_done,
            idle_timeout=settings.idle_timeout,
            data_timeout=settings.data_timeout,
            timeout=settings.timeout,
            metrics=metrics,
            direct=settings.direct,
        )
        stream._owns_response = True
        return stream

    def resumption(self) -> Resumption:
        """The object that decides whether the stream of this call resumes."""
        after = self._params.get("starting_after")
        return Resumption(self._endpoint.object_id, after, self._settings.max_retries)

    def rest_of(self, response_id: str, after: int | None) -> tuple[Endpoint, dict[str, Any]]:
        """The endpoint and the parameters of the call that resumes the stream of this call."""
        params = {name: value for name, value in self._params.items() if name in {*OPTIONS, "include"}}
        params.pop("extra_body", None)
        endpoint = (
            self._endpoint if self._endpoint.object_id else self._endpoint.of(response_id, method="GET")
        )
        return endpoint, {**params, "stream": True, "starting_after": after}

    def result(self, response: Any, body: bytes) -> Any:
        """Decode the body of a response that is not a stream.

        Raises:
            APIStatusError: the status is an error.
            APIError: the body reports an error.
            InvalidJSONError: the body is not JSON, or not an answer of this endpoint, for example ``{}``.
        """
        if has_error_status(response):
            raise status_error(response, body)
        event = ServerSentEvent(data=text_of(body))
        try:
            result = self._endpoint.parse(event.data)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            if is_error_answer(payload := payload_of(event)):  # for example, in a list of one
                raise reported_error(payload, request_of(response)) from error
            raise self._invalid(response, event, str(error)) from error
        # A struct that was decoded from text is an answer. Anything else needs the checks below.
        if type(getattr(result, "_source", None)) is not str:
            payload = payload_of(event)
            is_answer = self._endpoint.is_answer(payload)
            if is_error_answer(payload) and not (is_answer and self._endpoint.may_have_error):
                raise reported_error(payload, request_of(response))
            if not is_answer:
                raise self._invalid(response, event, "it is other JSON; check base_url")
        return result

    def _invalid(self, response: Any, event: ServerSentEvent, reason: str) -> InvalidJSONError:
        reason = f"not an answer of {self._endpoint.path} ({reason})"
        return InvalidJSONError(reason, event=event, index=None, request=request_of(response))

    def retry_delay(self, error: SSEError) -> float:
        """Count a failure, and return how many seconds to wait before sending the request again.

        Args:
            error: the failure. The caller has received no part of the answer.

        Raises:
            SSEError: ``error``, if the request must not be sent again.
        """
        delay = None
        retryable = error.retryable
        if isinstance(error, APIStatusError):
            headers = error.response.headers
            delay = retry_after(headers)
            retryable = {"true": True, "false": False}.get(headers.get("x-should-retry", ""), retryable)
        self._failures += 1
        if delay is None:
            delay = backoff(self._failures, unit=_MIN_BACKOFF, longest=_MAX_BACKOFF)
        timeout = self._settings.timeout
        left = inf if timeout is None else self._started + timeout - perf_counter()
        if (
            retryable
            and self._failures <= self._settings.max_retries
            and delay < left
            and delay <= _MAX_RETRY_AFTER
        ):
            return delay
        raise error


def _as_query(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in the form that OpenAI takes in a query: the name of a list ends with ``[]``."""
    return {
        f"{name}[]" if isinstance(value, (list, tuple)) else name: value for name, value in params.items()
    }


def _jsonable(value: Any) -> Any:
    """Convert a message of ssejet or openai-python, or another model, to JSON types."""
    for method in ("to_param", "to_dict"):
        if hasattr(value, method):
            return getattr(value, method)()
    if can_dump(type(value)):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, msgspec.Struct):
        return to_json_types(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON: use dicts, lists, strings or numbers")

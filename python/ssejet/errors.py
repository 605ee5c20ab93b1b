"""The errors that ssejet raises.

::

    SSEError
    ├── EventTooLargeError              one event is larger than max_event_size
    ├── ContentTypeError                the response is not an event stream
    ├── StreamError                     a typed stream failed; .partial is what arrived before
    │   ├── APIError                    the server sent an error inside the stream
    │   │   └── APIStatusError          the server answered with an HTTP error status
    │   ├── APIConnectionError          the connection failed or broke
    │   │   └── APITimeoutError         connecting, waiting for bytes, or the whole stream took too long
    │   ├── InvalidJSONError            an event's data is not JSON of the expected type
    │   └── TruncatedStreamError        the stream ended before the sentinel or a finish reason
    ├── LengthFinishReasonError         the model stopped at its token limit
    ├── ContentFilterFinishReasonError  the provider's content filter stopped the answer
    └── HubError                        the hub could not do what was asked
        ├── LogFinishedError            the log of a key has ended
        └── FencedError                 the lease of a producer has run out

Names and fields are those of openai-python's exceptions where that library has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ssejet._http_types import original_of, with_picklable
from ssejet._media_type import is_event_stream
from ssejet._redaction import redacted
from ssejet._server_errors import error_field, is_retryable_code

if TYPE_CHECKING:
    from ssejet._core import ServerSentEvent
    from ssejet._http_types import HTTPRequest, HTTPResponse

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "ContentFilterFinishReasonError",
    "ContentTypeError",
    "EventTooLargeError",
    "FencedError",
    "HubError",
    "InvalidJSONError",
    "LengthFinishReasonError",
    "LogFinishedError",
    "SSEError",
    "StreamError",
    "TruncatedStreamError",
]


def request_of(response: Any) -> Any:
    """The request of a response, or None if the response does not know it."""
    try:
        return response.request
    except (AttributeError, RuntimeError):  # httpx raises RuntimeError
        return None


def _restore(cls: type[SSEError], args: tuple[Any, ...]) -> SSEError:
    return cls.__new__(cls, *args)


class SSEError(Exception):
    """The base of every error that ssejet raises on purpose.

    Attributes:
        partial: what arrived before the failure, in the form in which the stream collects it, or None.
    """

    partial: Any = None

    @property
    def retryable(self) -> bool:
        """Whether sending the same request again may succeed."""
        return False

    # Exception.__reduce__() calls cls(*args), which cannot pass the keyword-only parameters below.
    def __reduce__(self) -> tuple[Any, ...]:
        from ssejet._json import copyable  # here, as it imports json

        return _restore, (type(self), self.args), copyable(with_picklable(self.__dict__))

    # copy.copy() would keep the text that __reduce__() puts in place of deep JSON.
    def __copy__(self) -> SSEError:
        copied = _restore(type(self), self.args)
        copied.__dict__.update(self.__dict__)
        return copied


class EventTooLargeError(SSEError):
    """An event is larger than the decoder's limit; the events before it are delivered first.

    The decoder refuses further input until ``reset()`` is called.

    Attributes:
        limit: the decoder's ``max_event_size``, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"an event is larger than max_event_size ({limit:,} bytes): pass a larger max_event_size, or "
            "None for no limit; to go on with this Decoder, call reset() and feed it the start of an event"
        )
        self.limit: int = limit


class ContentTypeError(SSEError):
    """The response is not an event stream: its content type or its body is something else.

    ``***`` replaces secrets of the request that the body quotes.

    Attributes:
        response: the response; the error does not close it.
        content_type: the header as received, ``""`` if there was none.
        body: the first 1,024 bytes of the body at most; they often say what went wrong.
    """

    def __init__(self, response: Any, *, content_type: str, body: bytes) -> None:
        body = redacted(body, request_of(response))
        status = getattr(response, "status_code", None)
        excerpt = body.decode("utf-8", "replace")
        super().__init__(
            (
                "the body is labelled 'text/event-stream', but is no event stream"
                if is_event_stream(content_type)
                else f"expected content type 'text/event-stream', got {content_type!r}"
            )
            + (f" (HTTP status {status})" if status is not None else "")
            + (f"; the body starts with: {excerpt!r}" if excerpt else "; the body is empty")
        )
        self.response: HTTPResponse = original_of(response)
        self.content_type: str = content_type
        self.body: bytes = body


class StreamError(SSEError):
    """A typed stream failed.

    Attributes:
        message: what went wrong.
    """

    def __init__(self, message: str, *, partial: Any = None) -> None:
        super().__init__(message)
        self.message: str = message
        self.partial: Any = partial


class APIError(StreamError):
    """The server reported an error inside the stream: as JSON of a known shape, or by ``event: error``.

    ``***`` replaces secrets of the request that the server quotes.

    Attributes:
        message: the most informative text that the server sent.
        body: everything that it sent: the decoded JSON, or text if it was not JSON.
        code: the field ``code`` of ``body``, at any depth, or None.
        type: the field ``type``, at any depth, or None.
        param: the field ``param``, at any depth, or None.
        request: the HTTP request, or None if the response does not know it.
    """

    def __init__(self, message: str, *, body: Any = None, request: Any = None, partial: Any = None) -> None:
        super().__init__(redacted(message, request), partial=partial)
        body = redacted(body, request)
        self.body: Any = body
        self.code: Any = error_field(body, "code")
        self.type: Any = error_field(body, "type")
        self.param: Any = error_field(body, "param")
        self.request: HTTPRequest | None = request

    @property
    def retryable(self) -> bool:
        """True if the server reports overload, a rate limit or an internal error."""
        return any(map(is_retryable_code, (self.type, self.code)))


class APIStatusError(APIError):
    """The server answered with an HTTP error status instead of events.

    Attributes:
        response: the response.
        status_code: its status.
        request_id: its header ``x-request-id`` or ``request-id``, or None.
    """

    def __init__(self, message: str, *, response: Any, body: Any = None) -> None:
        super().__init__(message, body=body, request=request_of(response))
        self.response: HTTPResponse = original_of(response)
        self.status_code: int = response.status_code
        headers = response.headers
        self.request_id: str | None = headers.get("x-request-id") or headers.get("request-id")

    @property
    def retryable(self) -> bool:
        """True for 408, 409, 429 and 5xx."""
        return is_retryable_code(self.status_code)


class APIConnectionError(StreamError):
    """The connection could not be made, or broke during the stream; ``__cause__`` is the cause.

    Attributes:
        request: the HTTP request, or None if it is unknown.
    """

    def __init__(
        self, message: str = "Connection error.", *, request: Any = None, partial: Any = None
    ) -> None:
        super().__init__(message, partial=partial)
        self.request: HTTPRequest | None = request

    @property
    def retryable(self) -> bool:
        """True: the next connection may succeed."""
        return True


class APITimeoutError(APIConnectionError):
    """The server took too long.

    Attributes:
        kind: which timeout: ``"connect"``, ``"idle"`` (no bytes), ``"data"`` (bytes, but no event) or
            ``"total"`` (the whole stream).
    """

    def __init__(
        self,
        message: str = "Request timed out.",
        *,
        kind: Literal["connect", "idle", "data", "total"] = "idle",
        request: Any = None,
        partial: Any = None,
    ) -> None:
        super().__init__(message, request=request, partial=partial)
        self.kind: Literal["connect", "idle", "data", "total"] = kind


class InvalidJSONError(StreamError):
    """An event's data is not JSON, or not of the type that the stream expects.

    The message begins with the place and the ``reason``. ``***`` replaces secrets of the request in the data.

    Attributes:
        event: the ``ServerSentEvent``.
        index: the number of the event in the stream, from 0; None for an answer that is not a stream.
        position: the offset in ``event.data`` where decoding stopped, in characters, or None if unknown.
        excerpt: at most 80 characters of the data around that place.
    """

    def __init__(
        self,
        reason: str,
        *,
        event: ServerSentEvent,
        index: int | None,
        position: int | None = None,
        request: Any = None,
        partial: Any = None,
    ) -> None:
        event = event.__replace__(data=redacted(event.data, request))
        start = max(0, (position or 0) - 40)
        self.excerpt: str = event.data[start : start + 80]
        where = "the response" if index is None else f"event {index}"
        where += f", character {position}" if position is not None else ""
        super().__init__(f"{where}: {reason}: {self.excerpt!r}", partial=partial)
        self.event: ServerSentEvent = event
        self.index: int | None = index
        self.position: int | None = position


class TruncatedStreamError(StreamError):
    """The stream ended before the sentinel or a finish reason."""

    @property
    def retryable(self) -> bool:
        """True: the next connection may succeed."""
        return True


class LengthFinishReasonError(SSEError):
    """The model stopped at its token limit, so the answer is incomplete.

    Attributes:
        completion: the completion so far.
    """

    def __init__(self, *, completion: Any) -> None:
        usage = getattr(completion, "usage", None)
        super().__init__(
            "could not parse the response: the length limit was reached" + (f" - {usage}" if usage else "")
        )
        self.completion: Any = completion


class ContentFilterFinishReasonError(SSEError):
    """The provider's content filter stopped the answer.

    Attributes:
        completion: the completion so far.
    """

    def __init__(self, *, completion: Any = None) -> None:
        super().__init__("could not parse the response: the request was rejected by the content filter")
        self.completion: Any = completion


class HubError(SSEError):
    """The hub could not do what was asked."""


class LogFinishedError(HubError):
    """The log of a key has ended, so no event can follow."""


class FencedError(HubError):
    """The lease of a producer has run out, and its log was ended without it: it can no longer write."""

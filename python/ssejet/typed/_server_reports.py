"""Errors that a server reports: from an event or a body to the error of ssejet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent
from ssejet._media_type import BOM
from ssejet._redaction import redacted
from ssejet._server_errors import error_message, is_error, is_error_answer, is_ping
from ssejet.errors import APIError, APIStatusError, StreamError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "error_in",
    "error_of",
    "excerpt_of",
    "may_be_error",
    "payload_of",
    "reported_error",
    "skip_or_raise",
    "status_error",
    "text_of",
]

# How many characters of a body an APIStatusError shows: some bodies are whole web pages.
_SUMMARY_SIZE = 500

# How many characters of an item an error shows.
_EXCERPT_SIZE = 200

# The message of an error that has none. openai-python uses the same words.
_DEFAULT_MESSAGE = "An error occurred during streaming"

# How many lines of a body that is not an event stream are searched for an error in JSON.
_MAX_LINES = 20

may_be_error: Callable[[str], object] = re.compile(
    r'"error"\s*:\s*(?!\s|null|false|""|\[\s*\]|\{\s*\}|0\s*[,}])'
).search
"""Whether JSON may hold an error. Some providers send ``"error": null`` with every chunk, which must not be
parsed twice."""


def error_of(event: ServerSentEvent, request: Any, *, is_answer: bool) -> APIError | None:
    """The error that an event reports; None if it reports none.

    Args:
        event: the event.
        request: the HTTP request, or None.
        is_answer: whether an answer of ``ssejet.chat`` belongs in its place, so that every known shape of an
            error counts.
    """
    is_named_error = event.event == "error"
    if is_named_error or is_answer or may_be_error(event.data):
        payload = payload_of(event)
        if is_named_error or (is_error_answer if is_answer else is_error)(payload):
            return reported_error(payload, request)
    return None


def reported_error(payload: Any, request: Any) -> APIError:
    """The error for what a server reports in a response with a successful HTTP status.

    Args:
        payload: what the server says, as ``payload_of()`` returns it.
        request: the HTTP request, or None.
    """
    return APIError(error_message(payload) or _DEFAULT_MESSAGE, body=payload, request=request)


def skip_or_raise(
    value: Any, request: Any, *, wanted: str, report: Callable[[Any], APIError] | None = None
) -> None:
    """Return for JSON that may be skipped where an object belongs: ``null`` or a ping. Else raise.

    Args:
        value: JSON that is not an object.
        request: the HTTP request, or None.
        wanted: what belongs there, such as ``"a chunk"``.
        report: makes the error of what the server reports; None for ``reported_error``.

    Raises:
        APIError: it is an error that the server reports.
        StreamError: it is anything else.
    """
    if value is None or (isinstance(value, str) and is_ping(None, value)):
        return
    if is_error_answer(value):
        raise reported_error(value, request) if report is None else report(value)
    shown = excerpt_of(value, request)
    raise StreamError(f"{wanted} must be an object, but {type(value).__name__} came: {shown}")


def excerpt_of(value: Any, request: Any) -> str:
    """The start of a text, or of the ``repr()`` of decoded JSON, without the request's secrets."""
    text: str = redacted(value if isinstance(value, str) else repr(value), request)
    return text[:_EXCERPT_SIZE] + ("…" if len(text) > _EXCERPT_SIZE else "")


def status_error(response: Any, body: bytes) -> APIStatusError:
    """The error for a response with an HTTP error status.

    Args:
        response: the response.
        body: its body, or the start of it.
    """
    text = text_of(body)
    payload = payload_of(ServerSentEvent(data=text))
    summary = f"HTTP status {response.status_code}"
    if reason := error_message(payload) or text.strip():
        summary += f": {reason[:_SUMMARY_SIZE]}"
    return APIStatusError(summary, response=response, body=payload)


def error_in(body: bytes | bytearray) -> Any:
    """The JSON of the error in a body that is not an event stream; None if there is no error.

    The body may be one JSON value, or one per line.
    """
    text = text_of(body)
    for each in (text, *text.split("\n", _MAX_LINES)[:_MAX_LINES]):
        payload = payload_of(ServerSentEvent(data=each))
        if is_error_answer(payload):
            return payload
    return None


def text_of(body: bytes | bytearray) -> str:
    """The text of a body in UTF-8, without a byte order mark at its start."""
    return body.removeprefix(BOM).decode("utf-8", "replace")


def payload_of(event: ServerSentEvent) -> Any:
    """The event's data as decoded JSON, or as text if it is not JSON."""
    try:
        return event.json()
    except (ValueError, RecursionError):
        return event.data

"""Responses that are no event stream: what their bodies say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent
from ssejet.errors import ContentTypeError, request_of
from ssejet.machine import is_error, payload_of, reported_error
from ssejet.transport import content_type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.deadlines import Deadlines
    from ssejet.errors import APIError, SSEError

__all__ = ["Refusal", "content_type_error", "other_content_error"]

# How much is kept of such a body: bytes.
_SIZE = 64 * 1024

# How much of it a ContentTypeError shows: bytes.
_EXCERPT_SIZE = 1024

# How long such a body may take, in all and between two reads: seconds. Some have no end.
_TIME = 5.0
_IDLE_TIME = 1.0


class Refusal:
    """Gathers the body of a response that is no event stream, for the error that tells of it.

    Args:
        response: the response.
        deadlines: of reading it, which are replaced: an error must not be long in coming.
        make_error: makes the error of the response and the body's start.
    """

    def __init__(
        self, response: Any, deadlines: Deadlines, make_error: Callable[[Any, bytes], SSEError]
    ) -> None:
        self._response = response
        self._body = bytearray()
        self._make_error = make_error
        deadlines.restrict(_TIME, idle=_IDLE_TIME)

    def add(self, chunk: bytes | None) -> None:
        """Take in a piece of the body; None is its end.

        Raises:
            SSEError: there is enough.
        """
        if chunk is not None:
            self._body += chunk[: _SIZE - len(self._body)]
        if chunk is None or len(self._body) == _SIZE:
            raise self.error()

    def error(self) -> SSEError:
        """The error, with what has come so far."""
        return self._make_error(self._response, bytes(self._body))


def content_type_error(response: Any, body: bytes) -> ContentTypeError:
    """The error for a response that is no event stream by its content type."""
    return ContentTypeError(response, content_type=content_type_of(response), body=body[:_EXCERPT_SIZE])


def other_content_error(response: Any, body: bytes) -> APIError | ContentTypeError:
    """The error for what came in place of a typed stream: the one that it reports, if it is JSON and does."""
    payload = payload_of(ServerSentEvent(data=body.decode("utf-8", "replace")))
    if is_error(payload):
        return reported_error(payload, request_of(response))
    return content_type_error(response, body)

"""Responses that are not event streams: their bodies, and the errors that these report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._http.response import content_type_of, has_error_status
from ssejet.errors import ContentTypeError, request_of
from ssejet.typed._server_reports import error_in, reported_error, status_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet._http.deadlines import Deadlines
    from ssejet.errors import APIError, SSEError
    from ssejet.typed._lines import BodyLines

__all__ = [
    "EXCERPT_SIZE",
    "Beginning",
    "Refusal",
    "content_type_error",
    "other_content_error",
    "refusal_of",
]

EXCERPT_SIZE = 1024
"""How many bytes of a body a ContentTypeError shows."""

# How many bytes of a body are kept.
_MAX_SIZE = 64 * 1024

# How many seconds such a body may take, in all and between two reads. Some have no end, and the error must
# come soon.
_TIME = 5.0
_IDLE_TIME = 1.0


class Refusal:
    """Collects the body of a response that is not an event stream, and raises the error that it reports.

    Args:
        response: the response.
        deadlines: of reading the body. Shorter ones replace them.
        make_error: makes the error from the response and the start of the body.
    """

    def __init__(
        self, response: Any, deadlines: Deadlines, make_error: Callable[[Any, bytes], SSEError]
    ) -> None:
        self._response = response
        self._body = bytearray()
        self._make_error = make_error
        deadlines.replace_limits(_TIME, idle=_IDLE_TIME)

    def add(self, chunk: bytes | None) -> None:
        """Take in a chunk of the body; None is its end.

        Raises:
            SSEError: the body has ended, or is long enough.
        """
        if chunk is not None:
            self._body += chunk[: _MAX_SIZE - len(self._body)]
        if chunk is None or len(self._body) == _MAX_SIZE:
            raise self.error()

    def error(self) -> SSEError:
        """The error, made from what has come so far."""
        return self._make_error(self._response, bytes(self._body))


def refusal_of(response: Any, deadlines: Deadlines) -> Refusal | None:
    """The ``Refusal`` of a response with an HTTP error status; None for any other status."""
    return Refusal(response, deadlines, status_error) if has_error_status(response) else None


class Beginning:
    """Checks the start of a body, up to its first event, for JSON, HTML or plain text.

    These may follow lines of an event stream: some servers send comments while they wait for something that
    fails in the end. What comes after the first event is not checked.

    Args:
        response: the response.
        any_field: whether a block with any field counts as an event; see ``BodyLines``.
    """

    def __init__(self, response: Any, *, any_field: bool = False) -> None:
        from ssejet.typed import _lines  # not at the top, as it takes long to import

        self.lines: BodyLines = _lines.BodyLines(any_field=any_field)
        self._response = response
        self._start = bytearray()
        # The limits to restore if an event comes after all; None while they are in force.
        self._usual_limits: tuple[Any, ...] | None = None

    @property
    def has_event(self) -> bool:
        """Whether an event has come, so that there is nothing more to look at."""
        return self.lines.has_event

    @property
    def is_other(self) -> bool:
        """Whether the last lines begin like JSON or HTML."""
        return self.lines.is_other

    def add(self, chunk: bytes) -> None:
        """Take in a chunk of the body.

        Raises:
            SSEError: 64 KiB of lines that no event stream has came, and no event after them.
        """
        self._start += chunk[: EXCERPT_SIZE - len(self._start)]
        self.lines.feed(chunk)
        if self.lines.held >= _MAX_SIZE:
            raise self.error()

    def end(self) -> None:
        """Take in the end of the body.

        Raises:
            SSEError: the body has no event, but lines that no event stream has.
        """
        self.lines.finish()
        if self.lines.found:
            raise self.error()

    def error(self) -> SSEError:
        """The error, made from what has come so far."""
        return other_content_error(self._response, bytes(self.lines.other[:_MAX_SIZE] or self._start))

    def adjust(self, deadlines: Deadlines) -> bool:
        """Shorten the deadlines while the body looks like JSON or HTML, and restore them when it does not.

        Returns:
            Whether the deadlines were changed.
        """
        if self.is_other == (self._usual_limits is not None):
            return False
        if self._usual_limits is None:
            self._usual_limits = deadlines.limits
            deadlines.replace_limits(_TIME, idle=_IDLE_TIME)
        else:
            deadlines.limits, self._usual_limits = self._usual_limits, None
        return True

    def restore(self, deadlines: Deadlines) -> bool:
        """Take in that an event has come, and restore the deadlines.

        Returns:
            Whether the deadlines were changed.
        """
        self.lines.end_event()
        return self.adjust(deadlines)


def content_type_error(response: Any, body: bytes) -> ContentTypeError:
    """The error for a response that is not an event stream."""
    return ContentTypeError(response, content_type=content_type_of(response), body=body[:EXCERPT_SIZE])


def other_content_error(response: Any, body: bytes) -> APIError | ContentTypeError:
    """The error that a body reports, or else the error that it is not an event stream."""
    payload = error_in(body)
    if isinstance(payload, list):
        payload = payload[0]  # the error object, which relays pass on
    if payload is not None:
        return reported_error(payload, request_of(response))
    return content_type_error(response, body)

"""Responses that are no event stream: what their bodies say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._http.response import content_type_of
from ssejet.errors import ContentTypeError, request_of
from ssejet.typed._lines import BodyLines
from ssejet.typed._server_reports import error_in, reported_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet._http.deadlines import Deadlines
    from ssejet.errors import APIError, SSEError

__all__ = ["Beginning", "Refusal", "content_type_error", "other_content_error"]

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


class Beginning:
    """Looks at the start of a body, up to its first event, for what no event stream has.

    That is JSON, HTML or plain text, in place of the lines of an event stream or after some of them: servers
    send comments while they wait for what fails in the end. After the first event nothing is looked for.

    Args:
        response: the response.
        any_field: whether a block with any field counts as an event; see ``BodyLines``.
    """

    def __init__(self, response: Any, *, any_field: bool = False) -> None:
        self.lines: BodyLines = BodyLines(any_field=any_field)
        self._response = response
        self._start = bytearray()
        self._limits: Any = None

    @property
    def has_event(self) -> bool:
        """Whether an event has come, so that there is nothing more to look for."""
        return self.lines.has_event

    @property
    def is_other(self) -> bool:
        """Whether the last thing that came begins as JSON or HTML do."""
        return self.lines.is_other

    def add(self, chunk: bytes) -> None:
        """Take in a piece of the body.

        Raises:
            SSEError: so much has come that no event stream has, and no event after it.
        """
        self._start += chunk[: _EXCERPT_SIZE - len(self._start)]
        self.lines.feed(chunk)
        if self.lines.held >= _SIZE:
            raise self.error()

    def end(self) -> None:
        """Take note of the body's end.

        Raises:
            SSEError: the body has no event, but lines that no event stream has.
        """
        self.lines.finish()
        if self.lines.found:
            raise self.error()

    def error(self) -> SSEError:
        """The error, with what has come so far."""
        return other_content_error(self._response, bytes(self.lines.other[:_SIZE] or self._start))

    def adjust(self, deadlines: Deadlines) -> bool:
        """Let reading something that begins as JSON or HTML end soon: its error must not be long in coming.

        What an event stream follows after all gets its time back.

        Returns:
            Whether the deadlines were changed.
        """
        if self.is_other == (self._limits is not None):
            return False
        if self.is_other:
            self._limits = deadlines.limits
            deadlines.restrict(_TIME, idle=_IDLE_TIME)
        else:
            deadlines.limits, self._limits = self._limits, None
        return True

    def settle(self, deadlines: Deadlines) -> bool:
        """Take note that an event has come, and give the deadlines back what was taken.

        Returns:
            Whether the deadlines were changed.
        """
        self.lines.is_other = False
        return self.adjust(deadlines)


def content_type_error(response: Any, body: bytes) -> ContentTypeError:
    """The error for a response that is no event stream."""
    return ContentTypeError(response, content_type=content_type_of(response), body=body[:_EXCERPT_SIZE])


def other_content_error(response: Any, body: bytes) -> APIError | ContentTypeError:
    """The error for what came in place of an event stream: the one that it reports, if it reports one."""
    payload = error_in(body)
    if isinstance(payload, list):
        payload = payload[0]  # what tells of the error, which relays pass on
    if payload is not None:
        return reported_error(payload, request_of(response))
    return content_type_error(response, body)

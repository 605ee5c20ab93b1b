"""Responses that are no event stream: what their bodies say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent
from ssejet.errors import ContentTypeError, request_of
from ssejet.machine import payload_of, reported_error
from ssejet.reported import is_error_answer
from ssejet.transport import content_type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.deadlines import Deadlines
    from ssejet.errors import APIError, SSEError

__all__ = ["Beginning", "Refusal", "content_type_error", "other_content_error"]

# How much is kept of such a body: bytes.
_SIZE = 64 * 1024

# How much of it a ContentTypeError shows: bytes.
_EXCERPT_SIZE = 1024

# How long such a body may take, in all and between two reads: seconds. Some have no end.
_TIME = 5.0
_IDLE_TIME = 1.0

_BOM = b"\xef\xbb\xbf"

# What shows that a body is an event stream: a line that is a comment or a field which the standard knows.
_STREAM_LINE = re.compile(rb"(?:(?<![^\r\n])|(?<=\A\xef\xbb\xbf))(?::|(?:data|event|id|retry)[:\r\n])")
# A line that no event stream has, also after comments: servers send these while they wait for what fails.
_OTHER_LINE = re.compile(rb"(?<![^\r\n])[ \t]*[{\[<]")
_FIELDS = (b"data", b"event", b"id", b"retry")
_LONGEST_MATCH = len(b"retry:")

# How JSON and HTML begin, which no event stream does.
_OTHER_STARTS = (b"{", b"[", b"<")

# How many lines of JSON are searched for an error.
_MOST_LINES = 20


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
    """Keeps the start of a body until a line shows that it is an event stream.

    It is one as soon as there is a comment or a field that the standard knows, even if no event ever follows.
    Until then up to 64 KiB are kept; on ordinary streams that is one chunk.

    Args:
        response: the response.
        until_event: whether to keep on after comments until the caller drops this, at the first event.

    Attributes:
        is_stream: whether the body is known to be an event stream.
    """

    def __init__(self, response: Any, *, until_event: bool = False) -> None:
        self._until_event = until_event
        self.is_stream: bool = False
        self.body: bytearray = bytearray()
        self._response = response
        self._limits: Any = None

    def add(self, chunk: bytes) -> None:
        """Take in a piece of the body.

        Raises:
            SSEError: so much has come, and none of it belongs to an event stream.
        """
        if self.is_stream:
            if self._until_event:
                self.body += chunk[: _SIZE - len(self.body)]
            return
        body = self.body
        start = max(0, len(body) - _LONGEST_MATCH)
        body += chunk[: _SIZE - len(body)]
        if _STREAM_LINE.search(body, start) is not None:
            self.is_stream = True
        elif body.endswith((b"\n", b"\r")) and not body.removeprefix(_BOM).strip():
            body.clear()  # blank lines, which some servers send to show that they are alive
        elif len(body) == _SIZE:
            raise self.error()

    def end(self) -> None:
        """Take note of the body's end.

        Raises:
            SSEError: the body is not empty, and it is no event stream, or not after comments.
        """
        if self._until_event and self.is_stream and (other := _OTHER_LINE.search(self.body)) is not None:
            del self.body[: other.start()]
            raise self.error()
        body = self.body.removeprefix(_BOM)
        last_line = re.split(rb"[\r\n]", body)[-1]
        # A body that was cut short may end in the middle of a name, or of the byte order mark.
        is_cut = any(whole.startswith(last_line) for whole in (*_FIELDS, _BOM))
        if not self.is_stream and body.strip() and not (last_line and is_cut):
            raise self.error()

    @property
    def is_other(self) -> bool:
        """Whether the body begins as JSON or HTML do."""
        return not self.is_stream and self.body.removeprefix(_BOM).lstrip().startswith(_OTHER_STARTS)

    def error(self) -> SSEError:
        """The error, with what has come so far."""
        return other_content_error(self._response, bytes(self.body))

    def restrict(self, deadlines: Deadlines) -> bool:
        """Let reading a body that begins as JSON or HTML end soon: its error must not be long in coming.

        Returns:
            Whether the deadlines were changed.
        """
        if self._limits is not None or not self.is_other:
            return False
        self._limits = deadlines.limits
        deadlines.restrict(_TIME, idle=_IDLE_TIME)
        return True

    def relax(self, deadlines: Deadlines) -> bool:
        """Give the deadlines back what ``restrict()`` took, as this is an event stream after all."""
        if self._limits is None:
            return False
        deadlines.limits, self._limits = self._limits, None
        return True


def content_type_error(response: Any, body: bytes) -> ContentTypeError:
    """The error for a response that is no event stream."""
    return ContentTypeError(response, content_type=content_type_of(response), body=body[:_EXCERPT_SIZE])


def other_content_error(response: Any, body: bytes) -> APIError | ContentTypeError:
    """The error for what came in place of an event stream: the one that it reports, if it is JSON and does.

    JSON may be one value, an array whose first element counts, or one value per line.
    """
    text = body.removeprefix(_BOM).decode("utf-8", "replace")
    for each in (text, *text.split("\n", _MOST_LINES)[:_MOST_LINES]):
        payload = payload_of(ServerSentEvent(data=each))
        if isinstance(payload, list) and payload:
            payload = payload[0]
        if is_error_answer(payload):
            return reported_error(payload, request_of(response))
    return content_type_error(response, body)

"""Decides what the chunks of a response are: an event stream, or the body of an error.

A body is in one of these phases:

=========== ============================================= ==================================
phase       a chunk                                       goes on to
=========== ============================================= ==================================
REFUSED     is collected for the ``APIStatusError``       nothing: it raises this error
BEGINNING   is decoded, and looked at for other content   EVENTS or TIMED at the first event
EVENTS      is decoded                                    nothing
TIMED       is decoded, and counts for a deadline         nothing
=========== ============================================= ==================================
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ssejet._http.response import content_type_of, has_event_stream_type
from ssejet.typed._refusal import Beginning, refusal_of

if TYPE_CHECKING:
    from ssejet._http.deadlines import Deadlines
    from ssejet.errors import APIConnectionError
    from ssejet.typed._machine import StreamMachine

__all__ = ["ResponseBody"]


class _Phase(Enum):
    """The phases of a body; see the table at the top."""

    REFUSED = auto()
    BEGINNING = auto()
    EVENTS = auto()
    TIMED = auto()


_EVENTS = _Phase.EVENTS


class ResponseBody:
    """Takes in the body of a response, for the machine or for an error.

    Args:
        response: the response.
        machine: gets what is an event stream.
        deadlines: of reading the body.
        reader: reads the body; its ``change_deadlines()`` is called when they change.
    """

    __slots__ = (
        "_beginning",
        "_deadlines",
        "_has_other_type",
        "_machine",
        "_phase",
        "_reader",
        "_refusal",
    )

    def __init__(self, response: Any, machine: StreamMachine[Any], deadlines: Deadlines, reader: Any) -> None:
        self._machine = machine
        self._deadlines = deadlines
        self._reader = reader
        self._refusal = refusal_of(response, deadlines)
        self._beginning = Beginning(response)
        # Another content type makes an error of a body without events, even if it has comments.
        self._has_other_type = bool(content_type_of(response)) and not has_event_stream_type(response)
        self._phase = _Phase.BEGINNING if self._refusal is None else _Phase.REFUSED

    @property
    def next_machine(self) -> StreamMachine[Any] | None:
        """The machine, if it may be given all chunks that follow; not the end of the body."""
        return self._machine if self._phase is _EVENTS else None

    def receive(self, chunk: bytes | None) -> None:
        """Take in what was read; None is the end of the body.

        Raises:
            SSEError: the body is not an event stream, or an event is over the limit.
        """
        if self._phase is _EVENTS and chunk is not None:  # first, as this happens at nearly each read
            self._machine.receive(chunk)
        elif self._refusal is not None:
            self._refusal.add(chunk)
        elif chunk is not None:
            self._receive_timed(chunk)
        else:
            self._machine.receive_end()
            if self._phase is _Phase.BEGINNING and not self._machine.metrics.events:
                self._beginning.end()
                if self._has_other_type:
                    raise self._beginning.error()

    def raise_read_error(self, error: APIConnectionError) -> None:
        """Raise the error that the body has reported so far, which says more, or else that of the read."""
        try:
            if self._refusal is not None:
                raise self._refusal.error() from error.__cause__
            if self._phase is _Phase.BEGINNING and self._beginning.is_other:
                raise self._beginning.error() from error.__cause__
            raise error
        finally:
            del error  # its traceback holds this frame

    def _receive_timed(self, chunk: bytes) -> None:
        count = self._machine.metrics.events
        self._machine.receive(chunk)
        got_events = self._machine.metrics.events > count
        if self._phase is _Phase.BEGINNING:
            self._look_at_beginning(chunk, got_events=got_events)
        self._deadlines.end(got_events=got_events)

    def _look_at_beginning(self, chunk: bytes, *, got_events: bool) -> None:
        beginning = self._beginning
        if got_events:
            is_changed = beginning.restore(self._deadlines)
            self._phase = _Phase.TIMED if self._deadlines.counts_events else _EVENTS
        else:
            beginning.add(chunk)
            is_changed = beginning.adjust(self._deadlines)
        if is_changed:
            self._reader.change_deadlines()

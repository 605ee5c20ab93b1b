"""Decodes the events of each connection in turn, and queues them until they are taken."""

from __future__ import annotations

from operator import length_hint
from typing import TYPE_CHECKING, Any

from ssejet._core import Decoder, ServerSentEvent
from ssejet.errors import EventTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["IncomingEvents"]


class IncomingEvents:
    """Decodes events, queues them until they are taken, and tracks the ID to resume after.

    Args:
        last_event_id: the ID to resume after; ``""`` is the beginning.
        max_event_size: see ``Decoder``.
        on_comment: called with each comment, in order with the events.
    """

    def __init__(
        self,
        *,
        last_event_id: str,
        max_event_size: int | None,
        on_comment: Callable[[str], object] | None,
    ) -> None:
        self._max_event_size = max_event_size
        self._on_comment = on_comment
        self._queue: Iterator[ServerSentEvent | str] = iter(())
        self._comments_and_events: list[ServerSentEvent | str] = []
        self._last_taken_id = last_event_id
        self._decoder = self._make_decoder(last_event_id)
        self._next_decoder: Decoder | None = None
        self._retry_before: int | None = None

    @property
    def last_event_id(self) -> str:
        """The ID of the last event that was taken. If it is set, the next stream resumes after that ID."""
        if self._next_decoder is not None:
            return self._next_decoder.last_event_id
        return self._last_taken_id if length_hint(self._queue) else self._decoder.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str) -> None:
        self._next_decoder = self._make_decoder(value)

    @property
    def last_received_id(self) -> str:
        """The ID of the last event that was received, taken or not: the next request resumes after it."""
        return (self._next_decoder or self._decoder).last_event_id

    @property
    def retry(self) -> int | None:
        """The server's latest reconnection time in milliseconds."""
        return self._retry_before if self._decoder.retry is None else self._decoder.retry

    def begin_stream(self) -> None:
        """Begin to decode a stream, after the ``last_event_id`` that was set, if one was."""
        if self._next_decoder is not None:
            self._retry_before = self.retry
            self._decoder, self._next_decoder = self._next_decoder, None

    def end_stream(self) -> None:
        """Drop an unfinished event."""
        self._decoder.reset()

    def feed(self, chunk: bytes) -> tuple[int, EventTooLargeError | None]:
        """Decode a chunk.

        Returns:
            How many events the chunk completed, and the error that comes after them.
        """
        if self._on_comment is None:
            events, error = self._decode(chunk)
            self._queue = iter([*self._queue, *events])
            return len(events), error
        # A decoder reports all comments of its input before the events. Single lines keep the order.
        count = 0
        error = None
        for line in chunk.splitlines(keepends=True):
            events, error = self._decode(line)
            self._comments_and_events += events
            count += len(events)
            if error is not None:
                break
        self._queue = iter([*self._queue, *self._comments_and_events])
        self._comments_and_events.clear()
        return count, error

    def take(self) -> Iterator[ServerSentEvent]:
        """Take the events in the queue one by one, and call ``on_comment`` with the comments between them."""
        for item in self._queue:
            if isinstance(item, str):
                assert self._on_comment is not None
                self._on_comment(item)
            else:
                self._last_taken_id = item.id or ""
                yield item

    def drop(self) -> None:
        """Drop the events that were not taken, and resume before them: after the last one that was taken."""
        self.last_event_id = self.last_event_id
        for _ in self._queue:  # this also ends a running iteration over take()
            pass

    def _decode(self, data: bytes) -> tuple[list[Any], EventTooLargeError | None]:
        events: list[Any] = []
        try:
            events, is_paused = self._decoder._feed(data)
            if is_paused:
                self._decoder._resume()  # raises the error that comes after these events
        except EventTooLargeError as error:
            return events, error
        return events, None

    def _make_decoder(self, last_event_id: str) -> Decoder:
        return Decoder(
            max_event_size=self._max_event_size,
            last_event_id=last_event_id,
            on_comment=None if self._on_comment is None else self._comments_and_events.append,
        )

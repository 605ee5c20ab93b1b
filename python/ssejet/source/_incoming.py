"""The events of one connection after another, decoded and kept until they are taken."""

from __future__ import annotations

from operator import length_hint
from typing import TYPE_CHECKING, Any

from ssejet._core import Decoder, ServerSentEvent
from ssejet.errors import EventTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["IncomingEvents"]


class IncomingEvents:
    """Decodes events, keeps those that were not taken yet, and knows the ID of the last one that was.

    Args:
        last_event_id: where to resume; ``""`` is the beginning.
        max_event_size: see ``Decoder``.
        on_comment: called with each comment, in its order among the events.
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
        """The ID of the last event that was taken. To set it is to choose where the next stream resumes."""
        if self._next_decoder is not None:
            return self._next_decoder.last_event_id
        return self._last_taken_id if length_hint(self._queue) else self._decoder.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str) -> None:
        self._next_decoder = self._make_decoder(value)

    @property
    def last_received_id(self) -> str:
        """The ID to resume after. Events that wait in the queue count as received."""
        return (self._next_decoder or self._decoder).last_event_id

    @property
    def retry(self) -> int | None:
        """The server's latest reconnection time in milliseconds."""
        return self._retry_before if self._decoder.retry is None else self._decoder.retry

    def begin_stream(self) -> None:
        """Begin to decode a stream, which resumes where ``last_event_id`` was set to."""
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
        # A decoder gives all comments of a chunk before its events. Line by line, they stay in order.
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
        """Iterate over the events that have arrived and were not taken yet."""
        for item in self._queue:
            if isinstance(item, str):
                assert self._on_comment is not None
                self._on_comment(item)
            else:
                self._last_taken_id = item.id or ""
                yield item

    def drop(self) -> None:
        """Drop the events that were not taken; to resume at ``last_event_id`` brings them again."""
        self.last_event_id = self.last_event_id
        for _ in self._queue:  # This also ends an iteration that is under way.
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

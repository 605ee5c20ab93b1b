"""When the bytes of a stream arrived, and how many."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StreamMetrics"]


class StreamMetrics:
    """What a stream measured of itself, up to date at any moment.

    The stamps are seconds of ``time.perf_counter()``, taken when bytes have been read, before they are
    parsed: what is done with items does not count, unless it takes so long that the next bytes have to wait.
    A stamp is None until there is something to stamp.

    It depends on the stream what its ``metrics`` are:

    * of a stream of ``Client`` or ``AsyncClient``: ``ChatMetrics``, ``CompletionMetrics`` or
      ``ResponseMetrics``, which are ``TokenMetrics``: they time tokens as well;
    * of any other ``Stream`` or ``AsyncStream``, and of a subscription: ``StreamMetrics``, or what was given
      as the argument ``metrics``;
    * of a ``ChatCompletionStream``: its source's, or None if the source is no stream of ssejet's.

    Attributes:
        started: when this object was made: by a stream, when the response's headers have arrived; by a client
            or a subscription, before the request is sent.
        first_byte, last_byte: when the first and the latest bytes of the body arrived.
        first_event: when the bytes that completed the first event arrived.
        bytes: how many bytes of the body have arrived, decompressed.
        reads: in how many chunks they came, empty ones not counted.
        events: how many events they completed.
        reconnections: how many times the request was sent again.
    """

    __slots__ = (
        "bytes",
        "events",
        "first_byte",
        "first_event",
        "last_byte",
        "reads",
        "reconnections",
        "started",
    )

    # What metrics that look at items have instead: a method that is called with each, when it is taken, and
    # whether an item was the last.
    observe: Callable[[Any], None] | None = None
    finished: bool = False

    def __init__(self) -> None:
        self.started: float = perf_counter()
        self.first_byte: float | None = None
        self.first_event: float | None = None
        self.last_byte: float | None = None
        self.bytes: int = 0
        self.reads: int = 0
        self.events: int = 0
        self.reconnections: int = 0

    def add_read(self, size: int) -> None:
        """Stamp the arrival of ``size`` bytes."""
        if size:
            self.last_byte = perf_counter()
            if self.first_byte is None:
                self.first_byte = self.last_byte
            self.bytes += size
            self.reads += 1

    def add_events(self, count: int) -> None:
        """Count the events that the latest bytes completed."""
        if count and self.first_event is None:
            self.first_event = self.last_byte
        self.events += count

    @property
    def time_to_first_byte(self) -> float | None:
        """Seconds from the start to the first byte of the body."""
        return self._since_start(self.first_byte)

    @property
    def time_to_first_event(self) -> float | None:
        """Seconds from the start to the bytes that completed the first event."""
        return self._since_start(self.first_event)

    @property
    def elapsed(self) -> float | None:
        """Seconds from the start to the latest bytes."""
        return self._since_start(self.last_byte)

    def to_dict(self) -> dict[str, Any]:
        """The durations in seconds and the counts, ready for a log line or JSON."""
        return {
            "time_to_first_byte": self.time_to_first_byte,
            "time_to_first_event": self.time_to_first_event,
            "elapsed": self.elapsed,
            "bytes": self.bytes,
            "reads": self.reads,
            "events": self.events,
            "reconnections": self.reconnections,
        }

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({fields})"

    def _since_start(self, stamp: float | None) -> float | None:
        return None if stamp is None else stamp - self.started

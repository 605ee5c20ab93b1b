"""Metrics of any stream: its bytes and events."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from ssejet._core import StreamCounts

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StreamMetrics"]

_COUNTS = (
    "started",
    "first_byte",
    "first_event",
    "last_byte",
    "bytes",
    "reads",
    "events",
    "reconnections",
)


class StreamMetrics(StreamCounts):
    """The times and counts of a stream, up to date at any moment.

    The class of a stream's ``metrics`` depends on the stream:

    * a stream of ``Client`` or ``AsyncClient`` has ``ChatMetrics``, ``CompletionMetrics`` or
      ``ResponseMetrics``. These are ``TokenMetrics``, which measure tokens too;
    * any other ``Stream`` or ``AsyncStream`` and a subscription have ``StreamMetrics``, or the argument
      ``metrics``;
    * a ``ChatCompletionStream`` has the metrics of its source, or None if the source is no stream of ssejet.

    Times of arrival are seconds of ``time.perf_counter()``, and None before the arrival. They are taken when
    bytes have been read, before they are parsed. So the time that the caller spends on items does not count,
    unless the next bytes have to wait for it.

    Attributes:
        started: when this object was made, in seconds. A stream makes it when the response's headers have
            arrived; a client and a subscription make it before they send the request.
        first_byte, last_byte: when the first and the latest bytes of the body arrived, in seconds.
        first_event: when the bytes that completed the first event arrived, in seconds.
        bytes: the number of bytes of the body, decompressed.
        reads: the number of chunks in which they came, without empty ones.
        events: the number of events.
        reconnections: how many times the request was sent again.
    """

    __slots__ = ()

    # A subclass that looks at items has a method ``observe``, which is called with each item when it is
    # taken, and sets ``finished`` when the last item has come. It sets ``_lacks_only_end`` when no other item
    # is lacking: some servers send the sentinel in place of the last one.
    observe: Callable[[Any], None] | None = None
    finished: bool = False
    _lacks_only_end: bool = False

    def __init__(self) -> None:
        self.started: float = perf_counter()

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
        """The durations in seconds and the counts, for a log line or JSON."""
        return {
            "time_to_first_byte": self.time_to_first_byte,
            "time_to_first_event": self.time_to_first_event,
            "elapsed": self.elapsed,
            "bytes": self.bytes,
            "reads": self.reads,
            "events": self.events,
            "reconnections": self.reconnections,
        }

    def __getstate__(self) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        # For copies and pickles. Python does not find the counts itself: they are in no slots that it knows.
        names = [*_COUNTS]
        for cls in type(self).__mro__:
            names += cls.__dict__.get("__slots__", ())
        slots = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return getattr(self, "__dict__", None), slots

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({fields})"

    def _since_start(self, time: float | None) -> float | None:
        return None if time is None else time - self.started

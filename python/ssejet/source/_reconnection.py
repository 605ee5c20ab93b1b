"""What an event source does next: the processing model of the WHATWG standard, without I/O."""

from __future__ import annotations

from enum import Enum, auto
from math import inf
from operator import length_hint
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ssejet._core import Decoder, ServerSentEvent
from ssejet._http.backoff import backoff, retry_after
from ssejet._http.deadlines import Deadlines
from ssejet._http.failures import was_sent
from ssejet._http.headers import EVENT_STREAM_HEADERS, with_default_headers
from ssejet._http.response import has_event_stream_type
from ssejet.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    EventTooLargeError,
    TruncatedStreamError,
)
from ssejet.metrics._stream import StreamMetrics
from ssejet.source._target import PERMANENT_REDIRECTS, REDIRECTS, redirect_error
from ssejet.typed._refusal import Beginning, Refusal, content_type_error
from ssejet.typed._server_reports import status_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet.errors import SSEError
    from ssejet.source._target import Target

__all__ = ["ReconnectionMachine", "Step"]

_MOST_REDIRECTS = 20  # as in the Fetch standard

# Methods that RFC 9110 and its kin call idempotent, so that a second request does no harm.
_REPEATABLE = frozenset(
    {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "REPORT", "SEARCH", "PROPFIND"}
)

# Time that is up still has to be said to be short, as none at all would mean something else: seconds.
_SHORTEST_WAIT = 0.001

# A server can ask for more than a clock can wait: seconds.
_LONGEST_RECONNECTION_TIME = 24 * 60 * 60.0


class Step(Enum):
    """What a driver is to do."""

    CONNECT = auto()
    """Send the request of ``target`` and give the response's head to ``accept()``."""
    READ = auto()
    """Give the next bytes of the response to ``receive()``."""
    WAIT = auto()
    """Wait for ``delay`` seconds, then call ``reconnect()``."""
    END = auto()
    """Nothing more."""


class ReconnectionMachine:
    """Decides what an event source does next; its driver does it.

    Args:
        target: where the events are.
        last_event_id: where to resume; ``""`` is the beginning.
        max_event_size: see ``Decoder``.
        on_comment: called with each comment, in its order among the events.
        on_error: called with each failure; True reconnects, False gives up, None leaves it to the standard.
        repeat: whether the request may be sent again after it was received; None asks its method.
        reconnection_time: seconds to wait before connecting again, until the server sets another time.
        max_backoff: seconds at which the waits between failing attempts stop growing.
        max_attempts: how many attempts in a row may fail; None for no limit.
        max_outage: seconds without a byte, from the first attempt on, after which none is made or waited for;
            None for no limit.
        idle_timeout: seconds that a wait for bytes may last.
        data_timeout: seconds that may be spent waiting for an event.

    Attributes:
        step: what is to be done.
        delay: how long, if that is waiting.
        target: where to connect to, if that is connecting.
        deadlines: of the response, or of reading it.
        metrics: what the event source measured of itself.
        is_open: whether an event stream is being read.
    """

    def __init__(
        self,
        target: Target,
        *,
        last_event_id: str = "",
        max_event_size: int | None,
        on_comment: Callable[[str], object] | None = None,
        on_error: Callable[[SSEError], bool | None] | None = None,
        repeat: bool | None = None,
        reconnection_time: float = 3.0,
        max_backoff: float = 60.0,
        max_attempts: int | None = None,
        max_outage: float | None = None,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
    ) -> None:
        if not 0 <= reconnection_time < inf:
            raise ValueError(
                f"reconnection_time must be a number of seconds from 0 up; got {reconnection_time!r}"
            )
        if max_attempts is not None and max_attempts < 1:
            raise ValueError(f"max_attempts must be 1 or more, or None for no limit; got {max_attempts!r}")
        self.step: Step = Step.CONNECT
        self.delay: float = 0.0
        self.target: Target = target
        self.deadlines: Deadlines = Deadlines(idle=idle_timeout, data=data_timeout)
        self.metrics: StreamMetrics = StreamMetrics()
        self.is_open: bool = False

        self._home = target
        self._home_url: Any = None
        self._hops = 0
        self._all_permanent = True
        self._timeouts = {"idle": idle_timeout, "data": data_timeout}
        self._refusal: Refusal | None = None

        self._pending: Iterator[ServerSentEvent | str] = iter(())
        self._mixed: list[ServerSentEvent | str] = []
        self._on_comment = on_comment
        self._max_event_size = max_event_size
        self._taken_id = last_event_id
        self._decoder = self._make_decoder(last_event_id)
        self._next_decoder: Decoder | None = None
        self._retry: int | None = None
        self._put_off: SSEError | None = None
        self._beginning: Beginning | None = None

        self._on_error = on_error
        self._repeatable = target.method in _REPEATABLE if repeat is None else repeat
        self._reconnection_time = reconnection_time
        self._max_backoff = max_backoff
        self._max_attempts = max_attempts
        self._max_outage = max_outage
        self._failures = 0
        self._was_fruitful = False
        self._silent_since = inf

    @property
    def last_event_id(self) -> str:
        """The ID of the last event that was taken; set, it is where the next connection resumes."""
        if self._next_decoder is not None:
            return self._next_decoder.last_event_id
        return self._taken_id if length_hint(self._pending) else self._decoder.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str) -> None:
        self._next_decoder = self._make_decoder(value)

    @property
    def reconnection_time(self) -> float:
        """Seconds to wait before connecting again: the server's wish, else the caller's."""
        retry = self._retry if self._decoder.retry is None else self._decoder.retry
        seconds = self._reconnection_time if retry is None else retry / 1000
        return min(seconds, _LONGEST_RECONNECTION_TIME)

    @property
    def url(self) -> Any:
        """Where the event source is, as far as permanent redirects have told."""
        return self._home.url

    def headers(self) -> list[tuple[Any, Any]]:
        """The headers of the request for ``target``."""
        headers = with_default_headers(self.target.headers, EVENT_STREAM_HEADERS)
        # A header's value begins and ends with something visible.
        if event_id := (self._next_decoder or self._decoder).last_event_id.strip(" \t"):
            headers.append((b"Last-Event-ID", event_id.encode()))
        return headers

    def begin_attempt(self) -> float:
        """Begin to wait for a response, and return how many seconds that may last; ``inf`` for no limit."""
        now = perf_counter()
        self._silent_since = min(self._silent_since, now)
        left = inf if self._max_outage is None else self._silent_since + self._max_outage - now
        return min(self.deadlines.begin(None), max(left, _SHORTEST_WAIT))

    def accept(self, response: Any) -> bool:
        """Take note of a response's head, and say whether its body is to be read.

        Raises:
            APIStatusError: a redirect that cannot be followed.
        """
        if self._home_url is None:
            self._home_url = response.request.url
        status = response.status_code
        if status in REDIRECTS:
            self._redirect(response)
            return False
        if status == 204:
            self.step = Step.END
            return False
        self.deadlines = Deadlines(**self._timeouts)
        if status != 200:
            self._refusal = Refusal(response, self.deadlines, status_error)
        elif not has_event_stream_type(response):
            self._refusal = Refusal(response, self.deadlines, content_type_error)
        else:
            self.is_open = True
            self._beginning = Beginning(response)
            if self._next_decoder is not None:
                self._retry = self._decoder.retry
                self._decoder, self._next_decoder = self._next_decoder, None
        self.step = Step.READ
        return True

    def settle(self) -> None:
        """Raise what was put off until the events before it had been taken.

        Raises:
            APIConnectionError: a wait was cancelled, and the request must not be repeated.
            EventTooLargeError: the next event is over the limit.
        """
        if self._put_off is not None:
            raise self._put_off

    def receive(self, chunk: bytes | None) -> None:
        """Take in what was read; None is the end of the body.

        Raises:
            APIStatusError: the status was not 200.
            ContentTypeError: this is no event stream.
            TruncatedStreamError: the body has ended.
        """
        if self._refusal is not None:
            self._refusal.add(chunk)
        elif chunk is None:
            if self._beginning is not None:
                self._beginning.end()
            raise TruncatedStreamError("the server ended the stream")
        elif chunk:
            self.metrics.add_read(len(chunk))
            count = self.metrics.events
            items = self._feed(chunk) if self._on_comment is None else self._feed_lines(chunk)
            self._pending = iter([*self._pending, *items])
            got_events = self.metrics.events > count
            # A body that holds something else than an event stream is a failure.
            self._was_fruitful = not self._looks_like_other(chunk, got_events=got_events)
            self.deadlines.end(got_events=got_events)

    def _looks_like_other(self, chunk: bytes, *, got_events: bool) -> bool:
        """Whether the body, which had no event before this chunk, seems to be something else."""
        beginning = self._beginning
        if beginning is None:
            return False
        if got_events:
            self._beginning = None
            beginning.restore(self.deadlines)
        else:
            beginning.add(chunk)
            beginning.adjust(self.deadlines)
        return beginning.is_other

    def lose(self, error: APIConnectionError) -> None:
        """Take note that reading failed.

        Raises:
            SSEError: the error, or what says more: what has come of a response that is no event stream.
        """
        try:
            if self._refusal is not None:
                raise self._refusal.error() from error.__cause__
            if self._beginning is not None and self._beginning.is_other:
                raise self._beginning.error() from error.__cause__
            raise error
        finally:
            del error  # which holds this frame by its traceback

    def events(self) -> Iterator[ServerSentEvent]:
        """Iterate over the events that have arrived and were not taken yet."""
        for item in self._pending:
            if isinstance(item, str):
                assert self._on_comment is not None
                self._on_comment(item)
            else:
                self._taken_id = item.id or ""
                yield item

    def fail(self, error: SSEError) -> None:
        """Decide what follows a failure: a wait before the next attempt, or the end.

        Raises:
            SSEError: the error, if it is the end; but a body that ended well only is one if it was one
                failure too many.
        """
        self._close_account(failed=True)
        self.is_open = False
        self.step = Step.END
        if not self._goes_on(error):
            if isinstance(error, TruncatedStreamError):
                return
            try:
                raise error
            finally:
                del error  # which holds this frame by its traceback
        delay = backoff(self._failures, unit=self.reconnection_time, longest=self._max_backoff)
        if isinstance(error, APIStatusError):
            wish = retry_after(error.response.headers) or 0.0
            delay = max(delay, min(wish, _LONGEST_RECONNECTION_TIME))
        silence = max(0.0, perf_counter() - self._silent_since)
        too_often = self._max_attempts is not None and self._failures >= self._max_attempts
        too_long = self._max_outage is not None and silence + delay > self._max_outage
        if too_often or too_long:
            summary = f"gave up after {silence:.1f} seconds and {self._failures} failed attempts in a row"
            error.args = (f"{error} ({summary})", *error.args[1:])
            try:
                raise error
            finally:
                del error  # which holds this frame by its traceback
        self.step = Step.WAIT
        self.delay = delay

    def reconnect(self) -> None:
        """Prepare to send the request again."""
        self._close_account(failed=False)
        self.is_open = False
        self.step = Step.CONNECT
        self.target = self._home
        self.deadlines = Deadlines(**self._timeouts)
        self.metrics.reconnections += 1
        self._decoder.reset()
        self._put_off = self._refusal = self._beginning = None
        self._hops = 0
        self._all_permanent = True

    @property
    def can_resume_elsewhere(self) -> bool:
        """Whether another connection goes on after the last event, which needs its ID."""
        return self._repeatable and bool(self.last_event_id)

    def give_up_connection(self, error: SSEError | None = None) -> None:
        """Take note that connecting or reading was interrupted; the next step is to connect again.

        Args:
            error: what to raise in the next step instead, if the request must not be repeated.
        """
        if error is not None and not self._repeatable:
            self._put_off = error
        elif self.step is Step.READ:
            self.reconnect()

    def close(self) -> None:
        """Come to the end, and drop what was not taken."""
        # What is dropped must come again when another event source resumes here.
        self.last_event_id = self.last_event_id
        self.is_open = False
        self.step = Step.END
        for _ in self._pending:  # an iterator over it may be in use, which now ends
            pass

    def _redirect(self, response: Any) -> None:
        self._hops += 1
        if self._hops > _MOST_REDIRECTS:
            raise redirect_error(response, f"more than {_MOST_REDIRECTS} redirects")
        self.target = self.target.redirected(response, home_url=self._home_url)
        self._all_permanent = self._all_permanent and response.status_code in PERMANENT_REDIRECTS
        if self._all_permanent:
            self._home = self.target

    def _make_decoder(self, last_event_id: str) -> Decoder:
        return Decoder(
            max_event_size=self._max_event_size,
            last_event_id=last_event_id,
            on_comment=None if self._on_comment is None else self._mixed.append,
        )

    def _feed(self, data: bytes) -> list[Any]:
        """The events that the bytes complete. What is wrong with the next one is put off."""
        events: list[Any] = []
        try:
            events, is_paused = self._decoder._feed(data)
            if is_paused:
                self._decoder._resume()  # raises, as this decoder's on_comment does not
        except EventTooLargeError as error:
            self._put_off = error
        self.metrics.add_events(len(events))
        return events

    def _feed_lines(self, data: bytes) -> list[Any]:
        """The events that the bytes complete, and the comments among them.

        A decoder gives the comments of what it is fed before the events. Line by line, they stay in order.
        """
        for line in data.splitlines(keepends=True):
            self._mixed += self._feed(line)
            if self._put_off is not None:
                break
        items = self._mixed.copy()
        self._mixed.clear()
        return items

    def _close_account(self, *, failed: bool) -> None:
        if self._was_fruitful:
            self._was_fruitful = False
            self._failures = 0
            self._silent_since = perf_counter()
        elif failed:
            self._failures += 1

    def _goes_on(self, error: SSEError) -> bool:
        wish = None if self._on_error is None else self._on_error(error)
        if wish is not None:
            return wish
        if isinstance(error, (APIConnectionError, TruncatedStreamError)):
            return self._repeatable or not was_sent(error)
        # Of statuses the standard decides. An error in a body that is no event stream says itself.
        if isinstance(error, APIError) and not isinstance(error, APIStatusError):
            return self._repeatable and error.retryable
        return False

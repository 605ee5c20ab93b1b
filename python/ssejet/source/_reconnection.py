"""Implements the processing model of the WHATWG standard for event sources, without I/O.

The driver does what the table says for each state, and reports the result by calling the method:

===========  ==========  =======================================  ====================================
state        readyState  the driver                               next states
===========  ==========  =======================================  ====================================
CONNECTING   connecting  sends the request, calls ``accept()``    OPEN, REFUSED, REDIRECTING or CLOSED
REDIRECTING  connecting  does the same for the redirect's target  OPEN, REFUSED, REDIRECTING or CLOSED
OPEN         open        reads, calls ``receive()``               OPEN or FAILING
REFUSED      connecting  reads the error, calls ``receive()``     REFUSED
FAILING      open        takes events, then ``raise_deferred()``  those below
INTERRUPTED  connecting  calls ``raise_deferred()``               those below
WAITING      connecting  waits for ``delay``, ``reconnect()``     CONNECTING
CLOSED       closed      does nothing                             CLOSED
===========  ==========  =======================================  ====================================

These methods also change the state:

===============  =========================  ===========================================================
method           from                       to
===============  =========================  ===========================================================
``fail()``       not WAITING or CLOSED      WAITING, or CLOSED if the event source gives up
``interrupt()``  not WAITING or CLOSED      INTERRUPTED if the request must not be repeated; else CONNECTING,
                                            and no change from CONNECTING or REDIRECTING
``reconnect()``  not CLOSED                 CONNECTING
``close()``      any state                  CLOSED
===============  =========================  ===========================================================
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal

from ssejet._http.deadlines import Deadlines
from ssejet._http.headers import EVENT_STREAM_HEADERS, with_default_headers
from ssejet._http.response import has_event_stream_type
from ssejet.errors import APIConnectionError, TruncatedStreamError
from ssejet.metrics._stream_metrics import StreamMetrics
from ssejet.source._incoming import IncomingEvents
from ssejet.source._retries import MAX_RECONNECTION_TIME, RetryPolicy
from ssejet.source._target import REDIRECTS
from ssejet.typed._refusal import Beginning, Refusal, content_type_error
from ssejet.typed._server_reports import status_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet._core import ServerSentEvent
    from ssejet.errors import SSEError
    from ssejet.source._target import Target

__all__ = ["CONNECT_STATES", "READ_STATES", "ReconnectionMachine", "State"]


class State(Enum):
    """The states of an event source; see the table at the top."""

    CONNECTING = auto()
    REDIRECTING = auto()
    OPEN = auto()
    REFUSED = auto()
    FAILING = auto()
    INTERRUPTED = auto()
    WAITING = auto()
    CLOSED = auto()


CONNECT_STATES = frozenset({State.CONNECTING, State.REDIRECTING})
READ_STATES = frozenset({State.OPEN, State.REFUSED})
_DEFERRING_STATES = frozenset({State.FAILING, State.INTERRUPTED})


class _Signal(Enum):
    """The inputs that change the state."""

    REDIRECT = auto()
    STREAM = auto()  # the response is an event stream
    REFUSAL = auto()  # the response is something else
    NO_CONTENT = auto()
    CHUNK = auto()
    OVERSIZE = auto()
    INTERRUPTION = auto()
    RETRY = auto()
    GIVE_UP = auto()
    RECONNECT = auto()
    CLOSE = auto()


_FAILURE = {
    _Signal.INTERRUPTION: State.INTERRUPTED,
    _Signal.RETRY: State.WAITING,
    _Signal.GIVE_UP: State.CLOSED,
    _Signal.RECONNECT: State.CONNECTING,
    _Signal.CLOSE: State.CLOSED,
}
_RESPONSE = {
    _Signal.REDIRECT: State.REDIRECTING,
    _Signal.STREAM: State.OPEN,
    _Signal.REFUSAL: State.REFUSED,
    _Signal.NO_CONTENT: State.CLOSED,
}
_TRANSITIONS: dict[State, dict[_Signal, State]] = {
    State.CONNECTING: {**_RESPONSE, **_FAILURE},
    State.REDIRECTING: {**_RESPONSE, **_FAILURE},
    State.OPEN: {_Signal.CHUNK: State.OPEN, _Signal.OVERSIZE: State.FAILING, **_FAILURE},
    State.REFUSED: {_Signal.CHUNK: State.REFUSED, **_FAILURE},
    State.FAILING: _FAILURE,
    State.INTERRUPTED: _FAILURE,
    State.WAITING: {_Signal.RECONNECT: State.CONNECTING, _Signal.CLOSE: State.CLOSED},
    # Any thread can call close() at any time. Later reports of the driver change nothing.
    State.CLOSED: dict.fromkeys(_Signal, State.CLOSED),
}


class ReconnectionMachine:
    """Decides what the driver of an event source does next.

    Args:
        target: the request for the events.
        last_event_id: the ID to resume after; ``""`` is the beginning.
        max_event_size: see ``Decoder``.
        on_comment: called with each comment, in order with the events.
        on_error, reconnection_time, max_backoff, max_attempts, max_outage: see ``RetryPolicy``.
        repeat: whether the request may be sent again after the server received it; None means only if it is
            idempotent.
        idle_timeout: seconds that a wait for bytes may last; None for no limit.
        data_timeout: seconds that may be spent waiting for an event; None for no limit.

    Attributes:
        state: what the driver does next; see the table at the top.
        delay: seconds to wait in the state WAITING.
        target: the request to send.
        deadlines: the deadlines of the response and its body.
        metrics: the metrics of the event source.
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
        self.state: State = State.CONNECTING
        self.delay: float = 0.0
        self.target: Target = target
        self.deadlines: Deadlines = Deadlines(idle=idle_timeout, data=data_timeout)
        self.metrics: StreamMetrics = StreamMetrics()
        self._timeouts = {"idle": idle_timeout, "data": data_timeout}
        # The target of the next reconnection: only permanent redirects change it.
        self._permanent_target = target
        self._incoming = IncomingEvents(
            last_event_id=last_event_id, max_event_size=max_event_size, on_comment=on_comment
        )
        self._retries = RetryPolicy(
            on_error=on_error,
            repeatable=target.is_idempotent if repeat is None else repeat,
            reconnection_time=reconnection_time,
            max_backoff=max_backoff,
            max_attempts=max_attempts,
            max_outage=max_outage,
        )
        # In the state OPEN, until the first event.
        self._beginning: Beginning | None = None
        # In the state REFUSED.
        self._refusal: Refusal | None = None
        # In the states FAILING and INTERRUPTED.
        self._deferred: SSEError | None = None

    @property
    def last_event_id(self) -> str:
        """The ID of the last event that was taken. If it is set, the next stream resumes after that ID."""
        return self._incoming.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str) -> None:
        self._incoming.last_event_id = value

    @property
    def reconnection_time(self) -> float:
        """Seconds to wait before reconnecting: the server's latest ``retry``, or else the caller's option."""
        retry = self._incoming.retry
        seconds = self._retries.reconnection_time if retry is None else retry / 1000
        return min(seconds, MAX_RECONNECTION_TIME)

    @property
    def ready_state(self) -> Literal["connecting", "open", "closed"]:
        """The name of the standard's ``readyState``."""
        if self.state is State.CLOSED:
            return "closed"
        return "open" if self.state in {State.OPEN, State.FAILING} else "connecting"

    @property
    def url(self) -> Any:
        """The URL of the event source. Permanent redirects change it."""
        return self._permanent_target.url

    @property
    def can_resume(self) -> bool:
        """Whether a new connection can resume after the last event that was taken."""
        return self._retries.repeatable and bool(self.last_event_id)

    def headers(self) -> list[tuple[Any, Any]]:
        """The headers of the request for ``target``."""
        headers = with_default_headers(self.target.headers, EVENT_STREAM_HEADERS)
        # HTTP does not allow spaces around a header's value.
        if event_id := self._incoming.last_received_id.strip(" \t"):
            headers.append((b"Last-Event-ID", event_id.encode()))
        return headers

    def begin_attempt(self) -> float:
        """Begin an attempt, and return how many seconds it may wait for a response; ``inf`` for no limit."""
        left = self._retries.begin_attempt()
        return min(self.deadlines.begin(None), left)

    def accept(self, response: Any) -> bool:
        """Receive the status and headers of a response, and return whether the driver must read the body.

        Raises:
            APIStatusError: the response is a redirect that cannot be followed.
        """
        status = response.status_code
        if status in REDIRECTS:
            self.target = self.target.redirected(response)
            if self.target.permanent:
                self._permanent_target = replace(self.target, redirects=0)
            self._move(_Signal.REDIRECT)
        elif status == 204:
            self._move(_Signal.NO_CONTENT)
        else:
            self.deadlines = Deadlines(**self._timeouts)
            if status != 200:
                self._refusal = Refusal(response, self.deadlines, status_error)
                self._move(_Signal.REFUSAL)
            elif not has_event_stream_type(response):
                self._refusal = Refusal(response, self.deadlines, content_type_error)
                self._move(_Signal.REFUSAL)
            else:
                self._beginning = Beginning(response)
                self._incoming.begin_stream()
                self._move(_Signal.STREAM)
        return self.state in READ_STATES

    def receive(self, chunk: bytes | None) -> None:
        """Receive a chunk of the body, or None at its end.

        Raises:
            APIStatusError: the status was not 200.
            APIError: the body reports an error and is not an event stream.
            ContentTypeError: the body is not an event stream.
            TruncatedStreamError: the body has ended.
        """
        self._move(_Signal.CHUNK)
        if self._refusal is not None:
            self._refusal.add(chunk)
        elif chunk is None:
            if self._beginning is not None:
                self._beginning.end()
            raise TruncatedStreamError("the server ended the stream")
        elif chunk:
            self.metrics.add_read(len(chunk))
            count, error = self._incoming.feed(chunk)
            self.metrics.add_events(count)
            if error is not None:
                self._deferred = error
                self._move(_Signal.OVERSIZE)
            self._retries.got_stream = not self._looks_like_other(chunk, got_events=count > 0)
            self.deadlines.end(got_events=count > 0)

    def _looks_like_other(self, chunk: bytes, *, got_events: bool) -> bool:
        """Whether the body does not look like an event stream up to its first event; False after that."""
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

    def events(self) -> Iterator[ServerSentEvent]:
        """Take the events that have arrived, one by one."""
        return self._incoming.take()

    def raise_deferred(self) -> None:
        """Raise the error that waits until the events before it are taken, if there is one.

        Raises:
            APIConnectionError: connecting or reading was interrupted, and the request must not be repeated.
            EventTooLargeError: the next event is over the limit.
        """
        if self.state in _DEFERRING_STATES:
            assert self._deferred is not None
            raise self._deferred

    def on_read_error(self, error: APIConnectionError) -> None:
        """Raise the error of a failed read, or the error that the body reports.

        Raises:
            SSEError: what the body reports, if it is not an event stream; else ``error``.
        """
        try:
            if self._refusal is not None:
                raise self._refusal.error() from error.__cause__
            if self._beginning is not None and self._beginning.is_other:
                raise self._beginning.error() from error.__cause__
            raise error
        finally:
            del error  # Its traceback refers to this frame.

    def fail(self, error: SSEError) -> None:
        """Decide whether to wait and reconnect after a failure, or to give up.

        Raises:
            SSEError: ``error``, if the event source gives up. The end of a stream is an error only if
                ``max_attempts`` or ``max_outage`` is reached.
        """
        self._retries.end_attempt(failed=True)
        signal = _Signal.GIVE_UP
        try:
            delay = self._retries.delay_after(error, self.reconnection_time)
            if delay is not None:
                self.delay = delay
                signal = _Signal.RETRY
        finally:
            del error  # Its traceback refers to this frame.
            self._move(signal)

    def interrupt(self, *, cancelled: bool) -> None:
        """Prepare to go on after an exception, such as ``KeyboardInterrupt``, stopped connecting or reading.

        Args:
            cancelled: whether the server may have received the request. If so, it is sent again only if it is
                repeatable.
        """
        if self.state in {State.WAITING, State.CLOSED}:
            return
        if cancelled and not self._retries.repeatable:
            self._deferred = APIConnectionError(
                "the stream was interrupted, and cannot go on, as its request must not be sent again: pass "
                "repeat=True if it may be repeated, or limit waits with idle_timeout or data_timeout"
            )
            self._move(_Signal.INTERRUPTION)
        elif self.state not in CONNECT_STATES:
            self.reconnect()

    def reconnect(self) -> None:
        """Prepare to send the request again."""
        self._retries.end_attempt(failed=False)
        self._move(_Signal.RECONNECT)
        self.target = self._permanent_target
        self.deadlines = Deadlines(**self._timeouts)
        self.metrics.reconnections += 1
        self._incoming.end_stream()
        self._beginning = self._refusal = self._deferred = None

    def close(self) -> None:
        """End the event source, and drop the events that were not taken."""
        self._incoming.drop()
        self._move(_Signal.CLOSE)

    def _move(self, signal: _Signal) -> None:
        """Go to the next state.

        Raises:
            RuntimeError: the state does not allow the signal; this is a bug in the driver.
        """
        state = _TRANSITIONS[self.state].get(signal)
        if state is None:
            raise RuntimeError(f"an event source that is {self.state.name} cannot get {signal.name}")
        self.state = state

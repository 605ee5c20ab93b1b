"""When an event source connects again after a failure, and when it gives up."""

from __future__ import annotations

from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

from ssejet._http.backoff import backoff, retry_after
from ssejet._http.failures import was_sent
from ssejet.errors import APIConnectionError, APIError, APIStatusError, TruncatedStreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.errors import SSEError

__all__ = ["MAX_RECONNECTION_TIME", "RetryPolicy"]

# The longest wait, in seconds: a server can ask for more than a clock can wait.
MAX_RECONNECTION_TIME = 24 * 60 * 60.0

# The last attempt of an outage gets at least so many seconds: to HTTP clients, 0 would mean no limit.
_MIN_ATTEMPT_TIME = 0.001


class RetryPolicy:
    """Counts failed attempts and decides what follows one.

    Args:
        on_error: called with each failure; True reconnects, False gives up, None follows the standard.
        repeatable: whether the request may be sent again after the server received it.
        reconnection_time: seconds to wait before connecting again, until the server sets another time.
        max_backoff: seconds up to which the waits between failing attempts double.
        max_attempts: how many attempts in a row may fail; None for no limit.
        max_outage: how many seconds may pass without a byte, from the first attempt on; None for no limit.

    Attributes:
        repeatable: the argument.
        reconnection_time: the argument.
        got_stream: whether this attempt has brought bytes of an event stream.
    """

    def __init__(
        self,
        *,
        on_error: Callable[[SSEError], bool | None] | None,
        repeatable: bool,
        reconnection_time: float,
        max_backoff: float,
        max_attempts: int | None,
        max_outage: float | None,
    ) -> None:
        if not 0 <= reconnection_time < inf:
            raise ValueError(
                f"reconnection_time must be a number of seconds from 0 up; got {reconnection_time!r}"
            )
        if max_attempts is not None and max_attempts < 1:
            raise ValueError(f"max_attempts must be 1 or more, or None for no limit; got {max_attempts!r}")
        self.repeatable: bool = repeatable
        self.reconnection_time: float = reconnection_time
        self.got_stream: bool = False
        self._on_error = on_error
        self._max_backoff = max_backoff
        self._max_attempts = max_attempts
        self._max_outage = max_outage
        self._failures = 0
        self._outage_start = inf

    def begin_attempt(self) -> float:
        """Begin an attempt, and return how many seconds are left for it; ``inf`` for no limit."""
        now = perf_counter()
        self._outage_start = min(self._outage_start, now)
        if self._max_outage is None:
            return inf
        return max(self._outage_start + self._max_outage - now, _MIN_ATTEMPT_TIME)

    def end_attempt(self, *, failed: bool) -> None:
        """End an attempt. One that brought bytes of an event stream ends the outage and has not failed."""
        if self.got_stream:
            self.got_stream = False
            self._failures = 0
            self._outage_start = perf_counter()
        elif failed:
            self._failures += 1

    def delay_after(self, error: SSEError, reconnection_time: float) -> float | None:
        """Seconds to wait after a failed attempt, or None if the event source ends without an error.

        Args:
            error: the failure.
            reconnection_time: the shortest wait, in seconds.

        Raises:
            SSEError: the error, if the event source gives up.
        """
        try:
            if not self._allows_retry(error):
                if isinstance(error, TruncatedStreamError):
                    return None
                raise error
            delay = backoff(self._failures, unit=reconnection_time, longest=self._max_backoff)
            if isinstance(error, APIStatusError):
                requested = retry_after(error.response.headers) or 0.0
                delay = max(delay, min(requested, MAX_RECONNECTION_TIME))
            outage = max(0.0, perf_counter() - self._outage_start)
            too_often = self._max_attempts is not None and self._failures >= self._max_attempts
            too_long = self._max_outage is not None and outage + delay > self._max_outage
            if too_often or too_long:
                summary = f"gave up after {outage:.1f} seconds and {self._failures} failed attempts in a row"
                error.args = (f"{error} ({summary})", *error.args[1:])
                raise error
            return delay
        finally:
            del error  # Its traceback refers to this frame.

    def _allows_retry(self, error: SSEError) -> bool:
        choice = None if self._on_error is None else self._on_error(error)
        if choice is not None:
            return choice
        if isinstance(error, (APIConnectionError, TruncatedStreamError)):
            return self.repeatable or not was_sent(error)
        # By the standard, a status is final. An error in the body of a stream tells whether it is.
        if isinstance(error, APIError) and not isinstance(error, APIStatusError):
            return self.repeatable and error.retryable
        return False

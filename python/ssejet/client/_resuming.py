"""Streams of responses that run in the background. A stream that is cut resumes by itself.

``Resumption`` decides, without I/O: which events are new, whether a failed stream resumes, and after which
wait. A stream resumes after the last ``sequence_number``. The streams are thin drivers of ``Resumption``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ssejet._http.backoff import backoff
from ssejet.errors import APIConnectionError, APIError, APITimeoutError, SSEError, TruncatedStreamError
from ssejet.typed import AsyncStream, Stream
from ssejet.typed._types import T

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent

__all__ = ["AsyncResumingStream", "ResumingStream", "Resumption"]

Item = TypeVar("Item")

# Waits before a stream resumes, in seconds.
_MIN_BACKOFF = 0.25
_MAX_BACKOFF = 8.0

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


class Resumption:
    """Keeps the place in a stream of a response, and decides what follows when the stream is cut.

    Args:
        response_id: the id of the response; None until the first event has it.
        after: the ``sequence_number`` of the last event that the caller has; None for none.
        max_retries: how many streams in a row may be cut without a new event.

    Attributes:
        response_id: the id of the response.
        after: the ``sequence_number`` of the latest event.
    """

    def __init__(self, response_id: str | None, after: int | None, max_retries: int) -> None:
        self.response_id: str | None = response_id
        self.after: int | None = after
        self._max_retries = max_retries
        self._failures = 0
        self._has_ended = False
        self._before = after
        self._numbers_rise = True
        self._has_server_error = False

    def is_new(self, event: Any) -> bool:
        """Whether this event is new to the caller. Some servers send older events again."""
        number = event.sequence_number
        if number is not None:
            # Only what the streams before this one gave is left out: some servers number all events alike.
            if self._before is not None and number <= self._before:
                return False
            if self.after is None or number > self.after:
                self.after = number
                self._failures = 0
            else:
                self._numbers_rise = False
        if event.type in _LAST:
            self._has_ended = True
        if self.response_id is None:
            self.response_id = getattr(getattr(event, "response", None), "id", None) or None
        return True

    def on_server_error(self) -> None:
        """Note that the server has reported an error: what ends the stream after it is not a cut."""
        self._has_server_error = True

    def delay_after(self, error: SSEError) -> float | None:
        """Seconds to wait before the stream resumes; None if its last event has come.

        Raises:
            SSEError: ``error``, if the stream cannot resume, or has resumed too often.
        """
        if not isinstance(error, (APIConnectionError, TruncatedStreamError)):
            raise error
        if self._has_ended:
            return None
        out_of_time = isinstance(error, APITimeoutError) and error.kind == "total"
        self._failures += 1
        has_place = self.response_id and self.after is not None and self._numbers_rise
        if out_of_time or self._has_server_error or not has_place or self._failures > self._max_retries:
            raise error
        self._before = self.after
        return backoff(self._failures - 1, unit=_MIN_BACKOFF, longest=_MAX_BACKOFF)


class _Resuming:
    """What both streams share."""

    _resumption: Resumption
    _machine: Any
    _open: Callable[[str, int | None], Any]
    _was_closed = False

    def resume_by(self, resumption: Resumption, open_stream: Callable[[str, int | None], Any]) -> Self:
        """Set how the stream resumes.

        Args:
            resumption: where the stream is.
            open_stream: requests the events of a response, given its id, after a ``sequence_number``.
        """
        self._resumption = resumption
        self._open = open_stream
        return self

    def _is_new(self, event: ServerSentEvent) -> bool:
        """Whether an event that is not decoded is new to the caller."""
        machine = self._machine
        if machine._is_early_sentinel(event):  # a cut, after which the stream may resume
            return False
        try:
            return self._resumption.is_new(machine._item_of(event))
        except APIError:
            self._resumption.on_server_error()
        except SSEError:  # the event is no item
            pass
        return True

    def _become(self, other: Any) -> None:
        """Go on with the response of another stream."""
        other._machine.go_on_from(self._machine)
        for name in ("response", "_machine", "_body", "_reader"):
            setattr(self, name, getattr(other, name))
        other._reader = None  # its __del__ leaves the response alone


class ResumingStream(_Resuming, Stream[T]):
    """The events of a response that runs in the background."""

    def __iter__(self) -> Iterator[T]:
        return self._run_all(super().__iter__, self._resumption.is_new)

    def events(self) -> Iterator[ServerSentEvent]:
        """Iterate over the rest of the stream as events, up to and including the sentinel.

        Nothing is decoded, and errors that the server reports are events like any other. They end the
        stream; only a cut resumes it.
        """
        return self._run_all(super().events, self._is_new)

    def _run_all(self, begin: Callable[[], Iterator[Item]], is_new: Callable[[Item], bool]) -> Iterator[Item]:
        """One loop over the stream and over those that resume it."""
        while True:
            machine = self._machine
            try:
                for event in begin():
                    if is_new(event):
                        yield event
                        if self._machine is not machine:  # another loop has resumed the stream
                            break
                else:
                    return
            except SSEError as error:
                if not self._reopen(error):
                    return

    def close(self) -> None:
        """Close the response and drop the items that were not taken. A second call does nothing."""
        self._was_closed = True
        super().close()

    def _reopen(self, error: SSEError) -> bool:
        """Resume the stream; return False if it has ended."""
        self._was_closed = False  # by the error
        delay = self._resumption.delay_after(error)
        if delay is None:
            return False
        time.sleep(delay)
        if self._was_closed:
            return False
        assert self._resumption.response_id is not None
        try:
            stream = self._open(self._resumption.response_id, self._resumption.after)
        except SSEError as failure:
            self._machine.keep_partial(failure)
            raise
        if self._was_closed:
            stream.close()
            return False
        self._become(stream)
        return True


class AsyncResumingStream(_Resuming, AsyncStream[T]):
    """The events of a response that runs in the background."""

    _open: Callable[[str, int | None], Awaitable[Any]]

    def __aiter__(self) -> AsyncIterator[T]:
        return _AsyncRun(self, super().__aiter__, self._resumption.is_new)

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the rest of the stream as events; see ``ResumingStream``."""
        return _AsyncRun(self, super().events, self._is_new)

    async def aclose(self) -> None:
        """Close the response and drop the items that were not taken. A second call does nothing."""
        self._was_closed = True
        await super().aclose()

    close = aclose  # the name in openai-python

    async def _reopen(self, error: SSEError) -> bool:
        """Resume the stream; return False if it has ended."""
        from anyio import sleep

        self._was_closed = False  # by the error
        delay = self._resumption.delay_after(error)
        if delay is None:
            return False
        await sleep(delay)
        if self._was_closed:
            return False
        assert self._resumption.response_id is not None
        try:
            stream = await self._open(self._resumption.response_id, self._resumption.after)
        except SSEError as failure:
            self._machine.keep_partial(failure)
            raise
        if self._was_closed:
            await stream.aclose()
            return False
        self._become(stream)
        return True


class _AsyncRun(Generic[Item]):
    """One loop over an ``AsyncResumingStream`` and over those that resume it."""

    def __init__(
        self,
        stream: AsyncResumingStream[Any],
        begin: Callable[[], AsyncIterator[Item]],
        is_new: Callable[[Item], bool],
    ) -> None:
        self._stream = stream
        self._begin = begin
        self._is_new = is_new
        self._machine: Any = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        stream = self._stream
        while True:
            if stream._machine is not self._machine:  # this loop or another one has resumed the stream
                self._machine = stream._machine
                self._items = self._begin()
            try:
                event = await anext(self._items)
            except SSEError as error:
                if not await stream._reopen(error):
                    raise StopAsyncIteration from None
            else:
                if self._is_new(event):
                    return event

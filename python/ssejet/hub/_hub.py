"""The hub for threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from ssejet.hub._async_hub import AsyncHub
from ssejet.hub._event_loop_thread import EventLoopThread
from ssejet.hub._follow_stream import FollowStream
from ssejet.hub._relay import sync_source
from ssejet.hub._source import function_source
from ssejet.hub._thread_follower import ThreadFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

    from flask import Response
    from typing_extensions import Self

    from ssejet._core import ServerSentEvent
    from ssejet.emit import EncodedEvent, EventStream
    from ssejet.hub._machine import Status
    from ssejet.hub._producer import OnSourceError

__all__ = ["Hub"]

T = TypeVar("T")

# The hubs of this process, and those of its parent if it was forked.
_hubs: WeakSet[Hub] = WeakSet()
_inherited: list[Any] = []


class Hub:
    """Does what ``AsyncHub`` does, for threads: Flask, Django under WSGI, scripts.

    ::

        hub = Hub()

        hub.start(key, lambda: answer(prompt))  # runs on when this request has ended
        return hub.response(key, request)       # replays, then follows

    An ``AsyncHub`` does the work, in a thread with an event loop that starts with the first call. Any thread
    may call any method. A process that was forked gets a thread of its own.

    Args:
        url: see ``AsyncHub``.
        **options: those of ``AsyncHub``.
    """

    _thread: EventLoopThread
    _hub: AsyncHub

    def __init__(self, url: str | None = None, **options: Any) -> None:
        self._url = url
        self._options = options
        self._begin()
        _hubs.add(self)

    def start(
        self,
        key: str,
        source: Callable[[], Any],
        *,
        lease: float = 15.0,
        on_error: OnSourceError = "event",
    ) -> bool:
        """Start the producer of a log, if nobody has; see ``AsyncHub.start``.

        The source runs in a thread of its own.
        """
        taken = function_source(source, in_thread=True)
        return self._call(self._hub._start(key, taken, lease=lease, on_error=on_error))

    def relay(
        self, key: str, upstream: Any, *, lease: float = 15.0, on_error: OnSourceError = "event"
    ) -> bool:
        """Start a producer that passes on the answer of another server; see ``AsyncHub.relay``."""
        source = sync_source(upstream)
        try:
            return self._call(self._hub._start(key, source, lease=lease, on_error=on_error))
        finally:
            if not source.is_taken:  # the hub was closed, or the call came from its own thread
                source.close()

    def publish(self, key: str, item: Any, *, event: str | None = None) -> str:
        """Append an item to a log, and return the id of its event; see ``AsyncHub.publish``."""
        return self._call(self._hub.publish(key, item, event=event))

    def finish(self, key: str) -> None:
        """End a log; see ``AsyncHub.finish``."""
        self._call(self._hub.finish(key))

    def stop(self, key: str) -> None:
        """Ask the producer of a log to end; see ``AsyncHub.stop``."""
        self._call(self._hub.stop(key))

    def status(self, key: str) -> Status:
        """Return the state of a log; see ``AsyncHub.status``."""
        return self._call(self._hub.status(key))

    def delete(self, key: str) -> None:
        """Remove a log; see ``AsyncHub.delete``."""
        self._call(self._hub.delete(key))

    def follow(self, key: str, *, last_event_id: str = "") -> Generator[ServerSentEvent, None, None]:
        """Yield the events of a log after an id, until the end; see ``AsyncHub.follow``."""
        follower = self._follower(key, last_event_id)
        try:
            while entries := follower.next():
                for entry in entries:
                    yield entry.event
        finally:
            follower.close()

    def stream(self, key: str, *, last_event_id: str = "", **options: Any) -> EventStream[EncodedEvent]:
        """Make an event stream of a log, for Django's ``StreamingHttpResponse`` or any other WSGI response.

        Args:
            key: the key of the log.
            last_event_id: the id of the last event that the client has.
            **options: those of ``ssejet.emit.EventStream``. ``heartbeat`` is 15 seconds by default.
        """
        return FollowStream(self._follower(key, last_event_id), **options)

    def response(self, key: str, request: Any, **options: Any) -> Response:
        """Make a response of Flask that sends the events of a log; see ``AsyncHub.response``.

        Args:
            key: the key of the log.
            request: the request.
            **options: those of ``ssejet.emit.flask.event_stream_response``.
        """
        from ssejet.hub._flask import follow_response

        return follow_response(self._follower(key, request.headers.get("Last-Event-ID") or ""), **options)

    def _follower(self, key: str, last_event_id: str) -> ThreadFollower:
        hub = self._hub
        return ThreadFollower(self._thread, lambda: hub._follower(key, last_event_id))

    def close(self) -> None:
        """End the producers, as ``shutdown`` says, the connections to Redis and the thread."""
        self._call(self._hub.aclose())
        self._thread.stop()
        self._thread = EventLoopThread()

    def __enter__(self) -> Self:
        self._call(self._hub.__aenter__())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        self._thread = EventLoopThread()
        self._hub = AsyncHub(self._url, **self._options)

    def _begin_in_child(self) -> None:
        # The event loops of both processes share what the kernel knows of their sockets. If the garbage
        # collector closed this process's copies of them, the parent would not hear of its own any more.
        _inherited.append((self._thread, self._hub))
        self._begin()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._thread.call(coroutine)


def _after_fork() -> None:
    for hub in tuple(_hubs):
        hub._begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

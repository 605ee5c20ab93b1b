"""The events of a log as an event stream, for responses of WSGI."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet.emit import EncodedEvent, EventStream
from ssejet.hub._entries import wire_of
from ssejet.hub._lease import ClosedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.hub._thread_follower import ThreadFollower

__all__ = ["FollowStream"]


class FollowStream(EventStream[EncodedEvent]):
    """The bytes of the events that a follower gets.

    Args:
        follower: the follower; it is closed with the stream.
        **options: those of ``EventStream``.
    """

    def __init__(self, follower: ThreadFollower, **options: Any) -> None:
        super().__init__(None, **{"heartbeat": 15.0, "on_error": "event", "done": None, **options})
        self._follower = follower

    def generate(self) -> Iterator[EncodedEvent]:
        try:
            with suppress(ClosedError):
                while entries := self._follower.next():
                    yield EncodedEvent(wire_of(entries))
        finally:
            self._follower.close()

    def interrupt(self) -> None:
        self._follower.interrupt()

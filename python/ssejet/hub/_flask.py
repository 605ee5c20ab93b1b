"""Sends a log as a response of Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from ssejet.emit.flask import event_stream_response
from ssejet.hub._follow_stream import FollowStream
from ssejet.hub._follower import OPENING_TIME

if TYPE_CHECKING:
    from ssejet.hub._thread_follower import ThreadFollower

__all__ = ["follow_response"]


def follow_response(
    follower: ThreadFollower, status: int = 200, headers: Any = None, **options: Any
) -> Response:
    """Make a response that sends the events of a log; its status is 204 if the client has everything."""
    try:
        follower.open(OPENING_TIME)
        if follower.has_everything:
            follower.close()
            nothing = Response(status=204, headers=headers)
            del nothing.headers["Content-Type"]
            return nothing
        stream = FollowStream(follower, **options)
        response = event_stream_response(stream, status, headers)
        # A client may leave before the first byte, so that the stream never begins.
        response.call_on_close(follower.close)
        return response
    except BaseException:
        follower.close()
        raise

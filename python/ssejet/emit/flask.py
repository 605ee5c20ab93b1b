"""Event streams as responses of Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from ssejet.emit._event_stream import EventStream
from ssejet.emit._headers import HEADERS
from ssejet.emit._items import DONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ssejet.emit._emit_machine import OnError

__all__ = ["event_stream_response"]


def event_stream_response(
    content: Iterable[Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    heartbeat: float | None = 15.0,
    on_error: OnError = "event",
    done: Any = DONE,
    dict_events: bool = False,
) -> Response:
    """Make a response that sends an event stream, and closes its source when the client leaves.

    ::

        @app.post("/chat")
        def chat() -> Response:
            return event_stream_response(answer(request.json))

    A WSGI server notices that a client has left when it writes to it: at the next event or heartbeat. A
    stream takes one thread of the server, and with heartbeats a second one, in which its source runs; wrap a
    generator in ``stream_with_context`` if it needs the request.

    Args:
        content: an ``EventStream``, a relay; or an iterable of items.
        status: the HTTP status.
        headers: the headers, with ``Cache-Control: no-cache`` and ``X-Accel-Buffering: no`` by default.
        heartbeat: see ``EventStream``; an event stream has its own options, which hold.
        on_error: see ``EventStream``.
        done: see ``EventStream``.
        dict_events: see ``EventStream``.
    """
    if not isinstance(content, EventStream):
        content = EventStream(
            content, heartbeat=heartbeat, on_error=on_error, done=done, dict_events=dict_events
        )
    response = Response(content, status, headers, mimetype="text/event-stream")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response

"""Sends event streams as responses of Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request

from ssejet._media_type import EVENT_STREAM
from ssejet.emit._browser_module import answer
from ssejet.emit._event_stream import event_stream_of
from ssejet.emit._headers import add_headers
from ssejet.emit._item_encoder import DONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ssejet.emit._emit_machine import OnError

__all__ = ["browser_module", "event_stream_response"]


def browser_module() -> Response:
    """Serve the JavaScript module, as a view.

    ::

        app.add_url_rule("/ssejet.js", view_func=browser_module)

    Browsers ask each time whether it has changed. They keep it without asking under a URL with this package's
    version, such as ``/ssejet.js?v=0.1.0``.
    """
    found = answer(if_none_match=request.headers.get("If-None-Match"), version=request.args.get("v"))
    return Response(found.body, found.status, found.headers)


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
    """Make a response that sends an event stream and closes its source when the client leaves.

    ::

        @app.post("/chat")
        def chat() -> Response:
            return event_stream_response(answer(request.json))

    A WSGI server notices that a client has left when it writes the next event or heartbeat. A stream takes
    one thread of the server. With heartbeats it takes a second thread, in which its source runs. If a
    generator needs the request, wrap it in ``stream_with_context``.

    Args:
        content: an ``EventStream``, a relay, or an iterable of items.
        status: the HTTP status.
        headers: the headers, with ``Cache-Control: no-cache`` and ``X-Accel-Buffering: no`` by default.
        heartbeat: see ``EventStream``. This option and those below have no effect on content that is an event
            stream, as that has its own.
        on_error: see ``EventStream``.
        done: see ``EventStream``.
        dict_events: see ``EventStream``.
    """
    stream = event_stream_of(
        content,
        heartbeat=heartbeat,
        on_error=on_error,
        done=done,
        dict_events=dict_events,
    )
    response = Response(stream, status, headers, mimetype=EVENT_STREAM)
    add_headers(response.headers)
    return response

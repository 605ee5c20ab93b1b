"""Replaces sse-starlette: change one import.

::

    from ssejet.emit.sse_starlette import EventSourceResponse, ServerSentEvent

The names that users import from ``sse_starlette`` and its ``sse`` and ``event`` are here. The arguments, the
bytes, the exceptions and the logger's name are those of sse-starlette 3.7. docs/sse-starlette.md lists the
differences.
"""

from __future__ import annotations

from ssejet.emit.sse_starlette.event import JSONServerSentEvent, ServerSentEvent, ensure_bytes
from ssejet.emit.sse_starlette.sse import AppStatus, EventSourceResponse, SendTimeoutError

__all__ = [
    "AppStatus",
    "EventSourceResponse",
    "JSONServerSentEvent",
    "SendTimeoutError",
    "ServerSentEvent",
    "ensure_bytes",
]

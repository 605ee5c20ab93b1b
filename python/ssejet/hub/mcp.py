"""The event store of the MCP Python SDK over a hub, so that clients of MCP can resume their streams."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote
from uuid import uuid4

try:
    from mcp.server.streamable_http import EventMessage, EventStore
    from mcp.types import jsonrpc_message_adapter
except ImportError as _error:
    _missing: ImportError | None = _error
    EventStore = object
else:
    _missing = None

from ssejet.hub._entries import EventId, Kind

if TYPE_CHECKING:
    from mcp.server.streamable_http import EventCallback
    from mcp.types import JSONRPCMessage

    from ssejet.hub._async_hub import AsyncHub

__all__ = ["MCPEventStore"]

# The SDK reserves the first event of a stream by an event without a message.
_PRIMING = "priming"

# How many frames above the store the SDK's transport is looked for.
_MAX_DEPTH = 6


class MCPEventStore(EventStore):  # type: ignore[misc]  # mypy may run without the SDK
    """Keeps the events of MCP's streams in a hub, each stream in a log of its own.

    ::

        hub = AsyncHub("redis://…")
        app = server.streamable_http_app(event_store=MCPEventStore(hub))

    An event's id names its stream, so that only this stream is replayed. The streams of different sessions
    have the same names in the SDK, as clients number their requests from zero. So a log belongs to a stream
    of one session, and a client that sends an id of another session gets nothing.

    Args:
        hub: keeps the logs.
        namespace: the first part of the logs' keys; by default a random one. The servers that serve the same
            sessions need the same.

    Raises:
        ImportError: the SDK is not installed.
    """

    def __init__(self, hub: AsyncHub, *, namespace: str | None = None) -> None:
        if _missing is not None:
            raise ImportError("an event store needs the MCP SDK: pip install 'mcp>=2'") from _missing
        self._hub = hub
        self._namespace = f"mcp-{uuid4().hex}" if namespace is None else namespace

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Append a message to its stream, and return the id of its event; see the SDK."""
        if message is None:
            data, event = "", _PRIMING
        else:
            data, event = message.model_dump_json(by_alias=True, exclude_unset=True), None
        id = await self._hub.publish(self._key(stream_id), data, event=event)
        return f"{id}.{quote(stream_id, safe='')}"

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send the messages of a stream after an event; see the SDK.

        Returns:
            The id of the stream; None for an id that this store does not know, or whose stream has lost
            messages after it, because then nothing can be resumed.
        """
        id, _, quoted = last_event_id.partition(".")
        stream_id = unquote(quoted)
        if EventId.parse(id) is None:
            return None
        entries = await self._hub._read(self._key(stream_id), id)
        if any(entry.kind is Kind.GAP for entry in entries):
            return None
        for entry in entries:
            event = entry.event
            if event.event != _PRIMING:
                message = jsonrpc_message_adapter.validate_json(event.data, by_name=False)
                await send_callback(EventMessage(message, f"{event.id}.{quote(stream_id, safe='')}"))
        return stream_id

    def _key(self, stream_id: str) -> str:
        session = sha256(_session_id().encode()).hexdigest()[:16]
        return f"{self._namespace}:{session}:{stream_id}"


def _session_id() -> str:
    """The id of the session whose transport calls the store: the SDK does not pass it."""
    frame = sys._getframe(1)
    for _ in range(_MAX_DEPTH):
        id = getattr(frame.f_locals.get("self"), "mcp_session_id", None)
        if id is not None:
            return str(id)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""

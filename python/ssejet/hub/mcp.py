"""The event store of the MCP Python SDK over a hub, so that clients of MCP can resume their streams."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from uuid import uuid4
from weakref import WeakValueDictionary

from ssejet.errors import HubError
from ssejet.hub._entries import EventId, Kind

_missing: ImportError | None = None

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
    from mcp.types import JSONRPCMessage, jsonrpc_message_adapter

    from ssejet.hub._async_hub import AsyncHub
else:
    try:
        from mcp.server.streamable_http import EventMessage, EventStore
        from mcp.types import jsonrpc_message_adapter
    except ImportError as _error:
        _missing = _error
        EventStore = object

__all__ = ["MCPEventStore", "MCPSessions"]

# The SDK reserves the first event of a stream by an event without a message.
_PRIMING = "priming"

_SESSION_HEADER = b"mcp-session-id"


class _Session:
    """A session of MCP.

    Attributes:
        name: the part of its logs' keys that no other session has.
    """

    def __init__(self) -> None:
        self.name = uuid4().hex


# The SDK serves a session in tasks that its first request starts, so they inherit that request's context.
_current: ContextVar[_Session] = ContextVar("ssejet.hub.mcp")

# By the SDK's session ids. The context of the session's tasks keeps it alive.
_sessions: WeakValueDictionary[str, _Session] = WeakValueDictionary()


class MCPSessions:
    """Tells an ``MCPEventStore`` to which session a request belongs, which the SDK does not. ASGI middleware.

    ::

        app = MCPSessions(server.streamable_http_app(event_store=MCPEventStore(hub)))

    ``app.add_middleware(MCPSessions)`` does the same.

    Args:
        app: the application that serves the SDK's streamable HTTP transport.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, as an ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = _header(scope["headers"])
        session = (_sessions.get(id) if id else None) or _Session()

        async def send_and_note(message: Any) -> None:
            if not id and message["type"] == "http.response.start":
                new_id = _header(message.get("headers", ()))
                if new_id:
                    _sessions[new_id] = session
            await send(message)

        token = _current.set(session)
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            _current.reset(token)


def _header(headers: Any) -> str:
    for name, value in headers:
        if name.lower() == _SESSION_HEADER:
            return str(value.decode("latin-1"))
    return ""


class MCPEventStore(EventStore):  # type: ignore[misc]  # mypy may run without the SDK
    """Keeps the events of MCP's streams in a hub, each stream in a log of its own.

    ::

        hub = AsyncHub("redis://…")
        app = MCPSessions(server.streamable_http_app(event_store=MCPEventStore(hub)))

    An event's id names its stream, so that only this stream is replayed. The streams of different sessions
    have the same names in the SDK, as clients number their requests from zero. So a log belongs to a stream
    of one session, and a client that sends an id of another session gets nothing. ``MCPSessions`` has to wrap
    the application, because the SDK does not tell the store which session it serves.

    Args:
        hub: keeps the logs.
        namespace: the first part of the logs' keys.

    Raises:
        ImportError: the SDK is not installed.
    """

    def __init__(self, hub: AsyncHub, *, namespace: str = "mcp") -> None:
        if _missing is not None:
            raise ImportError("an event store needs the MCP SDK: pip install 'mcp>=2'") from _missing
        self._hub = hub
        self._namespace = namespace

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Append a message to its stream, and return the id of its event. The SDK calls this.

        Args:
            stream_id: the SDK's name of the stream.
            message: the message; None for the event that opens a stream.

        Raises:
            HubError: ``MCPSessions`` does not wrap the application, or Redis does not answer.
        """
        if message is None:
            data, event = "", _PRIMING
        else:
            data, event = message.model_dump_json(by_alias=True, exclude_unset=True), None
        id = await self._hub.publish(self._key(stream_id), data, event=event)
        return f"{id}.{quote(stream_id, safe='')}"

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send the messages of a stream after an event. The SDK calls this.

        Args:
            last_event_id: the id of the last event that the client has.
            send_callback: sends a message.

        Raises:
            HubError: ``MCPSessions`` does not wrap the application, or Redis does not answer.

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
        session = _current.get(None)
        if session is None:
            raise HubError(
                "the event store does not know which session it serves: wrap the application in "
                "ssejet.hub.mcp.MCPSessions"
            )
        return f"{self._namespace}:{session.name}:{stream_id}"

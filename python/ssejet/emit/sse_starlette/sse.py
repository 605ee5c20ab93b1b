"""A response with the interface of sse-starlette's."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
from starlette.datastructures import MutableHeaders

from ssejet._media_type import EVENT_STREAM
from ssejet.emit._event_stream import AsyncEventStream, EventStream
from ssejet.emit._shutdown import stop_streams, stopped_by_server
from ssejet.emit.sse_starlette.event import JSONServerSentEvent, ServerSentEvent, ensure_bytes
from ssejet.emit.starlette import EventStreamResponse
from ssejet.emit.starlette._connection import ClientStalledError, wait_for_disconnect

if TYPE_CHECKING:
    from starlette.background import BackgroundTask
    from starlette.types import Message, Receive

    from ssejet.emit._emit_machine import EmitMachine
    from ssejet.emit.starlette._connection import ClientDisconnectError, Connection
    from ssejet.emit.starlette._graceful_stop import GracefulStop

__all__ = [
    "AppStatus",
    "EventSourceResponse",
    "JSONServerSentEvent",
    "SendTimeoutError",
    "ServerSentEvent",
    "ensure_bytes",
]


class SendTimeoutError(TimeoutError):
    """A client has not read for ``send_timeout`` seconds."""


class _AppStatusType(type):
    _should_exit = False

    @property
    def should_exit(cls) -> bool:
        """Whether all streams end. Set it to end those that are open and those that begin later."""
        return cls._should_exit

    @should_exit.setter
    def should_exit(cls, value: bool) -> None:
        cls._should_exit = value
        if value:
            stop_streams()


class AppStatus(metaclass=_AppStatusType):
    """Whether all streams end, and whether they end with the server."""

    enable_automatic_graceful_drain = True
    original_handler: Callable[..., Any] | None = None

    @staticmethod
    def disable_automatic_graceful_drain() -> None:
        """Keep streams open when the server stops, until ``should_exit`` is set."""
        AppStatus.enable_automatic_graceful_drain = False

    @staticmethod
    def enable_automatic_graceful_drain_mode() -> None:
        """End streams when the server stops, as by default."""
        AppStatus.enable_automatic_graceful_drain = True

    @staticmethod
    def handle_exit(*args: Any, **kwargs: Any) -> None:
        """Do what sse-starlette does at a signal to stop."""
        if AppStatus.enable_automatic_graceful_drain:
            AppStatus.should_exit = True
        if AppStatus.original_handler is not None:
            AppStatus.original_handler(*args, **kwargs)


class EventSourceResponse(EventStreamResponse):
    """Sends events as sse-starlette's response does.

    Args:
        content: an iterable of items, async or not: text, bytes that are an event already, dicts of the
            arguments of ``ServerSentEvent``, or such events; ``str()`` converts anything else.
        status_code: as for other responses.
        headers: as for other responses.
        media_type: as for other responses.
        background: as for other responses.
        ping: the seconds of silence after which a ping is sent; 0 for none.
        sep: the end of each line: CRLF, CR or LF.
        ping_message_factory: makes a ping.
        data_sender_callable: runs while the response is sent.
        send_timeout: the seconds that the client may take to make room for an event or a ping.
        client_close_handler_callable: called with the message when the client has left.
        shutdown_event: set when the server is told to stop.
        shutdown_grace_period: the seconds that the source may go on after that.
        cleanup_timeout: the seconds that the source may take to clean up, None for no limit.

    Raises:
        TypeError, ValueError: an argument has a value that makes no sense.
    """

    DEFAULT_PING_INTERVAL = 15
    DEFAULT_SEPARATOR = "\r\n"
    DEFAULT_CLEANUP_TIMEOUT = 30.0

    _logger = logging.getLogger("sse_starlette.sse")

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = EVENT_STREAM,
        background: BackgroundTask | None = None,
        ping: float | None = None,
        sep: str | None = None,
        ping_message_factory: Callable[[], Any] | None = None,
        data_sender_callable: Callable[[], Awaitable[None]] | None = None,
        send_timeout: float | None = None,
        client_close_handler_callable: Callable[[Message], Awaitable[None]] | None = None,
        shutdown_event: anyio.Event | None = None,
        shutdown_grace_period: float = 0,
        cleanup_timeout: float | None = DEFAULT_CLEANUP_TIMEOUT,
    ) -> None:
        if sep not in (None, "\r\n", "\r", "\n"):
            raise ValueError(f"sep must be one of: \\r\\n, \\r, \\n, got: {sep}")
        if shutdown_grace_period < 0:
            raise ValueError("shutdown_grace_period must be >= 0")
        if cleanup_timeout is not None and cleanup_timeout < 0:
            raise ValueError("cleanup_timeout must be >= 0")
        self.sep = sep or self.DEFAULT_SEPARATOR
        self.ping_interval = self.DEFAULT_PING_INTERVAL if ping is None else ping
        self.ping_message_factory = ping_message_factory
        self.data_sender_callable = data_sender_callable
        self.client_close_handler_callable = client_close_handler_callable
        self.active: bool = True
        self._shutdown_event = shutdown_event
        self._shutdown_grace_period = shutdown_grace_period
        self._exits = False
        self._stop_source: Callable[[], None] | None = None
        if media_type is not None:
            self.media_type = media_type
        all_headers = MutableHeaders()
        all_headers.update(headers or {})
        all_headers.setdefault("Cache-Control", "no-store")
        all_headers["Connection"] = "keep-alive"
        all_headers["X-Accel-Buffering"] = "no"
        events = (_AsyncEvents if isinstance(content, AsyncIterable) else _Events)(content, self)
        super().__init__(
            events,
            status_code,
            all_headers,
            background,
            send_timeout=send_timeout,
            start_at_once=True,
        )
        self._cleanup_time = cleanup_timeout

    @property
    def ping_interval(self) -> int | float:
        """The seconds of silence after which a ping is sent; 0 for none."""
        return self._ping_interval

    @ping_interval.setter
    def ping_interval(self, value: float) -> None:
        if not isinstance(value, (int, float)):
            raise TypeError("ping interval must be int or float")
        if value < 0:
            raise ValueError("ping interval must be >= 0 (0 disables ping)")
        self._ping_interval = value

    def enable_compression(self, force: bool = False) -> None:
        """Raise an error, because event streams are not compressed.

        Args:
            force: ignored.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("Compression is not supported for SSE streams.")

    @staticmethod
    async def _listen_for_exit_signal() -> None:
        exits = anyio.Event()

        def look() -> None:
            if AppStatus.should_exit or AppStatus.enable_automatic_graceful_drain:
                exits.set()

        with stopped_by_server(look):
            if not AppStatus.should_exit:
                await exits.wait()

    async def _respond(self, connection: Connection, machine: EmitMachine | None, stop: GracefulStop) -> None:
        # The other tasks begin first, so that no signal to exit is missed.
        await anyio.lowlevel.checkpoint()
        await super()._respond(connection, machine, stop)

    def _side_tasks(self) -> Iterator[Callable[[], Awaitable[None]]]:
        if self.data_sender_callable is not None:
            yield self._send_data
        yield self._obey_exit_signal

    async def _send_data(self) -> None:
        assert self.data_sender_callable is not None
        await self.data_sender_callable()
        await anyio.sleep_forever()

    async def _obey_exit_signal(self) -> None:
        await self._listen_for_exit_signal()
        self._exits = True
        if self._stop_source is not None:
            self._stop_source()
        await anyio.sleep_forever()

    @contextmanager
    def _stopped_by_server(self, stop: Callable[[], None]) -> Iterator[None]:
        self._stop_source = stop
        if self._exits:
            stop()
        try:
            yield
        finally:
            self._stop_source = None
            self.active = False

    def _grace(self) -> float:
        if self._shutdown_event is not None:
            self._shutdown_event.set()
        return self._shutdown_grace_period

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        message = await wait_for_disconnect(receive)
        self.active = False
        if self.client_close_handler_callable is not None:
            await self.client_close_handler_callable(message)

    def _on_disconnect(self, error: ClientDisconnectError) -> None:
        if isinstance(error, ClientStalledError):
            raise SendTimeoutError from None
        if error.__cause__ is not None:
            raise error.__cause__


class _Codec:
    """Encodes the items of a response as sse-starlette does."""

    between_events = True

    def __init__(self, response: EventSourceResponse) -> None:
        self._response = response

    def feed(self, item: Any) -> tuple[bytes]:
        return (self.encode(item),)

    def finish(self) -> tuple[()]:
        return ()

    def encode(self, item: Any) -> bytes:
        return ensure_bytes(item, self._response.sep)

    def heartbeat(self) -> bytes:
        make = self._response.ping_message_factory
        if make is None:
            return self.encode({"comment": f"ping - {datetime.now(timezone.utc)}"})
        return self.encode(make())


class _EventsOfResponse:
    """The options of the stream of a response, which may change while it is sent."""

    def __init__(self, content: Any, response: EventSourceResponse) -> None:
        super().__init__(done=None)  # type: ignore[call-arg]
        # __init__ would check it now, but sse-starlette raises its error when the response is sent.
        self._items = content
        self._response = response

    @property
    def heartbeat(self) -> float | None:
        return self._response.ping_interval or None

    def _codec(self) -> _Codec:
        return _Codec(self._response)


class _Events(_EventsOfResponse, EventStream[Any]):
    pass


class _AsyncEvents(_EventsOfResponse, AsyncEventStream[Any]):
    pass

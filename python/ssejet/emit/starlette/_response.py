"""A response of Starlette that sends an event stream."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from ssejet._http.deadlines import check_seconds
from ssejet._media_type import EVENT_STREAM
from ssejet.emit._event_stream import AsyncEventStream, EventStream, any_event_stream_of
from ssejet.emit._headers import add_headers
from ssejet.emit._item_encoder import DONE
from ssejet.emit._shutdown import stopped_by_server
from ssejet.emit._threaded_source import ThreadedSource
from ssejet.emit.starlette._connection import (
    ClientDisconnectError,
    ClientStalledError,
    Connection,
    deny_websocket,
    wait_for_disconnect,
)
from ssejet.emit.starlette._graceful_stop import GracefulStop, ResponseTasks, Stage
from ssejet.emit.starlette._source import WatchedSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from starlette.background import BackgroundTask
    from starlette.types import Receive, Scope, Send

    from ssejet.emit._emit_machine import EmitMachine, OnError

__all__ = ["EventStreamResponse"]

# How many seconds a source may take to clean up when its client has left or the server stops.
_CLEANUP_TIME = 5.0

_CLEANUP_FAILED = "the source %s of a stream failed to clean up"


class EventStreamResponse(StreamingResponse):
    """Sends an event stream, and stops its source when the client leaves.

    ::

        @app.post("/chat")
        async def chat(request: Request) -> EventStreamResponse:
            return EventStreamResponse(answer(request))

    An async source runs in the task of the response. It makes an item when the item before has been sent, so
    a slow client slows it down. When the client leaves, the source is cancelled if it waits, and closed if it
    does not. Clean-up that awaits must be shielded, as always with anyio.

    Any other source runs in a thread of its own. A relay can be cancelled while it waits;
    any other such source is closed after its wait.

    The response begins with the first item or heartbeat. If the source raises an ``HTTPException`` before
    that, the client gets the status of the exception.

    When the server is told to stop, the source is ended as if the client had left, and the response is
    completed within a second. A longer clean-up may go on after that: for five seconds in all, or for one if
    a thread is making an item. Then it is cut short with a warning in the log, even if it is shielded, on
    asyncio and trio. ``ssejet.emit._shutdown`` describes how a stop is noticed; for servers that it does not
    know, call ``stop_streams``.

    Args:
        content: an ``AsyncEventStream``, an ``EventStream``, a relay; or an iterable of items, async or not.
        status_code: as for other responses.
        headers: as for other responses. They can replace the headers that are added: ``Cache-Control:
            no-cache`` and ``X-Accel-Buffering: no``.
        background: as for other responses.
        heartbeat: the seconds of silence after which a comment is sent; see ``EventStream``. This and the
            next three have no effect if the content is an event stream, which has options of its own.
        on_error: what happens when the source raises; see ``EventStream``.
        done: the last item; see ``EventStream``.
        dict_events: whether dicts with the keys of events are events; see ``EventStream``.
        send_timeout: the seconds that the client may take to make room for an event or a heartbeat. If it
            takes longer, it has stopped reading, and the source is closed as if the client had left. None for
            no limit.
        on_shutdown: the last item if the server is told to stop, None for none. It is sent within a second,
            on asyncio and trio, unless the client does not read or a relay stands within an event.
        start_at_once: begin the response without waiting for an item, so that the client learns at once that
            it is connected. An ``HTTPException`` is then an error like any other.

    Raises:
        ValueError: an option has a value that makes no sense.
    """

    media_type = EVENT_STREAM

    _logger = logging.getLogger("ssejet.emit")

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
        *,
        heartbeat: float | None = 15.0,
        on_error: OnError = "event",
        done: Any = DONE,
        dict_events: bool = False,
        send_timeout: float | None = None,
        on_shutdown: Any = None,
        start_at_once: bool = False,
    ) -> None:
        check_seconds(send_timeout=send_timeout)
        stream = any_event_stream_of(
            content, heartbeat=heartbeat, on_error=on_error, done=done, dict_events=dict_events
        )
        super().__init__(stream, status_code, headers, background=background)
        self._stream = ThreadedSource(stream) if isinstance(stream, EventStream) else stream
        self.send_timeout = send_timeout
        self._on_shutdown = on_shutdown
        self._start_at_once = start_at_once
        self._cleanup_time: float | None = _CLEANUP_TIME
        add_headers(self.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application."""
        is_websocket = scope["type"] == "websocket"
        # The response to a HEAD request has headers and no body.
        has_body = is_websocket or scope["method"].upper() != "HEAD"
        machine = self._stream.machine()
        machine.refusals = () if self._start_at_once else (HTTPException,)
        connection = Connection(
            deny_websocket(send) if is_websocket else send,
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers},
            heartbeat=self._stream.heartbeat if has_body else None,
            send_timeout=self.send_timeout,
        )
        tasks = ResponseTasks()
        stop = GracefulStop(
            tasks,
            connection,
            machine if has_body else None,
            last=self._on_shutdown,
            grace=self._grace,
            cleanup_time=self._cleanup_time,
            is_making_item=lambda: isinstance(self._stream, ThreadedSource) and self._stream.is_making_item,
            warn=self._warn_of_cleanup,
        )
        try:
            await tasks.run(
                partial(self._respond, connection, machine if has_body else None, stop),
                # A client that has asked for a websocket sends nothing until it is answered.
                *([] if is_websocket else [partial(self._wait_for_disconnect, receive)]),
                *([partial(connection.watch, machine)] if connection.needs_watch else []),
                *(self._side_tasks() if has_body else []),
            )
        except ClientDisconnectError as error:
            self._on_disconnect(error)
        if self.background is not None:
            await self.background()

    async def _respond(self, connection: Connection, machine: EmitMachine | None, stop: GracefulStop) -> None:
        with self._stopped_by_server(stop), stop:
            try:
                if machine is None:
                    await connection.finish()
                else:
                    await self._send_items(connection, machine, stop)
            finally:
                await self._close(self._stream, stop)

    async def _send_items(self, connection: Connection, machine: EmitMachine, stop: GracefulStop) -> None:
        if self._start_at_once:
            await connection.begin()
        items = WatchedSource(self._stream.open())
        with stop.scope:
            try:
                await connection.stream(machine, items, machine.start())
            except ClientDisconnectError:
                raise
            except Exception:
                if stop.stage is not Stage.CLOSING:
                    raise
                self._logger.exception(_CLEANUP_FAILED, self._stream.name)
            finally:
                await self._close(items, stop)
                stop.source_is_closed()
            if stop.stage is Stage.RUNNING:
                await connection.finish()

    async def _close(
        self, source: WatchedSource | AsyncEventStream[Any] | ThreadedSource, stop: GracefulStop
    ) -> None:
        # When the server stops, GracefulStop limits the time.
        limit = self._cleanup_time if stop.stage is Stage.RUNNING else None
        with anyio.move_on_after(limit, shield=True) as cleanup:
            stop.cleanup_runs_in(cleanup)
            try:
                await source.aclose()
            except Exception:
                self._logger.exception(_CLEANUP_FAILED, self._stream.name)
        if cleanup.cancel_called and limit is not None:
            self._warn_of_cleanup(limit)

    def _warn_of_cleanup(self, seconds: float) -> None:
        self._logger.warning(
            "the cleanup of the source %s of a stream was cut short after %.1f s", self._stream.name, seconds
        )

    # The response for sse-starlette's users overrides these.

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        await wait_for_disconnect(receive)

    def _side_tasks(self) -> Iterable[Callable[[], Awaitable[None]]]:
        return ()

    def _on_disconnect(self, error: ClientDisconnectError) -> None:
        if isinstance(error, ClientStalledError):
            self._logger.warning(
                "a client has not read for %s seconds: its stream is closed", self.send_timeout
            )

    def _stopped_by_server(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        return stopped_by_server(stop)

    def _grace(self) -> float:
        """The seconds for which the source goes on when the server stops."""
        return 0.0

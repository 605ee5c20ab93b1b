"""The response that sends an event stream."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from ssejet.emit._event_stream import AsyncEventStream, EventStream
from ssejet.emit._headers import HEADERS
from ssejet.emit._items import DONE
from ssejet.emit._shutdown import stopped_by_server
from ssejet.emit.starlette._connection import Connection, DepartureError, FrozenError, denial
from ssejet.emit.starlette._ending import Companions, Ending, Stage
from ssejet.emit.starlette._source import ThreadedSource, WatchedSource

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from starlette.background import BackgroundTask
    from starlette.types import Receive, Scope, Send

    from ssejet.emit._emit_machine import EmitMachine, OnError

__all__ = ["EventStreamResponse"]

# How long a source may take to clean up when its client has left or the server stops, in seconds.
_CLEANUP_TIME = 5.0

_CLEANUP_FAILED = "the source %s of a stream failed to clean up"


class EventStreamResponse(StreamingResponse):
    """Sends an event stream, and stops its source when the client leaves.

    ::

        @app.post("/chat")
        async def chat(request: Request) -> EventStreamResponse:
            return EventStreamResponse(answer(request))

    The source runs in the task of the response. When the client leaves, it is cancelled where it waits, or
    closed where it stands, at once and in that task; cleanup that awaits must then be shielded, as always
    with anyio. It is asked for an item when the one before has been written, so that a slow client slows it
    down.

    A source that is not async runs in a thread of its own. Where it waits it cannot be cancelled, unless it
    is a relay: it is closed when its wait is over.

    The response begins with the first item, or the first heartbeat. An ``HTTPException`` that the source
    raises before is answered with its status, as one that the endpoint raises.

    When the server is told to stop, the source is ended as if the client had left, and the response is
    completed within a second. A clean-up that takes longer goes on after that, for five seconds in all, or
    for one if a thread is in the middle of an item. Then it is cut short, with a warning in the log, even if
    it is shielded; trio cannot do that, and waits. See ``ssejet.emit._shutdown`` for how a stop is noticed,
    and ``stop_streams`` for other servers.

    Args:
        content: an ``AsyncEventStream``, an ``EventStream``, a relay; or an iterable of items, async or not.
        status_code, headers, background: as for other responses. ``Cache-Control: no-cache`` and
            ``X-Accel-Buffering: no`` are sent unless ``headers`` has its own.
        heartbeat, on_error, done, dict_events: see ``EventStream``. An event stream has its own options,
            which hold.
        send_timeout: the seconds that the client may take to make room for an event or a heartbeat. One that
            takes longer has stopped to read: the source is closed as if it had left. None for no limit.
        on_shutdown: the last item if the server is told to stop, None for none.
        start_at_once: begin the response without waiting for an item. The client learns at once that it is
            connected; an ``HTTPException`` is then an error like any other.

    Raises:
        ValueError: an option has a value that makes no sense.
    """

    media_type = "text/event-stream"

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
        if send_timeout is not None and not send_timeout > 0:
            raise ValueError(
                f"send_timeout must be a positive number of seconds, or None; got {send_timeout!r}"
            )
        if not isinstance(content, (AsyncEventStream, EventStream)):
            kind: Callable[..., AsyncEventStream[Any] | EventStream[Any]] = (
                AsyncEventStream if isinstance(content, AsyncIterable) else EventStream
            )
            content = kind(
                content, heartbeat=heartbeat, on_error=on_error, done=done, dict_events=dict_events
            )
        super().__init__(content, status_code, headers, background=background)
        self._stream = ThreadedSource(content) if isinstance(content, EventStream) else content
        self.send_timeout = send_timeout
        self._on_shutdown = on_shutdown
        self._start_at_once = start_at_once
        self._cleanup_time: float | None = _CLEANUP_TIME
        for name, value in HEADERS.items():
            self.headers.setdefault(name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application."""
        is_websocket = scope["type"] == "websocket"
        # A HEAD request has the headers of a GET request, and nobody to stream to.
        has_body = is_websocket or scope["method"].upper() != "HEAD"
        machine = self._stream.machine()
        machine.refusals = () if self._start_at_once else (HTTPException,)
        connection = Connection(
            denial(send) if is_websocket else send,
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers},
            heartbeat=self._stream.heartbeat if has_body else None,
            send_timeout=self.send_timeout,
        )
        companions = Companions()
        ending = Ending(
            companions,
            connection,
            machine if has_body else None,
            last=self._on_shutdown,
            grace=self._grace,
            cleanup_time=self._cleanup_time,
            makes_item=lambda: isinstance(self._stream, ThreadedSource) and self._stream.makes_item,
            warn=self._warn_of_cleanup,
        )
        try:
            await companions.run(
                partial(self._respond, connection, machine if has_body else None, ending),
                # A client that has asked for a websocket sends nothing until it is answered.
                *([] if is_websocket else [partial(self._departure, receive)]),
                *([partial(connection.watch, machine)] if connection.needs_watch else []),
                *(self._companions() if has_body else []),
            )
        except DepartureError as departure:
            self._depart(departure)
        if self.background is not None:
            await self.background()

    async def _respond(self, connection: Connection, machine: EmitMachine | None, ending: Ending) -> None:
        with self._stoppable(ending), ending:
            try:
                if machine is None:
                    await connection.finish()
                else:
                    await self._send_items(connection, machine, ending)
            finally:
                await self._close(self._stream, ending)

    async def _send_items(self, connection: Connection, machine: EmitMachine, ending: Ending) -> None:
        if self._start_at_once:
            await connection.begin()
        items = WatchedSource(self._stream.open())
        with ending.scope:
            try:
                await connection.stream(machine, items, machine.start())
            except DepartureError:
                raise
            except Exception:
                if ending.stage is not Stage.CLOSING:
                    raise
                self._logger.exception(_CLEANUP_FAILED, self._stream.name)
            finally:
                await self._close(items, ending)
                ending.source_is_closed()
            if ending.stage is Stage.RUNNING:
                await connection.finish()

    async def _close(
        self, source: WatchedSource | AsyncEventStream[Any] | ThreadedSource, ending: Ending
    ) -> None:
        # A server that stops has a bound for all that is left to do.
        limit = self._cleanup_time if ending.stage is Stage.RUNNING else None
        with anyio.move_on_after(limit, shield=True) as cleanup:
            ending.cleanup_runs_in(cleanup)
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

    # What the response of another package, on the same base, does otherwise.

    async def _departure(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    def _companions(self) -> Iterable[Callable[[], Awaitable[None]]]:
        return ()

    def _depart(self, departure: DepartureError) -> None:
        if isinstance(departure, FrozenError):
            self._logger.warning("a client that has not read for %s seconds is given up", self.send_timeout)

    def _stoppable(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        return stopped_by_server(stop)

    def _grace(self) -> float:
        """The seconds for which the source goes on when the server stops."""
        return 0.0

"""Event streams as responses of Starlette and FastAPI."""

from __future__ import annotations

import logging
import threading
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from ssejet.emit.headers import HEADERS
from ssejet.emit.items import DONE
from ssejet.emit.pump import aclose, close
from ssejet.emit.shutdown import stop_streams, stopped_by_server
from ssejet.emit.stream import AsyncEventStream, EventStream

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from starlette.background import BackgroundTask
    from starlette.types import Message, Receive, Scope, Send

    from ssejet.emit.machine import EmitMachine, OnError

__all__ = ["EventStreamResponse", "stop_streams"]

# How long a source may take to clean up when its client has left, in seconds.
_CLEANUP_TIME = 5.0

# How long a source may keep the event loop, in seconds: one that never waits, and one that has waited.
_TURN = 0.001
_LONGEST_TURN = 0.02

# How long the last event may take when the server stops, in seconds.
_FAREWELL_TIME = 0.5

_END = object()


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

    A source that is not async runs in worker threads. Where it waits it cannot be cancelled, unless it is a
    relay: it is closed when its wait is over.

    The response begins with the first item, or the first heartbeat. An ``HTTPException`` that the source
    raises before is answered with its status, as one that the endpoint raises.

    When the server is told to stop, the source is ended as if the client had left, and the response is
    completed; see ``ssejet.emit.shutdown`` for how that is noticed, and ``stop_streams`` for other servers.

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
        self._stream = _InThreads(content) if isinstance(content, EventStream) else content
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
        connection = _Connection(
            _denial(send) if is_websocket else send,
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers},
            heartbeat=self._stream.heartbeat if has_body else None,
            send_timeout=self.send_timeout,
        )
        try:
            await _until_one_ends(
                partial(self._respond, connection, machine if has_body else None),
                # A client that has asked for a websocket sends nothing until it is answered.
                *([] if is_websocket else [partial(self._departure, receive)]),
                *([partial(connection.watch, machine)] if connection.needs_watch else []),
                *(self._companions() if has_body else []),
            )
        except _DepartureError as departure:
            self._depart(departure)
        finally:
            await self._close(self._stream)
        if self.background is not None:
            await self.background()

    async def _respond(self, connection: _Connection, machine: EmitMachine | None) -> None:
        if machine is not None:
            if self._start_at_once:
                await connection.begin()
            items = _Source(self._stream.open())
            stop = _Stop(self._stop)
            with stop.scope, self._stoppable(stop):
                try:
                    await connection.stream(machine, items, machine.start())
                finally:
                    # A thread may be in the middle of something. It is waited for after the response.
                    if not isinstance(self._stream, _InThreads):
                        await self._close(items)
                await connection.finish()
            if stop.scope.cancelled_caught:
                await self._say_farewell(connection, machine, items)
        else:
            await connection.finish()

    async def _say_farewell(self, connection: _Connection, machine: EmitMachine, items: _Source) -> None:
        with anyio.move_on_after(_FAREWELL_TIME):
            if not connection.is_finishing:
                await connection.stream(machine, items, machine.stop(self._on_shutdown))
                await connection.finish()
                return
        raise _DepartureError  # The client does not read, and the server does not wait for it.

    # What the response of another package, on the same base, does otherwise.

    async def _departure(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    def _companions(self) -> Iterable[Callable[[], Awaitable[None]]]:
        return ()

    def _depart(self, departure: _DepartureError) -> None:
        if isinstance(departure, _FrozenError):
            self._logger.warning("a client that has not read for %s seconds is given up", self.send_timeout)

    def _stoppable(self, stop: _Stop) -> AbstractContextManager[None]:
        return stopped_by_server(stop)

    def _stop(self, scope: anyio.CancelScope) -> None:
        scope.cancel()

    async def _close(self, source: _Source | AsyncEventStream[Any] | _InThreads) -> None:
        with anyio.move_on_after(self._cleanup_time, shield=True) as cleanup:
            try:
                await source.aclose()
            except Exception:
                self._logger.exception("the source of a stream failed to clean up")
        if cleanup.cancel_called:
            self._logger.warning(
                "the cleanup of a stream's source was cut short after %s s", self._cleanup_time
            )


class _DepartureError(Exception):
    """The client has left."""


class _FrozenError(_DepartureError):
    """The client has stopped to read."""


class _Stop:
    """Ends what runs in a scope, when it is called."""

    def __init__(self, stop: Callable[[anyio.CancelScope], None]) -> None:
        self.scope = anyio.CancelScope()
        self.called = False
        self._stop = stop

    def __call__(self) -> None:
        if not self.called:
            self.called = True
            self._stop(self.scope)


def _denial(send: Send) -> Send:
    """Send a response to a request for a websocket, which it denies."""

    async def send_denial(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return send_denial


async def _until_one_ends(
    first: Callable[[], Awaitable[None]], *others: Callable[[], Awaitable[None]]
) -> None:
    """Run all, the first of them in this task; when one ends, cancel the others and raise what it raised."""
    errors: list[Exception] = []

    async def run(function: Callable[[], Awaitable[None]]) -> None:
        try:
            await function()
        except Exception as error:  # out of the task group, which would wrap it
            errors.append(error)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for function in others:
            tasks.start_soon(run, function)
        await run(first)
    if errors:
        raise errors[0]


class _Connection:
    """Sends pieces one after the other, and heartbeats when there is no piece.

    Args:
        send: sends a message.
        start: the message that begins the response. It is sent before the first piece.
        heartbeat: the seconds of silence after which a heartbeat is sent; None for never.
        send_timeout: the seconds that sending may take; None for no limit.

    Attributes:
        is_finishing: the last message is being sent, or was.
    """

    def __init__(
        self, send: Send, start: Message, *, heartbeat: float | None, send_timeout: float | None
    ) -> None:
        self.is_finishing = False
        self._send = send
        self._start: Message | None = start
        self._heartbeat = heartbeat
        self._send_timeout = send_timeout
        self._last = self._turn = monotonic()
        self._turn_length = _TURN
        self._sending_since: float | None = None
        self._beaten: anyio.Event | None = None

    @property
    def needs_watch(self) -> bool:
        return self._heartbeat is not None or self._send_timeout is not None

    async def begin(self) -> None:
        """Begin the response, unless that is done.

        Raises:
            _DepartureError: the client has left.
        """
        if self._start is not None:
            message, self._start = self._start, None
            self._sending_since = monotonic()
            await self._write(message)
            self._sending_since = None

    async def stream(self, machine: EmitMachine, items: _Source, pieces: Iterable[bytes]) -> None:
        """Send these pieces, and then what the machine makes of the items, when the client can take it.

        This is the driver of most streams: it awaits nothing but the source and the server.

        Raises:
            _DepartureError: the client has left.
        """
        send = self._send
        while True:
            for piece in pieces:
                if self._start is not None or self._beaten is not None:
                    await self._get_ready()
                began = self._sending_since = monotonic()
                try:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                except OSError as error:
                    raise _DepartureError from error
                now = self._last = monotonic()
                self._sending_since = None
                if now - self._turn > self._turn_length:
                    await self._give_turn(items, sent_for=now - began)
            if machine.ended:
                return
            try:
                item = await (items if items.is_watched else items.unwatched).__anext__()
            except StopAsyncIteration:
                pieces = machine.finish()
            except Exception as error:
                pieces = machine.fail(error)
            else:
                pieces = machine.feed(item)

    async def finish(self) -> None:
        """Complete the response.

        Raises:
            _DepartureError: the client has left.
        """
        if self._beaten is not None:
            await self._beaten.wait()
        self._sending_since = monotonic()
        await self.begin()
        self.is_finishing = True
        await self._write({"type": "http.response.body", "body": b"", "more_body": False})

    async def watch(self, machine: EmitMachine) -> None:
        """Send a heartbeat whenever nothing was sent for long, and look after the client.

        One timer does both, so that a piece costs no timer of its own.

        Raises:
            _FrozenError: the client has stopped to read.
            _DepartureError: the client has left.
        """
        silence = inf if self._heartbeat is None else self._heartbeat
        timeout = inf if self._send_timeout is None else self._send_timeout
        while True:
            now = monotonic()
            if self._sending_since is not None:
                if now >= self._sending_since + timeout:
                    raise _FrozenError
                # A client that is slow to take a piece is not sent heartbeats.
                wake = min(self._sending_since + timeout, now + silence)
            elif now >= self._last + silence:
                await self._beat(machine)
                continue
            else:
                wake = min(self._last + silence, now + timeout)
            await anyio.sleep(wake - now)

    async def _beat(self, machine: EmitMachine) -> None:
        self._last = monotonic()
        self._beaten = anyio.Event()
        with anyio.move_on_after(self._send_timeout) as sending:
            for piece in machine.heartbeat():
                await self.begin()
                await self._write({"type": "http.response.body", "body": piece, "more_body": True})
        if sending.cancelled_caught:
            raise _FrozenError
        self._beaten.set()
        self._beaten = None

    async def _get_ready(self) -> None:
        if self._beaten is not None:
            await self._beaten.wait()
        await self.begin()

    async def _write(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            raise _DepartureError from error
        self._last = monotonic()

    async def _give_turn(self, source: _Source, *, sent_for: float) -> None:
        """Let other tasks run, if the source does not wait and so keeps them from it."""
        if sent_for > _TURN:
            # The client was waited for. It may have left, and then no other item is made.
            await anyio.lowlevel.checkpoint()
        elif not source.is_watched:
            source.watch()
            return
        elif source.waited:
            # It is likely to wait again, and watching has its cost.
            self._turn_length = min(2 * self._turn_length, _LONGEST_TURN)
        else:
            self._turn_length = _TURN
            await anyio.lowlevel.checkpoint()
        source.is_watched = False
        self._turn = monotonic()


class _Source:
    """An async iterator that can be watched: whether it waits for an item, so that others have their turn.

    Attributes:
        unwatched: the iterator.
        is_watched: the source is watched.
        waited: it has waited since.
    """

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self.unwatched = items
        self.is_watched = self.waited = False
        self._step: Any = None

    def watch(self) -> None:
        """Watch the source from now on, at some cost."""
        self.is_watched = True
        self.waited = False

    def __anext__(self) -> Awaitable[Any]:
        self._step = self.unwatched.__anext__().__await__()
        return self

    async def aclose(self) -> None:
        await aclose(self.unwatched)

    # While it is watched, it is its own awaitable, which passes on what goes into a step and comes out of it.

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        trap = next(self._step)
        self.waited = True
        return trap

    def send(self, value: Any) -> Any:
        trap = self._step.send(value)
        self.waited = True
        return trap

    def throw(self, *error: Any) -> Any:
        return self._step.throw(*error)

    def close(self) -> None:
        self._step.close()


class _InThreads:
    """Has the items of an ``EventStream`` made in worker threads, behind the interface of an async one."""

    def __init__(self, stream: EventStream[Any]) -> None:
        self.machine = stream.machine
        self._stream = stream
        self._items: Iterator[Any] | None = None
        # A call for an item goes on when it is cancelled, and no generator can be closed meanwhile.
        self._lock = threading.Lock()
        # One of its own, as of the shared one forty streams that wait would leave nothing to others.
        self._limiter = anyio.CapacityLimiter(2)

    @property
    def heartbeat(self) -> float | None:
        return self._stream.heartbeat

    def open(self) -> AsyncIterator[Any]:
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            item = await self._run(self._next)
        except anyio.get_cancelled_exc_class():
            self._stream.interrupt()
            raise
        if item is _END:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        await self._run(self._close)

    async def _run(self, function: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._limiter)

    def _next(self) -> Any:
        with self._lock:
            if self._items is None:
                self._items = self._stream.open()
            return next(self._items, _END)

    def _close(self) -> None:
        with self._lock:
            close(self._items)
            self._stream.close()

"""Event streams as responses of Starlette and FastAPI."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.responses import StreamingResponse

from ssejet.emit.headers import HEADERS
from ssejet.emit.items import DONE
from ssejet.emit.pump import close
from ssejet.emit.stream import AsyncEventStream, EventStream, adrive

if TYPE_CHECKING:
    from starlette.background import BackgroundTask
    from starlette.types import Message, Receive, Scope, Send

    from ssejet.emit.machine import EmitMachine, OnError

__all__ = ["EventStreamResponse"]

# How long a source may take to clean up when its client has left, in seconds.
_CLEANUP_TIME = 5.0

# How long a source that never waits may keep the event loop to itself, in seconds.
_TURN = 0.001

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

    Args:
        content: an ``AsyncEventStream``, an ``EventStream``, a relay; or an iterable of items, async or not.
        status_code, headers, background: as for other responses. ``Cache-Control: no-cache`` and
            ``X-Accel-Buffering: no`` are sent unless ``headers`` has its own.
        heartbeat, on_error, done: see ``EventStream``. An event stream has its own options, which hold.
    """

    media_type = "text/event-stream"

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
    ) -> None:
        if not isinstance(content, (AsyncEventStream, EventStream)):
            kind = AsyncEventStream if isinstance(content, AsyncIterable) else EventStream
            content = kind(content, heartbeat=heartbeat, on_error=on_error, done=done)
        super().__init__(content, status_code, headers, background=background)
        self._stream = _InThreads(content) if isinstance(content, EventStream) else content
        for name, value in HEADERS.items():
            self.headers.setdefault(name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application."""
        connection = _Connection(send)
        machine = self._stream.machine()
        # A HEAD request has the headers of a GET request, and nobody to stream to.
        has_body = scope["method"] != "HEAD"
        try:
            await _until_one_ends(
                partial(self._respond, connection, machine if has_body else None),
                partial(_departure, receive),
                partial(connection.beat, machine, self._stream.heartbeat if has_body else None),
            )
        except _DepartureError:
            pass
        finally:
            with anyio.move_on_after(_CLEANUP_TIME, shield=True):
                await self._stream.aclose()
        if self.background is not None:
            await self.background()

    async def _respond(self, connection: _Connection, machine: EmitMachine | None) -> None:
        await connection.send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        if machine is not None:
            pieces = adrive(machine, self._stream.open())
            try:
                async for piece in pieces:
                    await connection.send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                with anyio.move_on_after(_CLEANUP_TIME, shield=True):
                    await pieces.aclose()
        await connection.send({"type": "http.response.body", "body": b"", "more_body": False})


class _DepartureError(Exception):
    """The client has left."""


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


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
    """Sends messages one after the other, and heartbeats when there is no other."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._last = self._turn = monotonic()
        self._sending = False
        self._beaten: anyio.Event | None = None

    async def send(self, message: Message) -> None:
        """Send a message when the client can take it.

        Raises:
            _DepartureError: the client has left.
        """
        if self._beaten is not None:
            await self._beaten.wait()
        self._sending = True
        await self._write(message)
        self._sending = False

    async def beat(self, machine: EmitMachine, silence: float | None) -> None:
        """Send a heartbeat whenever nothing was sent for so many seconds; None for never."""
        if silence is None:
            await anyio.sleep_forever()
            return
        while True:
            left = self._last + silence - monotonic()
            if left > 0:
                await anyio.sleep(left)
                continue
            self._last = monotonic()
            # A client that is slow to take a message is not kept waiting for one.
            if not self._sending:
                self._beaten = anyio.Event()
                for piece in machine.heartbeat():
                    await self._write({"type": "http.response.body", "body": piece, "more_body": True})
                self._beaten.set()
                self._beaten = None

    async def _write(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            raise _DepartureError from error
        self._last = monotonic()
        if self._last - self._turn > _TURN:
            await anyio.lowlevel.checkpoint()
            self._turn = monotonic()


class _InThreads:
    """Has the items of an ``EventStream`` made in worker threads, behind the interface of an async one."""

    def __init__(self, stream: EventStream[Any]) -> None:
        self.machine = stream.machine
        self.heartbeat = stream.heartbeat
        self._stream = stream
        self._items: Iterator[Any] | None = None
        # A call for an item goes on when it is cancelled, and no generator can be closed meanwhile.
        self._lock = threading.Lock()
        # One of its own, as of the shared one forty streams that wait would leave nothing to others.
        self._limiter = anyio.CapacityLimiter(2)

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

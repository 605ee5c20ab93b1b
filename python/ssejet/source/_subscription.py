"""Event sources that keep going: thin drivers around ``ReconnectionMachine``."""

from __future__ import annotations

import sys
import threading
import warnings
from contextlib import suppress
from functools import partial
from inspect import iscoroutinefunction
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ssejet._http.async_reader import AsyncReader
from ssejet._http.clients import check_http_client, make_http_client
from ssejet._http.exclusive import ConcurrentReadError, ExclusiveUse
from ssejet._http.failures import translate_request, translated
from ssejet._http.headers import names_of, with_default_headers
from ssejet._http.reader import Reader
from ssejet._http.sockets import HandshakeGuard, RequestInterrupter
from ssejet.errors import APIConnectionError, SSEError
from ssejet.source._reconnection import ReconnectionMachine, Step
from ssejet.source._target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Literal

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent
    from ssejet._http_types import HTTPResponse
    from ssejet.metrics._stream import StreamMetrics

__all__ = ["AsyncSubscription", "Subscription", "asubscribe", "subscribe"]


class _BaseSubscription:
    """What both drivers share: everything but connecting, reading, waiting and closing.

    Args:
        url: where the events are.
        client: a client of httpx or httpx2; None for one of the subscription's own, which it closes.
        method: the HTTP method.
        headers: of the request. ``Accept: text/event-stream`` and ``Cache-Control: no-cache`` are sent unless
            they are among them.
        params: query parameters, in place of the URL's, as httpx has it.
        content, data, json: the body, as httpx takes it; ``content`` as bytes or text, so that it can be sent
            again.
        last_event_id: where to resume, as another subscription's ``last_event_id`` said.
        repeat: whether the request may be sent again after it has reached the server. None allows it for
            idempotent methods, which POST and PATCH are not.
        reconnection_time: seconds to wait before connecting again, until the server says otherwise
            (``retry``).
        max_backoff: seconds at which the waits between failing attempts, which double, stop growing.
        max_attempts: how many attempts in a row may fail before the last one's error is raised; None for no
            limit. An attempt that brings a byte of the stream has not failed.
        max_outage: seconds without a stream, from the first attempt on, after which the last error is raised;
            None for no limit. Only ``connect_timeout`` can make it later.
        connect_timeout: seconds that making a connection may take; None for no limit.
        idle_timeout: seconds that a wait for bytes may last, comments included; None for no limit.
        data_timeout: seconds that may be spent waiting for an event; None for no limit.
        max_event_size: bytes that one event may have; see ``Decoder``.
        on_comment: called with each comment, in its order among the events.
        on_error: called with the error of each failed or ended connection. If it returns True, the
            subscription reconnects; if False, it ends; if None, the rules below hold.

    Attributes:
        response: the latest response, or None.

    Raises:
        TypeError: ``content`` cannot be sent twice, a callback is asynchronous, or the client is of the other
            kind.
        ValueError: an option has a value that makes no sense.
    """

    _advice: ClassVar[str]
    _client_class: ClassVar[Literal["AsyncClient", "Client"]]

    def __init__(
        self,
        url: Any,
        *,
        client: Any = None,
        method: str = "GET",
        headers: Any = None,
        params: Any = None,
        content: str | bytes | None = None,
        data: Any = None,
        json: Any = None,
        last_event_id: str = "",
        repeat: bool | None = None,
        reconnection_time: float = 3.0,
        max_backoff: float = 60.0,
        max_attempts: int | None = None,
        max_outage: float | None = None,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
        max_event_size: int | None = 64 * 2**20,
        on_comment: Callable[[str], object] | None = None,
        on_error: Callable[[SSEError], bool | None] | None = None,
    ) -> None:
        if content is not None and not isinstance(content, (str, bytes)):
            raise TypeError(
                f"content must be bytes or text, so that it can be sent again; got {type(content).__name__}"
            )
        for name, callback in (("on_comment", on_comment), ("on_error", on_error)):
            if iscoroutinefunction(callback):
                raise TypeError(f"{name} must be a plain function: nothing would await what this one returns")
        if client is not None:
            check_http_client(client, self._client_class, user=type(self).__name__)
        given_headers = with_default_headers(headers, {})
        if "last-event-id" in names_of(given_headers):
            raise ValueError("Last-Event-ID changes from event to event: give its start as last_event_id")
        body = {"content": content, "data": data, "json": json}
        target = Target(
            method.upper(),
            url,
            headers=tuple(given_headers),
            body={name: value for name, value in body.items() if value is not None},
            params=params,
        )
        self._machine = ReconnectionMachine(
            target,
            last_event_id=last_event_id,
            max_event_size=max_event_size,
            on_comment=on_comment,
            on_error=on_error,
            repeat=repeat,
            reconnection_time=reconnection_time,
            max_backoff=max_backoff,
            max_attempts=max_attempts,
            max_outage=max_outage,
            idle_timeout=idle_timeout,
            data_timeout=data_timeout,
        )
        self._connect_timeout = connect_timeout
        self._own_client = client is None
        self._client = client
        self._closed = False
        self._restarting = False
        self._reader: Any = None
        self.response: HTTPResponse | None = None
        self._set_up()

    def _set_up(self) -> None:
        """Make what one of the drivers alone needs."""

    @property
    def _is_interrupted(self) -> bool:
        return self._closed or self._restarting

    @property
    def url(self) -> str:
        """Where the events are; permanent redirects (301, 308) change it."""
        return str(self._machine.url)

    @property
    def last_event_id(self) -> str:
        """The ID of the last event that was taken, ``""`` if there was none.

        Set it, before the first event or together with ``restart()``, to resume elsewhere.
        """
        return self._machine.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str) -> None:
        self._machine.last_event_id = value

    @property
    def reconnection_time(self) -> float:
        """Seconds to wait before connecting again: the server's latest ``retry``, else what was asked for."""
        return self._machine.reconnection_time

    @property
    def ready_state(self) -> Literal["connecting", "open", "closed"]:
        """The standard's ``readyState``, by name."""
        if self._closed or self._machine.step is Step.END:
            return "closed"
        return "open" if self._machine.is_open else "connecting"

    @property
    def metrics(self) -> StreamMetrics:
        """What the subscription measured of itself so far, over all its connections."""
        return self._machine.metrics

    def __repr__(self) -> str:
        return f"<ssejet.{type(self).__name__} {self.ready_state}, {self.metrics.events} events>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader = getattr(self, "_reader", None)
        if reader is None or reader.closed or sys.is_finalizing():
            return
        if self.response is None or self.response.is_closed:
            return
        message = f"{self!r} was not closed: {self._advice}"
        was_cancelled = reader.suspended
        with suppress(Exception):
            self._abandon()
        # A wait that was cancelled ends the subscription if nobody can wait again.
        if not was_cancelled:
            _warn(message, ResourceWarning, source=self)

    def _abandon(self) -> None:
        """Release what can be released without waiting."""

    def _build_request(self) -> Any:
        """The request that the machine asks for, made by the client."""
        target = self._machine.target
        patience = self._machine.begin_attempt()
        wait = None if patience == inf else patience
        request = self._client.build_request(
            target.method,
            target.url,
            params=target.params,
            headers=self._machine.headers(),
            timeout=(self._connect_timeout, wait, self._connect_timeout, self._connect_timeout),
            **target.body,
        )
        target.strip(request)
        return request

    def _translate(self, request: Any, error: Exception) -> Exception:
        """What to raise for an error of sending the request."""
        return translate_request(error, request, self._connect_timeout, self._machine.deadlines)

    def _receive(self, chunk: bytes | None) -> None:
        if not self._reader.closed:
            deadlines = self._machine.deadlines
            was_limited = deadlines.limited
            self._machine.receive(chunk)
            if deadlines.limited is not was_limited:
                self._reader.change_deadlines()
        elif not self._closed:
            self._machine.reconnect()

    def _fail(self, error: SSEError) -> None:
        """Take note of a failure, unless it only shows that the connection was dropped on purpose."""
        try:
            if not self._is_interrupted:
                self._machine.fail(error)
            elif not self._closed:
                self._machine.reconnect()
        finally:
            del error  # which holds this frame by its traceback

    def _send_options(self) -> dict[str, Any]:
        options = {"stream": True, "follow_redirects": False}
        return options if self._machine.target.trusted else {**options, "auth": None}


class Subscription(_BaseSubscription):
    """The events of an event source, over as many connections as it takes, as the WHATWG standard has it.

    ::

        with ssejet.subscribe(url) as events:
            for event in events:
                print(event.data)

    It connects when it is iterated over. When a connection fails, breaks or ends, it waits for the
    reconnection time, longer after failed attempts, and connects again; the server is told the ID of the last
    event in ``Last-Event-ID``. Unfinished events are dropped. If the server goes on after that ID, every
    event is given once and none is lost.

    A loop that is left early can be resumed by another one. Iterating ends

    * when the server answers 204, which is how it says so;
    * at the end of a response to a request that must not be repeated, see ``repeat``;
    * when ``close()`` is called.

    and it raises

    * ``APIStatusError``, if the status is another than 200, or a redirect leads nowhere;
    * ``ContentTypeError``, if the response is no event stream;
    * ``EventTooLargeError``, after the events before it;
    * ``APIConnectionError`` and its subclass ``APITimeoutError``, if the request must not be repeated, or
      ``max_attempts`` or ``max_outage`` is reached;
    * ``TruncatedStreamError``, if it is reached by streams that end without having begun;
    * what the client raises if it is misused.

    Any thread may call ``close()`` and ``restart()`` at any time. Over HTTP/1 they take effect at once, but
    for a request on a connection that the caller's own client had kept open: there, when the response begins.
    """

    _advice = "use it in a `with` block, or call close()"
    _client_class = "Client"

    def _set_up(self) -> None:
        self._use = ExclusiveUse()
        self._wake = threading.Event()
        self._interrupter: RequestInterrupter | None = None

    # A generator, as a `for` loop runs it faster than __next__. All state is in the subscription, so that it
    # can be dropped at any time and another one goes on.
    def __iter__(self) -> Iterator[ServerSentEvent]:
        machine = self._machine
        try:
            while True:
                yield from machine.events()
                if not self._advance():
                    return
        except (GeneratorExit, ConcurrentReadError):
            raise
        except Exception:
            self.close()
            raise

    def __next__(self) -> ServerSentEvent:
        for event in self:
            return event
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def restart(self) -> None:
        """Drop the connection, or the wait for it, and connect anew at once; no error is reported."""
        self._restarting = True
        self._wake.set()
        if self._interrupter is not None:
            self._interrupter.interrupt()
        self._hang_up()

    def close(self) -> None:
        """End the subscription; once is enough, more does no harm."""
        self._closed = True
        self._machine.close()
        self._use.end(wake=self.restart, release=self._release)

    _abandon = close

    def _advance(self) -> bool:
        """Take one step; False at the end of the subscription, which is then closed."""
        use = self._use
        if use.holder is not None:
            if self._closed:
                return False
            raise ConcurrentReadError
        try:
            use.holder = get_ident()
            if not self._closed:
                self._take_step()
        except SSEError as error:
            self._hang_up()
            self._fail(error)
        except BaseException:
            self._hang_up()
            self._machine.give_up_connection()
            raise
        finally:
            use.holder = None
            if use.ended:
                use.release(self._release)
        if self._machine.step is Step.END:
            self.close()
        return not self._closed

    def _take_step(self) -> None:
        machine = self._machine
        if machine.step is Step.CONNECT:
            self._connect()
        elif machine.step is Step.READ:
            machine.settle()
            try:
                self._receive(self._reader.read())
            except APIConnectionError as error:
                machine.lose(error)
        elif machine.step is Step.WAIT:
            self._wake.wait(machine.delay)
            if not self._closed:
                machine.reconnect()

    def _connect(self) -> None:
        if self._client is None:
            # A kept connection would be one that close() cannot get hold of before the response begins.
            self._client = make_http_client("Client", max_keepalive_connections=0)
        self._restarting = False
        self._wake.clear()
        request = self._build_request()
        with translated(partial(self._translate, request)), RequestInterrupter(request) as self._interrupter:
            if self._is_interrupted:
                return
            response = self._client.send(request, **self._send_options())
        self.response = response
        wanted = False
        try:
            wanted = not self._is_interrupted and self._machine.accept(response)
        finally:
            if not wanted:
                response.close()
        if wanted:
            self._reader = Reader(response, self._machine.deadlines)
            if self._is_interrupted:
                self._reader.close()

    def _hang_up(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _release(self) -> None:
        self._hang_up()
        if self._own_client and self._client is not None:
            self._client.close()


class AsyncSubscription(_BaseSubscription):
    """The events of an event source, over as many connections as it takes, on asyncio and trio.

    ::

        async with ssejet.asubscribe(url) as events:
            async for event in events:
                print(event.data)

    All that is said of ``Subscription`` holds here. Any task may call ``aclose()`` and ``restart()`` at any
    time; they take effect at once.

    A wait for an event that is cancelled loses nothing. If the last event has an ID, it drops the connection;
    the next one makes another, and resumes after that event. Otherwise the next wait goes on with the
    connection if it can, and makes another if not. Where the request must not be repeated, see ``repeat``,
    the next wait raises an ``APIConnectionError`` instead.
    """

    _advice = "use it in an `async with` block, or await aclose()"
    _client_class = "AsyncClient"

    def _set_up(self) -> None:
        self._advancing = False
        self._restarting = False
        self._scope: Any = None
        self._ready = self._machine.events()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerSentEvent:
        try:
            while True:
                for event in self._ready:
                    return event
                if not await self._advance():
                    break
                self._ready = self._machine.events()
        except ConcurrentReadError:
            raise
        except Exception:
            await self.aclose()
            raise
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def restart(self) -> None:
        """Drop the connection, or the wait for it, and connect anew at once; no error is reported."""
        self._restarting = True
        if self._scope is not None:
            self._scope.cancel()
        await self._hang_up()

    async def aclose(self) -> None:
        """End the subscription; once is enough, more does no harm."""
        if self._closed:
            return
        self._closed = True
        self._machine.close()
        await self.restart()
        await self._release()

    def _abandon(self) -> None:
        self._reader.close_soon()

    async def _advance(self) -> bool:
        """Take one step; False at the end of the subscription, which is then closed."""
        if self._closed:
            return False
        if self._advancing:
            raise ConcurrentReadError
        self._advancing = True
        try:
            await self._take_step()
        except SSEError as error:
            await self._hang_up()
            self._fail(error)
        except BaseException as error:
            await self._on_interrupted(error)
            raise
        finally:
            self._advancing = False
        if self._machine.step is Step.END:
            await self.aclose()
        return not self._closed

    async def _on_interrupted(self, error: BaseException) -> None:
        """Take note that a step was cancelled, or failed by a mistake."""
        machine = self._machine
        is_reading = machine.step is Step.READ and self._reader is not None and self._reader.suspended
        if is_reading and not machine.can_resume_elsewhere:
            return  # the next step reads on
        await self._hang_up()
        lost = None
        if not isinstance(error, Exception) and machine.step is not Step.WAIT:
            lost = APIConnectionError(
                "a wait for an event was cancelled, and the request must not be sent again to go on: pass "
                "repeat=True if it may, or limit waits by idle_timeout or data_timeout"
            )
        machine.give_up_connection(lost)

    async def _take_step(self) -> None:
        machine = self._machine
        machine.settle()
        if machine.step is Step.CONNECT:
            await self._connect()
        elif machine.step is Step.READ:
            try:
                self._receive(await self._reader.read())
            except APIConnectionError as error:
                machine.lose(error)
        elif machine.step is Step.WAIT:
            import anyio

            with anyio.CancelScope() as self._scope:
                await anyio.sleep(machine.delay)
            if not self._closed:
                machine.reconnect()

    async def _connect(self) -> None:
        import anyio

        if self._client is None:
            self._client = make_http_client("AsyncClient", max_keepalive_connections=0)
        self._restarting = False
        request = self._build_request()
        response = None
        with anyio.CancelScope() as self._scope, translated(partial(self._translate, request)):
            async with HandshakeGuard(request):
                response = await self._client.send(request, **self._send_options())
        if response is None:
            return
        self.response = response
        wanted = False
        try:
            wanted = not self._is_interrupted and self._machine.accept(response)
        finally:
            if not wanted:
                await response.aclose()
        if wanted:
            self._reader = AsyncReader(response, self._machine.deadlines)

    async def _hang_up(self) -> None:
        if self._reader is not None:
            await self._reader.aclose()

    async def _release(self) -> None:
        await self._hang_up()
        if self._own_client and self._client is not None:
            import anyio

            with anyio.CancelScope(shield=True):
                await self._client.aclose()


subscribe = Subscription
asubscribe = AsyncSubscription

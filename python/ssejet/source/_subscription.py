"""Event sources that reconnect: thin drivers of ``ReconnectionMachine``."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from ssejet._http.async_reader import AsyncReader
from ssejet._http.exclusive import ConcurrentReadError, ExclusiveUse
from ssejet._http.failures import translated
from ssejet._http.reader import Reader
from ssejet._http.sockets import AsyncHandshakeGuard, RequestInterrupter
from ssejet.errors import APIConnectionError, SSEError
from ssejet.source._base_subscription import BaseSubscription
from ssejet.source._reconnection import CONNECT_STATES, READ_STATES, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent

__all__ = ["AsyncSubscription", "Subscription", "asubscribe", "subscribe"]


class Subscription(BaseSubscription):
    """The events of an event source over many connections, as the WHATWG standard describes.

    ::

        with ssejet.subscribe(url) as events:
            for event in events:
                print(event.data)

    It connects when it is iterated over. When a connection fails, breaks or ends, it waits for the
    reconnection time, longer after failed attempts, and connects again. ``Last-Event-ID`` tells the server
    the ID of the last event. Unfinished events are dropped. If the server continues after that ID, every
    event comes exactly once.

    After a loop has ended early, another one continues. The iteration ends

    * when the server answers 204, the standard's way to end an event source;
    * at the end of a response to a request that must not be repeated, see ``repeat``;
    * when ``close()`` is called.

    It raises

    * ``APIStatusError``, if the status is not 200, or a redirect cannot be followed;
    * ``ContentTypeError``, if the response is not an event stream;
    * ``EventTooLargeError``, after the events before it;
    * ``APIConnectionError`` and its subclass ``APITimeoutError``, if the request must not be repeated, or
      ``max_attempts`` or ``max_outage`` is reached;
    * ``TruncatedStreamError``, if streams that end without any bytes reach one of these limits;
    * the client's own error, if the client is misused.

    Any thread may call ``close()`` and ``restart()`` at any time. Over HTTP/1 they take effect at once, with
    one exception: a request on a connection that the caller's own client has kept is interrupted when its
    response begins.
    """

    _advice = "use it in a `with` block, or call close()"
    _client_class = "Client"

    def _set_up(self) -> None:
        self._use = ExclusiveUse()
        self._wake = threading.Event()
        self._interrupter: RequestInterrupter | None = None

    # A generator, as a `for` loop runs it faster than __next__. It keeps no state: when it is dropped,
    # another one continues.
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
        """Drop the connection, or the wait for it, and connect again at once. This is no error."""
        self._restarting = True
        self._wake.set()
        if self._interrupter is not None:
            self._interrupter.interrupt()
        self._close_reader()

    def close(self) -> None:
        """End the subscription. Further calls do nothing."""
        self._closed = True
        self._machine.close()
        self._use.end(wake=self.restart, release=self._release)

    _abandon = close

    def _advance(self) -> bool:
        """Do what the machine's state asks for; return False at the end, when the subscription is closed."""
        try:
            self._use.run(self._take_step_safely, self._release)
        except ConcurrentReadError:
            if self._closed:
                return False
            raise
        if self._machine.state is State.CLOSED:
            self.close()
        return not self._closed

    def _take_step_safely(self) -> None:
        try:
            if not self._closed:
                self._take_step()
        except SSEError as error:
            self._close_reader()
            self._fail(error)
        except BaseException as error:
            self._close_reader()
            self._machine.interrupt(cancelled=not isinstance(error, Exception))
            raise

    def _take_step(self) -> None:
        machine = self._machine
        machine.raise_deferred()
        state = machine.state
        if state in CONNECT_STATES:
            self._connect()
        elif state in READ_STATES:
            try:
                self._receive(self._reader.read())
            except APIConnectionError as error:
                machine.on_read_error(error)
        elif state is State.WAITING:
            self._wake.wait(machine.delay)
            self._reconnect()

    def _connect(self) -> None:
        self._restarting = False
        self._wake.clear()
        request = self._build_request()
        with translated(partial(self._translate, request)), RequestInterrupter(request) as self._interrupter:
            if self._is_interrupted:
                return
            response = self._http_client().send(request, **self._send_options())
        is_accepted = False
        try:
            is_accepted = self._accept(response)
        finally:
            if not is_accepted:
                response.close()
        if is_accepted:
            self._reader = Reader(response, self._machine.deadlines, direct=self._is_direct)
            if self._is_interrupted:
                self._reader.close()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _release(self) -> None:
        self._close_reader()
        if self._own_client and self._client is not None:
            self._client.close()


class AsyncSubscription(BaseSubscription):
    """The events of an event source over many connections, on asyncio and trio.

    ::

        async with ssejet.asubscribe(url) as events:
            async for event in events:
                print(event.data)

    It does what ``Subscription`` does. Any task may call ``aclose()`` and ``restart()`` at any time; they
    take effect at once.

    A cancelled wait for an event loses nothing. If the last event has an ID, the connection is dropped; the
    next wait makes another one, and resumes after that event. Otherwise the next wait continues to read this
    connection if it can, or else makes another one. If the request must not be repeated (see ``repeat``), the
    next wait raises an ``APIConnectionError`` instead.
    """

    _advice = "use it in an `async with` block, or await aclose()"
    _client_class = "AsyncClient"

    def _set_up(self) -> None:
        self._advancing = False
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
        """Drop the connection, or the wait for it, and connect again at once. This is no error."""
        self._restarting = True
        if self._scope is not None:
            self._scope.cancel()
        await self._close_reader()

    async def aclose(self) -> None:
        """End the subscription. Further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self._machine.close()
        await self.restart()
        await self._release()

    def _abandon(self) -> None:
        self._reader.close_soon()

    async def _advance(self) -> bool:
        """Do what the machine's state asks for; return False at the end, when the subscription is closed."""
        if self._closed:
            return False
        if self._advancing:
            raise ConcurrentReadError
        self._advancing = True
        try:
            await self._take_step()
        except SSEError as error:
            await self._close_reader()
            self._fail(error)
        except BaseException as error:
            if not self._can_read_on():
                await self._close_reader()
                self._machine.interrupt(cancelled=not isinstance(error, Exception))
            raise
        finally:
            self._advancing = False
        if self._machine.state is State.CLOSED:
            await self.aclose()
        return not self._closed

    def _can_read_on(self) -> bool:
        """Whether the next step continues a cancelled read, as no other connection could replace this one."""
        machine = self._machine
        return machine.state in READ_STATES and self._reader.suspended and not machine.can_resume

    async def _take_step(self) -> None:
        machine = self._machine
        machine.raise_deferred()
        state = machine.state
        if state in CONNECT_STATES:
            await self._connect()
        elif state in READ_STATES:
            try:
                self._receive(await self._reader.read())
            except APIConnectionError as error:
                machine.on_read_error(error)
        elif state is State.WAITING:
            import anyio

            with anyio.CancelScope() as self._scope:
                await anyio.sleep(machine.delay)
            self._reconnect()

    async def _connect(self) -> None:
        import anyio

        self._restarting = False
        request = self._build_request()
        response = None
        with anyio.CancelScope() as self._scope, translated(partial(self._translate, request)):
            async with AsyncHandshakeGuard(request):
                response = await self._http_client().send(request, **self._send_options())
        if response is None:
            return
        is_accepted = False
        try:
            is_accepted = self._accept(response)
        finally:
            if not is_accepted:
                await response.aclose()
        if is_accepted:
            self._reader = AsyncReader(response, self._machine.deadlines, direct=self._is_direct)

    async def _close_reader(self) -> None:
        if self._reader is not None:
            await self._reader.aclose()

    async def _release(self) -> None:
        await self._close_reader()
        if self._own_client and self._client is not None:
            import anyio

            with anyio.CancelScope(shield=True):
                await self._client.aclose()


subscribe = Subscription
asubscribe = AsyncSubscription

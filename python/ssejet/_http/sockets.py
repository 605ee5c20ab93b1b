"""Finds the connection under a response of httpx or httpx2, through their documented extensions.

It watches the reads of that connection: to end them from another thread, and to resume them when cancelled.
"""

from __future__ import annotations

from _thread import RLock  # threading itself takes long to import
from contextlib import suppress
from types import coroutine
from typing import TYPE_CHECKING, Any

from ssejet._http.response import http_version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._http.deadlines import Deadlines

__all__ = [
    "AsyncHandshakeGuard",
    "HandshakeGuard",
    "NetworkReads",
    "RequestInterrupter",
    "ResumableReads",
    "is_own_trace",
    "shut_down",
]

# The events of httpx's tracing that tell of a new network stream. The part before the first dot is left out:
# it differs with the kind of proxy.
_CONNECTED = frozenset({"connect_tcp.complete", "connect_unix_socket.complete"})
_HANDSHAKE_BEGINS, _HANDSHAKE_ENDS = "start_tls.started", "start_tls.complete"
# The first parts of the events that tell of connecting, to a server or to a SOCKS proxy.
_CONNECTING = frozenset({"connection", "socks"})


def _leaves_open(event: str) -> bool:
    """Whether httpx leaves the network stream open if its request ends after this event."""
    layer, _, step = event.partition(".")
    return step in _CONNECTED or (layer in _CONNECTING and step != _HANDSHAKE_ENDS)


class _ConnectionWatch:
    """Finds the connection that a request leaves open if it ends now, by httpx's tracing.

    httpx leaves a connection open that fails in the handshake with a SOCKS proxy, or is cancelled in that of
    TLS.
    """

    def __init__(self) -> None:
        self.network_stream: Any = None

    def see(self, name: str, info: Mapping[str, Any]) -> None:
        """Take in an event."""
        if name.partition(".")[2] in _CONNECTED:
            self.network_stream = info["return_value"]
        elif not _leaves_open(name):
            self.network_stream = None


class HandshakeGuard:
    """Closes a connection if it fails in the handshake with a SOCKS proxy; httpx leaves it open then.

    ::

        with HandshakeGuard(request):
            response = client.send(request)
    """

    def __init__(self, request: Any) -> None:
        self._watch = _ConnectionWatch()
        request.extensions["trace"] = self._trace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and self._watch.network_stream is not None:
            self._watch.network_stream.close()

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        self._watch.see(name, info)


class AsyncHandshakeGuard:
    """Closes a connection if it is cancelled in a handshake, of TLS or SOCKS, or fails in that of SOCKS.

    ::

        async with AsyncHandshakeGuard(request):
            response = await client.send(request)
    """

    def __init__(self, request: Any) -> None:
        self._watch = _ConnectionWatch()
        request.extensions["trace"] = self._trace

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and self._watch.network_stream is not None:
            from anyio import CancelScope

            with CancelScope(shield=True):
                await self._watch.network_stream.aclose()

    async def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        self._watch.see(name, info)


class RequestInterrupter(HandshakeGuard):
    """Lets another thread end the wait for a synchronous response.

    ::

        with RequestInterrupter(request) as interrupter:
            response = client.send(request)

    It cannot end a wait on a connection that was made for an earlier request.
    """

    def __init__(self, request: Any) -> None:
        self._lock = RLock()  # a signal handler may interrupt its owner
        self._network_stream: Any = None
        # During a TLS handshake: another socket of the connection, as TLS takes that of the network stream.
        self._handshaking: Any = None
        self._interrupted = False
        super().__init__(request)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._network_stream = None
            self._end_handshake()
        super().__exit__(exc_type, exc, traceback)

    def interrupt(self) -> None:
        """Make the thread that waits raise an error. Any thread may call this."""
        with self._lock:
            self._interrupted = True
            self._shut_down()

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        super()._trace(name, info)
        step = name.partition(".")[2]
        if step == _HANDSHAKE_BEGINS:
            with self._lock, suppress(Exception):  # the network stream may be anything
                self._handshaking = self._network_stream.get_extra_info("socket").dup()
        elif step in _CONNECTED or step == _HANDSHAKE_ENDS:
            with self._lock:
                self._network_stream = info["return_value"]
                self._end_handshake()
                if self._interrupted:
                    self._shut_down()

    def _shut_down(self) -> None:
        if self._handshaking is not None:
            from socket import SHUT_RDWR

            with suppress(OSError):  # it is not connected any more
                self._handshaking.shutdown(SHUT_RDWR)
        elif self._network_stream is not None:
            shut_down(self._network_stream)

    def _end_handshake(self) -> None:
        if self._handshaking is not None:
            self._handshaking.close()
            self._handshaking = None


def is_own_trace(trace: Any) -> bool:
    """Whether a trace hook of a request is one of this module. They need no news of the body."""
    return isinstance(getattr(trace, "__self__", None), (HandshakeGuard, AsyncHandshakeGuard))


# Held while a hook is set or removed: the connection's next response may do that at the same time.
_hooking = RLock()


class _ReadHook:
    """Replaces the ``read()`` of a network stream. All its users share one hook.

    Attributes:
        read: the network stream's own method.
        users: those that read a response from this network stream. HTTP/1.1 has one response at a time, but
            it may have two users, and an earlier response may not have been released yet.
    """

    def __init__(self, network_stream: Any) -> None:
        self.network_stream = network_stream
        self.read: Callable[..., Any] = network_stream.read
        self.users: tuple[Any, ...] = ()

    @classmethod
    def add(cls, user: Any, response: Any) -> Self | None:
        """Set the hook for a user, and return it; None if the network stream does not allow a hook."""
        with suppress(Exception), _hooking:  # extensions can hold anything, such as proxies or frozen objects
            network_stream = response.extensions["network_stream"]
            installed = getattr(network_stream.read, "__self__", None)
            hook: Any = installed
            if type(installed) is not cls:
                hook = cls(network_stream)
                network_stream.read = hook.call
                if getattr(network_stream.read, "__self__", None) is not hook:
                    return None
            hook.users += (user,)
            return hook  # type: ignore[no-any-return]
        return None

    def remove(self, user: Any) -> None:
        """Remove a user, and the hook with the last user."""
        with _hooking:
            self.users = tuple(each for each in self.users if each is not user)
            if self.users or getattr(self.network_stream.read, "__self__", None) is not self:
                return
            try:
                del self.network_stream.read
            except Exception:  # a proxy that can set attributes but not delete them
                self.network_stream.read = self.read

    def call(self, max_bytes: int, timeout: float | None = None) -> Any:
        """Read on behalf of the users."""
        raise NotImplementedError


class _SyncHook(_ReadHook):
    # There is no lock, as it would cost at each read. `waiting` is set before `interrupted` is read, and
    # reset before it is read again, so an interrupt is never missed.
    def call(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # If a response is closed, its connection may already serve another request.
        users = [user for user in self.users if not user.response.is_closed]
        for user in users:
            if user.deadlines.limited:
                timeout = user.deadlines.socket_timeout(timeout)
        data = b""
        try:
            for user in users:
                user.waiting = True
            if not any(user.interrupted for user in users):
                data = self.read(max_bytes, timeout)
        finally:
            for user in users:
                user.waiting = False
        for user in users:
            if user.interrupted:
                # Data that has come must not be used: it could end the body, and httpx would keep the
                # connection that is shut down. The lock waits for the thread that shuts it down.
                with user.lock:
                    return b""
        return data


class NetworkReads:
    """Watches the reads of a synchronous HTTP/1 response from its network stream.

    httpx fixes the read timeout when a body begins, but a deadline leaves less for each read. Closing a
    socket does not wake a thread that waits for it. Shutting it down does, but must not end another response.

    Attributes:
        response: the response.
        deadlines: how long its reads may take.
        waiting: whether a thread waits in a read.
        interrupted: whether the body ends here, because a thread asked for it.
        lock: held while the socket is shut down.
    """

    def __init__(self, response: Any, deadlines: Deadlines) -> None:
        self.response = response
        self.deadlines = deadlines
        self.waiting = False
        self.interrupted: bool = False
        self.lock: RLock = RLock()  # a signal handler may interrupt its owner
        self._hook: _SyncHook | None = None

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines) -> NetworkReads | None:
        """Watch the reads of a response.

        Returns:
            None if the response has no network stream, or one that serves other requests at the same time,
            or one whose ``read()`` cannot be replaced.
        """
        if not http_version_of(response).startswith("HTTP/1") or not hasattr(response, "is_closed"):
            return None
        reads = cls(response, deadlines)
        reads._hook = _SyncHook.add(reads, response)
        return None if reads._hook is None else reads

    def release(self) -> None:
        """Stop watching the network stream. A second call does nothing."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.remove(self)

    def interrupt(self) -> bool:
        """End the body here, and wake a thread that waits for more of it. Any thread may call this.

        Returns:
            Whether the thread wakes up, or there is none.
        """
        with self.lock:
            hook = self._hook
            self.interrupted = True
            return hook is None or not self.waiting or shut_down(hook.network_stream)


class _AsyncHook(_ReadHook):
    async def call(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            reader = None
            try:
                data: bytes = await self.read(max_bytes, timeout)
                return data
            except BaseException as error:
                # The user that this read is for; None if other code reads the response.
                reader = next((user for user in self.users if user.stepping), None)
                if reader is None or not _is_cancellation(error):
                    raise
                reader.cancellation = error
            await _suspend()


class ResumableReads:
    """Reads an asynchronous HTTP/1 response so that a cancelled read loses nothing.

    A cancellation ends httpx's iterators. So the hook catches it where the network stream is read, which
    takes no bytes when it is cancelled. The iterators stay where they wait, and the caller gets the
    cancellation. The next read goes on in the same iterators::

        no read ──fetch()──► running ──a chunk──► no read
                                ▲ │
                        fetch() │ │ cancelled
                                │ ▼
                             suspended ──drop()──► the iterators have ended

    Attributes:
        suspended: whether a cancelled read is waiting to go on.
        stepping: whether the iterators are running for this reader.
        cancellation: what cancelled the read that is being suspended.
    """

    def __init__(self, chunks: Any) -> None:
        self.stepping: bool = False
        self.cancellation: BaseException | None = None
        self._chunks = chunks
        self._pending: Any = None
        self._hook: _AsyncHook | None = None

    @classmethod
    def of(cls, response: Any, chunks: Any) -> ResumableReads | None:
        """Read a response's chunks this way; None if its network stream does not allow it."""
        if not http_version_of(response).startswith("HTTP/1"):
            return None
        reads = cls(chunks)
        reads._hook = _AsyncHook.add(reads, response)
        return None if reads._hook is None else reads

    @property
    def suspended(self) -> bool:
        """Whether a cancelled read is waiting to go on."""
        return self._pending is not None

    @coroutine
    def fetch(self) -> Generator[Any, Any, bytes]:
        """Read the next chunk, or go on with the read that was cancelled."""
        pending = self._pending
        if pending is None:
            pending = self._chunks.__anext__()
        else:
            self._pending = None
        chunk: bytes = yield from self._run(pending, pending.send, None)
        return chunk

    @coroutine
    def drop(self) -> Generator[Any, Any, None]:
        """End the suspended read, and the iterators with it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            with suppress(_ReadDropped, StopAsyncIteration, Exception):
                yield from self._run(pending, pending.throw, _ReadDropped())

    def release(self) -> None:
        """Stop watching the network stream."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.remove(self)

    def _run(self, pending: Any, step: Callable[[Any], Any], value: Any) -> Generator[Any, Any, Any]:
        # An exception's traceback holds this frame, so the frame must not hold the exception.
        try:
            while True:
                self.stepping = True
                try:
                    waits_for = step(value)
                except StopIteration as end:
                    return end.value
                finally:
                    self.stepping = False
                    value = None
                if waits_for is _SUSPENDED:
                    self._pending = pending
                    value, self.cancellation = self.cancellation, None
                    raise value
                try:
                    value = yield waits_for
                    step = pending.send
                except BaseException as error:
                    value = error
                    step = pending.throw
        finally:
            value = None


class _ReadDropped(BaseException):
    """Ends iterators that wait in a read, as a cancellation does."""


_SUSPENDED = object()


@coroutine
def _suspend() -> Generator[Any, Any, None]:
    yield _SUSPENDED


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, Exception):
        return False
    from anyio import get_cancelled_exc_class

    return isinstance(error, get_cancelled_exc_class())


def shut_down(network_stream: Any) -> bool:
    """Shut down the socket of a synchronous network stream; return whether it has one."""
    import socket

    sock = None
    with suppress(Exception):  # it may be anything
        sock = network_stream.get_extra_info("socket")
    if not isinstance(sock, socket.socket):
        return False
    with suppress(OSError):  # it is not connected any more
        # Not the method of SSLSocket: it drops the TLS state that the reading thread uses.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    return True

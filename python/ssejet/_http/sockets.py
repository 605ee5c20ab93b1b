"""Finds the connection under a response of httpx or httpx2, through their documented extensions."""

from __future__ import annotations

import threading
from contextlib import suppress
from math import inf
from types import coroutine
from typing import TYPE_CHECKING, Any

from ssejet._http.response import http_version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._http.deadlines import Deadlines

__all__ = ["HandshakeGuard", "NetworkReads", "RequestInterrupter", "ResumableReads"]

# What httpx's tracing calls the moment when there is a connection.
_CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.connect_unix_socket.complete"})

# A socket takes 0 for "do not block" instead of "time out at once".
_SHORTEST_WAIT = 0.001


class RequestInterrupter:
    """Gets hold of the connection on which a synchronous response is awaited, so that the wait can be ended.

    ::

        with RequestInterrupter(request) as interrupter:
            response = client.send(request)

    A connection that was made for an earlier request is not seen.
    """

    def __init__(self, request: Any) -> None:
        self._lock = threading.RLock()  # a signal handler may come in between
        self._network_stream: Any = None
        self._interrupted = False
        request.extensions["trace"] = self._trace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._network_stream = None

    def interrupt(self) -> None:
        """Make the thread that waits come back, with an error; from any thread."""
        with self._lock:
            self._interrupted = True
            if self._network_stream is not None:
                _shut_down(self._network_stream)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name in {*_CONNECTED, "connection.start_tls.complete"}:
            with self._lock:
                self._network_stream = info["return_value"]
                if self._interrupted:
                    _shut_down(self._network_stream)


class HandshakeGuard:
    """Closes a connection when making it is cancelled in the TLS handshake; httpx leaves it open then.

    ::

        async with HandshakeGuard(request):
            response = await client.send(request)
    """

    def __init__(self, request: Any) -> None:
        self._network_stream: Any = None
        request.extensions["trace"] = self._trace

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and self._network_stream is not None:
            from anyio import CancelScope

            with CancelScope(shield=True):
                await self._network_stream.aclose()

    async def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name in _CONNECTED:
            self._network_stream = info["return_value"]
        elif name not in {"connection.start_tls.started", "connection.start_tls.failed"}:
            self._network_stream = None  # from here on httpx sees to it


# Held while a hook is set or removed, which a connection's next response may do at that moment.
_hooking = threading.RLock()


class _ReadHook:
    """Replaces the ``read()`` of a network stream; one per network stream, for all who need it.

    Attributes:
        read: the network stream's own method.
        users: those whose responses come by this network stream. HTTP/1.1 has one response at a time, but two
            may look after it, and an earlier one may not have been released yet.
    """

    def __init__(self, network_stream: Any) -> None:
        self.network_stream = network_stream
        self.read: Callable[..., Any] = network_stream.read
        self.users: tuple[Any, ...] = ()

    @classmethod
    def add(cls, user: Any, response: Any) -> Self | None:
        """Set the hook for a user, and return it; None if the network stream of its response takes none."""
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
        """Remove the hook when its last user leaves."""
        with _hooking:
            self.users = tuple(each for each in self.users if each is not user)
            if self.users or getattr(self.network_stream.read, "__self__", None) is not self:
                return
            try:
                del self.network_stream.read
            except Exception:  # a proxy, which sets attributes but deletes none
                self.network_stream.read = self.read

    def call(self, max_bytes: int, timeout: float | None = None) -> Any:
        """Read on behalf of the users."""
        raise NotImplementedError


class _SyncHook(_ReadHook):
    # Without a lock, which would cost at each read. Each user's `waiting` is set before its `interrupted` is
    # looked at, and reset before it is looked at again, so that an interrupt is never missed.
    def call(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # The connection may serve a request by now that is not for a user whose response is closed.
        users = [user for user in self.users if not user.response.is_closed]
        for user in users:
            if user.deadlines.limited:
                wait = min(user.deadlines.wait(), inf if timeout is None else timeout)
                timeout = max(_SHORTEST_WAIT, wait)
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
                # What has come nevertheless could end the body, and a connection that is shut down must not
                # be kept. The lock waits for the thread that shuts it down.
                with user.lock:
                    return b""
        return data


class NetworkReads:
    """Looks after the reads of a synchronous HTTP/1 response from its network stream.

    httpx fixes the read timeout when a body is begun, but a deadline leaves less for each read. And closing a
    socket does not wake a thread that waits in it; shutting it down does, but must not hit another response.

    Attributes:
        response: the response.
        deadlines: how long its reads may take.
        waiting: whether a thread waits in a read.
        interrupted: whether the body ends here.
        lock: held while the socket is shut down.
    """

    def __init__(self, response: Any, deadlines: Deadlines) -> None:
        self.response = response
        self.deadlines = deadlines
        self.waiting = False
        self.interrupted: bool = False
        self.lock: threading.RLock = threading.RLock()  # a signal handler may come in between
        self._hook: _SyncHook | None = None

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines) -> NetworkReads | None:
        """Look after the reads of a response.

        Returns:
            None if it has no network stream, one that serves other requests at the same time, or one whose
            reads cannot be replaced.
        """
        if not http_version_of(response).startswith("HTTP/1") or not hasattr(response, "is_closed"):
            return None
        reads = cls(response, deadlines)
        reads._hook = _SyncHook.add(reads, response)
        return None if reads._hook is None else reads

    def release(self) -> None:
        """Leave the network stream alone; once is enough, more does no harm."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.remove(self)

    def interrupt(self) -> bool:
        """Let the body end here, at once if a thread is waiting for more of it; from any thread.

        Returns:
            Whether that thread, if there is one, wakes up.
        """
        with self.lock:
            hook = self._hook
            self.interrupted = True
            return hook is None or not self.waiting or _shut_down(hook.network_stream)


class _AsyncHook(_ReadHook):
    async def call(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            reader = None
            try:
                data: bytes = await self.read(max_bytes, timeout)
                return data
            except BaseException as error:
                # The reader that this read is for, unless somebody else reads the response.
                reader = next((user for user in self.users if user.stepping), None)
                if reader is None or not _is_cancellation(error):
                    raise
                reader.cancellation = error
            await _suspend()


class ResumableReads:
    """Reads an asynchronous HTTP/1 response such that a cancelled read loses nothing.

    httpx's iterators end when they are cancelled. So a cancellation of the read of the network stream, which
    takes no bytes when it is cancelled, is not raised there: the iterators are left where they wait, and it
    is raised to the reader. The next read goes on in the iterators.

    Attributes:
        suspended: whether a cancelled read is waiting to go on.
        stepping: whether the iterators are running on behalf of this.
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
        """Leave the network stream alone."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.remove(self)

    def _run(self, pending: Any, step: Callable[[Any], Any], value: Any) -> Generator[Any, Any, Any]:
        # An exception holds this frame, so the frame must not hold it: what it holds would not be released.
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
    """Ends iterators that wait in a read, as a cancellation would."""


_SUSPENDED = object()


@coroutine
def _suspend() -> Generator[Any, Any, None]:
    yield _SUSPENDED


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, Exception):
        return False
    from anyio import get_cancelled_exc_class

    return isinstance(error, get_cancelled_exc_class())


def _shut_down(network_stream: Any) -> bool:
    """Shut down the socket of a synchronous network stream of httpx or httpx2, and say whether it has one."""
    import socket

    sock = None
    with suppress(Exception):  # it may be anything
        sock = network_stream.get_extra_info("socket")
    if not isinstance(sock, socket.socket):
        return False
    with suppress(OSError):  # it is not connected any more
        # Not the method of SSLSocket, which takes away what the reading thread is using.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    return True

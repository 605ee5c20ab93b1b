"""Hands on the sockets of httpx and httpx2, by the extensions that they document."""

from __future__ import annotations

import threading
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from ssejet.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["HandshakeGuard", "NetworkReads", "RequestInterrupter"]

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


# Held while one of the following steps in or back, which a connection's next response may do at that moment.
_changing_hands = threading.RLock()


class NetworkReads:
    """Stands between synchronous HTTP/1 responses and the network stream that they come by, one by one.

    httpx fixes the read timeout when a body is begun, but a deadline leaves less for each read. And closing a
    socket does not wake a thread that waits in it; shutting it down does, but must not hit another response.
    """

    def __init__(self, network_stream: Any) -> None:
        self._network_stream = network_stream
        self._read: Callable[[int, float | None], bytes] = network_stream.read
        self._lock = threading.RLock()  # a signal handler may come in between
        self._response: Any = None
        self._deadlines = Deadlines()
        self._waiting = False
        self._interrupted = False

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines) -> NetworkReads | None:
        """Step between a response and its network stream.

        Returns:
            None if it has no network stream, or one that serves other requests at the same time.
        """
        network_stream = getattr(response, "extensions", {}).get("network_stream")
        if network_stream is None or not str(getattr(response, "http_version", "")).startswith("HTTP/1"):
            return None
        with _changing_hands:
            installed = getattr(network_stream.read, "__self__", None)
            reads = installed if isinstance(installed, cls) else cls(network_stream)
            with reads._lock:
                reads._response, reads._deadlines, reads._interrupted = response, deadlines, False
            network_stream.read = reads._read_in_time
        return reads

    def let_go(self, response: Any) -> None:
        """Step back, if no other response has come by the network stream since."""
        with _changing_hands:
            if self._response is response:
                vars(self._network_stream).pop("read", None)

    def interrupt(self, response: Any) -> None:
        """Let a response's body end here, at once if a thread is waiting for more of it; from any thread."""
        with self._lock:
            if self._response is response:
                self._interrupted = True
                if self._waiting:
                    _shut_down(self._network_stream)

    # Without the lock, which would cost at each read: who waits says so before it looks for an interruption,
    # and that it does no more before it looks again, so whoever interrupts is seen or sees that nobody waits.
    def _read_in_time(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # Once ours is closed, the connection may serve a request that is not for us to look after.
        if self._response.is_closed:
            return self._read(max_bytes, timeout)
        if self._deadlines.limited:
            wait = min(self._deadlines.wait(), inf if timeout is None else timeout)
            timeout = max(_SHORTEST_WAIT, wait)
        try:
            self._waiting = True
            data = b"" if self._interrupted else self._read(max_bytes, timeout)
        finally:
            self._waiting = False
        if not self._interrupted:
            return data
        # What has come nevertheless could end the body, and a connection that is shut down must not be kept.
        with self._lock:
            return b""


def _shut_down(network_stream: Any) -> None:
    """Shut down the socket of a synchronous network stream of httpx or httpx2, if it has one."""
    import socket

    sock = network_stream.get_extra_info("socket")
    if isinstance(sock, socket.socket):
        with suppress(OSError):  # it is not connected any more
            # Not the method of SSLSocket, which takes away what the reading thread is using.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

"""Limits and interrupts the reads of a synchronous response by its socket."""

from __future__ import annotations

from _thread import RLock  # threading itself takes long to import
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ssejet._http.sockets import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ssejet._http.deadlines import Deadlines

__all__ = ["Connection", "SocketReads"]


class Connection(NamedTuple):
    """How a response reads its connection.

    Attributes:
        inner: the inner response that reads the connection by ``read1()``.
        socket: the socket.
        is_shared: tells whether the connection serves other responses at this moment; None if it never does
            so at the same time. It is asked while the library lets no other thread use the connection.
    """

    inner: Any
    socket: Any
    is_shared: Callable[[], bool] | None = None


class SocketReads:
    """Does for a response of another library what ``NetworkReads`` does for one of httpx.

    The library reads the connection by ``read1()`` of an inner response, often more than once for one chunk.
    This replaces that method, to set how long the socket may wait, and to notice that a thread has shut the
    socket down.

    Args:
        response: the adapter of the response.
        connection: how the response reads its connection.
        deadlines: how long its reads may take.
    """

    def __init__(self, response: Any, connection: Connection, deadlines: Deadlines) -> None:
        inner, self._socket, self._is_shared = connection
        self._response: Any = response
        self._inner: Any = inner
        self._deadlines = deadlines
        self._own_timeout: float | None = self._socket.gettimeout()
        self._is_limited = False
        self._read1: Callable[[int], bytes] = inner.read1
        # There is no lock around a read, as it would cost at each. `_waiting` is set before `_interrupted`
        # is read, and reset before it is read again, so an interrupt is never missed.
        self._waiting = False
        self._interrupted = False
        self._lock = RLock()  # a signal handler may interrupt its owner

    @classmethod
    def of(cls, response: Any, find: Callable[[], Connection], deadlines: Deadlines) -> Self | None:
        """Watch the reads of a response; None if its library does not allow that.

        Args:
            response: the adapter of the response.
            find: returns how the response reads its connection. It may raise any exception.
            deadlines: how long the reads may take.
        """
        with suppress(Exception):  # the attributes are not documented
            connection = find()
            if callable(connection.socket.settimeout):
                reads = cls(response, connection, deadlines)
                connection.inner.read1 = reads.read1
                return reads
        return None

    def read1(self, size: int = -1) -> bytes:
        """Read what has arrived, within the deadlines.

        Raises:
            ConnectionAbortedError: ``interrupt()`` was called. The library closes the connection then.
            TimeoutError: no time is left.
        """
        if self._inner is None:
            return self._read1(size)
        if self._deadlines.limited:
            self._limit()
        elif self._is_limited:
            self._set_own_timeout()
        try:
            self._waiting = True
            data = b"" if self._interrupted and self._is_alone() else self._read1(size)
        finally:
            self._waiting = False
            if self._is_shared is not None:
                self._set_own_timeout()  # the next request sets its own
            if self._interrupted and self._is_alone():
                # Data that has come must not be used: it could end the body, and the library would keep the
                # connection that is shut down. The lock waits for the thread that shuts it down.
                with self._lock:
                    raise ConnectionAbortedError("the response was closed while it was read")
        return data

    def release(self) -> None:
        """Leave the inner response and the socket as they were. A second call does nothing."""
        inner, self._inner = self._inner, None
        if inner is None:
            return
        self._response = None  # else both would refer to each other
        self._set_own_timeout()
        # If another reader has replaced the method too, this one only passes its calls on.
        if vars(inner).get("read1") == self.read1:
            del inner.read1

    def interrupt(self) -> bool:
        """End the body here, and wake a thread that waits for more of it. Any thread may call this.

        A connection that serves other responses too is not shut down, so the thread wakes up when bytes
        arrive. Until then the library lets no other thread close the response.

        Returns:
            Whether the thread closes the response when it wakes up.
        """
        with self._lock:
            self._interrupted = True
            return not self._waiting or not self._is_alone() or shut_down(self)

    def get_extra_info(self, name: str) -> Any:
        """The socket, as a network stream of httpx gives it."""
        return self._socket if name == "socket" else None

    def _is_alone(self) -> bool:
        return self._is_shared is None or not self._is_shared()

    def _limit(self) -> None:
        if self._deadlines.wait() <= 0:
            raise TimeoutError("the deadline has passed")
        if not self._is_alone():
            return  # the library would close the connection, and end the other responses
        self._is_limited = True
        self._set_timeout(self._deadlines.socket_timeout(self._own_timeout))

    def _set_own_timeout(self) -> None:
        if self._is_limited:
            self._is_limited = False
            self._set_timeout(self._own_timeout)

    def _set_timeout(self, seconds: float | None) -> None:
        with suppress(OSError):  # the socket is closed
            self._socket.settimeout(seconds)

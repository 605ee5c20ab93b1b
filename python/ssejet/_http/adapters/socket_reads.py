"""Limits and interrupts the reads of a synchronous response by its socket."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from ssejet._http.sockets import SHORTEST_WAIT, shut_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ssejet._http.deadlines import Deadlines

__all__ = ["SocketReads"]


class SocketReads:
    """Does for a response of another library what ``NetworkReads`` does for one of httpx.

    The library reads the connection by ``read1()`` of an inner response, often more than once for one chunk.
    This replaces that method, to set how long the socket may wait.

    Args:
        response: the adapter of the response.
        inner: the response with the method.
        sock: the socket.
        deadlines: how long its reads may take.
    """

    def __init__(self, response: Any, inner: Any, sock: Any, deadlines: Deadlines) -> None:
        self._response: Any = response
        self._inner: Any = inner
        self._socket = sock
        self._deadlines = deadlines
        self._own_timeout: float | None = sock.gettimeout()
        self._is_limited = False
        self._read1: Callable[[int], bytes] = inner.read1

    @classmethod
    def of(cls, response: Any, find: Callable[[], tuple[Any, Any]], deadlines: Deadlines) -> Self | None:
        """Watch the reads of a response; None if its library does not allow that.

        Args:
            response: the adapter of the response.
            find: returns the inner response and the socket. It may raise any exception.
            deadlines: how long the reads may take.
        """
        with suppress(Exception):  # the attributes are not documented
            inner, sock = find()
            if callable(sock.settimeout):
                reads = cls(response, inner, sock, deadlines)
                inner.read1 = reads.read1
                return reads
        return None

    def read1(self, size: int = -1) -> bytes:
        """Read what has arrived, within the deadlines.

        Raises:
            TimeoutError: no time is left.
        """
        if self._inner is not None:
            if self._deadlines.limited:
                self._limit()
            elif self._is_limited:
                self._set_own_timeout()
        return self._read1(size)

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
        """Wake a thread that waits for more of the body. Any thread may call this.

        Returns:
            Whether the thread wakes up, or there is none.
        """
        # When the body has ended, the connection may already serve another request.
        response = self._response
        return response is None or response.is_closed or shut_down(self)

    def get_extra_info(self, name: str) -> Any:
        """The socket, as a network stream of httpx gives it."""
        return self._socket if name == "socket" else None

    def _limit(self) -> None:
        left = self._deadlines.wait()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        own = inf if self._own_timeout is None else self._own_timeout
        seconds = max(SHORTEST_WAIT, min(left, own))
        self._is_limited = True
        self._set_timeout(None if seconds == inf else seconds)

    def _set_own_timeout(self) -> None:
        if self._is_limited:
            self._is_limited = False
            self._set_timeout(self._own_timeout)

    def _set_timeout(self, seconds: float | None) -> None:
        with suppress(OSError):  # the socket is closed
            self._socket.settimeout(seconds)

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

    Args:
        response: the adapter of the response.
        sock: the socket that it reads.
        deadlines: how long its reads may take.
    """

    def __init__(self, response: Any, sock: Any, deadlines: Deadlines) -> None:
        self._response = response
        self._socket = sock
        self._deadlines = deadlines
        self._own_timeout: float | None = sock.gettimeout()
        self._is_limited = False

    @classmethod
    def of(cls, response: Any, find_socket: Callable[[], Any], deadlines: Deadlines) -> Self | None:
        """Watch the reads of a response; None if its socket cannot be found."""
        with suppress(Exception):  # these are no documented attributes
            sock = find_socket()
            if callable(sock.settimeout):
                return cls(response, sock, deadlines)
        return None

    def limit_next(self) -> None:
        """Set how long the next read may take."""
        if self._deadlines.limited:
            own = inf if self._own_timeout is None else self._own_timeout
            wait = max(SHORTEST_WAIT, min(self._deadlines.wait(), own))
            self._is_limited = True
            self._set_timeout(None if wait == inf else wait)
        elif self._is_limited:
            self.release()

    def release(self) -> None:
        """Give the socket its own timeout again. A second call does nothing."""
        if self._is_limited:
            self._is_limited = False
            self._set_timeout(self._own_timeout)

    def interrupt(self) -> bool:
        """Wake a thread that waits for more of the body. Any thread may call this.

        Returns:
            Whether the thread wakes up, or there is none.
        """
        # When the body has ended, the connection may already serve another request.
        return self._response.is_closed or shut_down(self)

    def get_extra_info(self, name: str) -> Any:
        """The socket, as a network stream of httpx gives it."""
        return self._socket if name == "socket" else None

    def _set_timeout(self, seconds: float | None) -> None:
        with suppress(OSError):  # the socket is closed
            self._socket.settimeout(seconds)

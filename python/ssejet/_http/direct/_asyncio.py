"""Reads the body of a response on asyncio from its connection."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, NoReturn

from ssejet._http.deadlines import Deadlines
from ssejet._http.direct import _anyio
from ssejet._http.direct._body import Body
from ssejet._http.direct._httpcore import Connection, find
from ssejet.errors import request_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from typing_extensions import Self

    from ssejet._core import ReadWait
    from ssejet._http.direct._anyio import Arrivals

__all__ = ["AsyncDirectChunks", "unsupported"]


def unsupported(connection: Connection) -> str | None:
    """Why this kind of connection cannot be read directly; None if it can."""
    return _anyio.unsupported(connection.network_stream)


class AsyncDirectChunks:
    """The chunks of a response on asyncio, read from its connection.

    A cancelled read loses nothing: what arrives stays here until a read takes it.

    Attributes:
        lost: whether a cancelled read has ended the body. It never does.
        arrived: what has arrived of the body; its ``size`` says how much of that was not taken.
    """

    __slots__ = (
        "_arrivals",
        "_body",
        "_closing",
        "_deadlines",
        "_is_closed",
        "_is_in_time",
        "_response",
        "_timeout",
        "arrived",
    )

    lost = False

    def __init__(self, connection: Connection, response: Any, deadlines: Deadlines) -> None:
        self._response = response
        self._deadlines = deadlines
        self._timeout = connection.read_timeout
        # Whether the deadlines know that a read has begun.
        self._is_in_time = False
        self._is_closed = False
        self._closing: asyncio.Future[None] | None = None
        self._body = Body(connection)
        self._arrivals: Arrivals = _anyio.arrivals_of(
            connection.network_stream, self._body, connection.take(response)
        )
        connection.replace_stream(self._arrivals)
        self.arrived = self._arrivals

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines | None = None) -> Self | None:
        """Take over the connection of a response; None if it cannot be read directly."""
        connection = find(response, "async")
        if isinstance(connection, str) or unsupported(connection):
            return None
        return cls(connection, response, Deadlines() if deadlines is None else deadlines)

    def __aiter__(self) -> Self:
        return self

    async def fetch(self) -> bytes:
        """The next bytes of the body.

        Raises:
            StopAsyncIteration: the body has ended.
        """
        while True:
            if not self.arrived.size:
                await self.wait()
            if chunk := self.take():
                return chunk

    __anext__ = fetch

    @property
    def has_ends(self) -> bool:
        """Whether a deadline spans several waits."""
        return self._deadlines.has_ends

    def poll(self) -> bytes | ReadWait | None:
        """The next bytes of the body, or what to await if there are none; None if only ``fetch()`` can go on.

        If the wait was not ``in_time``, ask ``late_error()``.
        """
        if self._is_closed or self._deadlines.has_ends:
            return None
        if self.arrived.size:
            return self.take()
        return None if self._body.is_over else self._begin_wait(self._deadlines.idle)

    def late_error(self) -> Exception | None:
        """The error of a wait that took too long; None if the body has ended by the error."""
        return None if self._body.is_over else self._deadlines.error(request_of(self._response))

    # The parts of fetch(), for a caller that reads so often that one more coroutine would cost too much.

    def wait(self) -> Awaitable[object]:
        """Wait until there may be something to take.

        Raises:
            StopAsyncIteration: the body has ended. It is raised when the wait is awaited.
        """
        if self._body.is_over:
            return self._end()
        deadlines = self._deadlines
        limit = self._begin() if deadlines.has_ends else deadlines.idle
        if limit is None or (self._timeout is not None and self._timeout <= limit):
            return self._begin_wait(limit)
        return self._wait_in_time(limit)

    def _begin_wait(self, limit: float | None) -> ReadWait:
        """Begin a wait that ends after the client's read timeout, or after the limit if that is shorter."""
        timeout = self._timeout
        if limit is None or (timeout is not None and timeout <= limit):
            return self._arrivals.wait(timeout)
        return self._arrivals.wait(None if limit == inf else limit, fails=False)

    def take(self) -> bytes:
        """Take the next bytes of the body that have arrived; ``b""`` if there are none."""
        if self._deadlines.has_ends:
            self._begin()
        arrived = self.arrived
        if not arrived.size:
            return b""
        self._is_in_time = False
        chunk = arrived.take()
        self._response._num_bytes_downloaded += len(chunk)
        return chunk

    def _begin(self) -> float:
        """Tell the deadlines that a read has begun, and return how many seconds it may still wait."""
        if self._is_in_time:
            return self._deadlines.wait()
        self._is_in_time = True
        return self._deadlines.begin(request_of(self._response))

    async def _wait_in_time(self, limit: float) -> None:
        wait = self._begin_wait(limit)
        await wait
        if not wait.in_time:
            raise self._deadlines.error(request_of(self._response))

    async def _end(self) -> NoReturn:
        self.release_connection()
        self._body.end()
        # A task closes the response: a cancelled read must not leave it half closed. The next read waits too.
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._response.aclose())
        await asyncio.shield(self._closing)
        self._body.raise_failure()
        raise StopAsyncIteration

    def on_cancelled(self) -> None:
        """Do nothing: the next read goes on."""

    def release_connection(self) -> None:
        """Stop reading the connection, and hand it back."""
        self._arrivals.release()

    async def aclose(self) -> None:
        """Stop reading."""
        self._is_closed = True
        self.release_connection()

    def __del__(self) -> None:
        # The event loop would keep a connection that it reads.
        if hasattr(self, "_arrivals"):
            self._arrivals.release_soon()

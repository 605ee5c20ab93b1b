"""Reads the body of a response on asyncio from its connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

from ssejet._http.deadlines import Deadlines
from ssejet._http.direct import _anyio
from ssejet._http.direct._body import Body
from ssejet._http.direct._httpcore import Connection, find
from ssejet.errors import request_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from typing_extensions import Self

    from ssejet._http.direct._arrivals import Arrivals

__all__ = ["AsyncDirectChunks", "unsupported"]


def unsupported(connection: Connection) -> str | None:
    """Why this kind of connection cannot be read directly; None if it can."""
    return _anyio.unsupported(connection.network_stream)


class AsyncDirectChunks:
    """The chunks of a response on asyncio, read from its connection.

    A cancelled read loses nothing: what arrives stays here until a read takes it.

    Attributes:
        lost: whether a cancelled read has ended the body. It never does.
        response: the response.
        arrived: what has arrived of the body; its ``size`` says how much of that was not taken.
    """

    __slots__ = ("_body", "_closing", "_deadlines", "_is_in_time", "arrived", "response")

    lost = False

    def __init__(self, response: Any, body: Body, arrived: Arrivals, deadlines: Deadlines) -> None:
        self.response = response
        self.arrived: Arrivals = arrived
        self._body = body
        self._deadlines = deadlines
        # Whether the deadlines know that a read has begun.
        self._is_in_time = False
        self._closing: asyncio.Future[None] | None = None

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines | None = None) -> Self | None:
        """Take over the connection of a response; None if it cannot be read directly."""
        connection = find(response, "async")
        if isinstance(connection, str) or unsupported(connection):
            return None
        body = Body(connection)
        arrived = _anyio.arrivals_of(connection.network_stream, body, connection.take(response))
        connection.replace_stream(arrived)
        return cls(response, body, arrived, Deadlines() if deadlines is None else deadlines)

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

    @property
    def idle(self) -> float | None:
        """How many seconds one wait may last, if the client's read timeout is not shorter."""
        return self._deadlines.idle

    def late_error(self) -> Exception | None:
        """The error of a wait that took too long; None if the body has ended, perhaps by that error."""
        return None if self._body.is_over else self._deadlines.error(request_of(self.response))

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
        return self.arrived.wait() if limit is None else self._wait_in_time(limit)

    def take(self) -> bytes:
        """Take the next bytes of the body that have arrived; ``b""`` if there are none."""
        if self._deadlines.has_ends:
            self._begin()
        chunk = self.arrived.take(self.response)
        if chunk:
            self._is_in_time = False
        return chunk

    def _begin(self) -> float:
        """Tell the deadlines that a read has begun, and return how many seconds it may still wait."""
        if self._is_in_time:
            return self._deadlines.wait()
        self._is_in_time = True
        return self._deadlines.begin(request_of(self.response))

    async def _wait_in_time(self, limit: float) -> None:
        wait = self.arrived.wait(limit)
        await wait
        if not wait.in_time and (error := self.late_error()) is not None:
            raise error

    async def _end(self) -> NoReturn:
        self.release_connection()
        self._body.end()
        # A task closes the response: a cancelled read must not leave it half closed. The next read waits too.
        if self._closing is None:
            self._closing = asyncio.ensure_future(self.response.aclose())
        await asyncio.shield(self._closing)
        self._body.raise_failure()
        raise StopAsyncIteration

    def on_cancelled(self) -> None:
        """Do nothing: the next read goes on."""

    def release_connection(self) -> None:
        """End the body here, unless it is over, and hand the connection back."""
        self.arrived.close()

    async def aclose(self) -> None:
        """Stop reading."""
        self.release_connection()

    def __del__(self) -> None:
        # The event loop would keep a connection that it reads.
        if hasattr(self, "arrived"):
            self.arrived.close_soon()

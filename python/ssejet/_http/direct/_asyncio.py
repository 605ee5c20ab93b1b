"""Reads the body of a response on asyncio from its connection."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NoReturn

from ssejet._http.deadlines import Deadlines
from ssejet._http.direct import _anyio
from ssejet._http.direct._body import Body
from ssejet._http.direct._httpcore import Connection, find
from ssejet.errors import request_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from ssejet._http.direct._anyio import Arrivals

__all__ = ["AsyncDirectChunks", "unsupported"]


def unsupported(connection: Connection) -> str | None:
    """Why this kind of connection cannot be read directly; None if it can."""
    return _anyio.unsupported(connection.network_stream)


class AsyncDirectChunks:
    """The chunks of a response on asyncio, read from its connection.

    A cancelled read loses nothing: what arrives stays here until a read takes it.

    Attributes:
        lost: whether a cancelled read has ended the body: never.
    """

    lost = False

    def __init__(self, connection: Connection, response: Any, deadlines: Deadlines) -> None:
        self._response = response
        self._deadlines = deadlines
        self._timeout = connection.read_timeout
        self._body = Body(connection)
        self._arrivals: Arrivals = _anyio.arrivals_of(
            connection.network_stream, self._body, connection.take(response)
        )
        connection.replace_stream(self._arrivals)

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
        arrivals, deadlines = self._arrivals, self._deadlines
        limit = deadlines.begin(request_of(self._response)) if deadlines.limited else inf
        while not arrivals.payloads:
            if self._body.is_over:
                await self._end()
            timeout = self._timeout
            if timeout is None or limit < timeout:
                timeout = None if limit == inf else limit
            await arrivals.wait(timeout)
            if arrivals.timed_out:
                arrivals.timed_out = False
                if timeout is limit:
                    raise deadlines.error(request_of(self._response))
                self._body.fail("ReadTimeout")
            elif deadlines.limited:
                limit = deadlines.wait()
        payload = arrivals.take()
        self._response._num_bytes_downloaded += len(payload)
        return payload

    __anext__ = fetch

    async def _end(self) -> NoReturn:
        self.release_connection()
        try:
            self._body.end()
        finally:
            await self._response.aclose()
        raise StopAsyncIteration

    def on_cancelled(self) -> None:
        """Do nothing: the next read goes on."""

    def release_connection(self) -> None:
        """Stop reading the connection, and hand it back."""
        self._arrivals.release()

    async def aclose(self) -> None:
        """Stop reading."""
        self.release_connection()

    def __del__(self) -> None:
        # The event loop would keep a connection that it reads.
        if hasattr(self, "_arrivals"):
            self._arrivals.release_soon()

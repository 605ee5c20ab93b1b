"""What the adapters of all libraries share.

An adapter gives a response of another library the members of httpx's that the readers use. The user never
sees it: ``original_of()`` gives the response that the user has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ssejet._http.adapters.socket_reads import SocketReads
from ssejet._http.response import has_error_status, has_event_stream_type
from ssejet._http_types import AdaptedResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from typing_extensions import Self

    from ssejet._http.adapters.socket_reads import Connection
    from ssejet._http.deadlines import Deadlines
    from ssejet._http.direct._asyncio import AsyncDirectChunks

__all__ = [
    "READ_SIZE",
    "AsyncChunks",
    "AsyncResponseAdapter",
    "ResponseAdapter",
    "SyncResponseAdapter",
    "version_text",
]

# How many bytes one read may take: as many as four TLS records hold.
READ_SIZE = 64 * 1024


class ResponseAdapter(AdaptedResponse):
    """The base class of all adapters."""

    connection_errors: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Exceptions that mean a broken connection when this response raises them: module and name. For those
    that mean it in any case see ``failures``."""

    has_total_timeout: ClassVar[bool] = False
    """Whether a ``TimeoutError`` among the ``connection_errors`` is about the whole response."""

    remedy: ClassVar[str] = "ask for the response with stream=True"
    """How the user gets a response whose body was not read."""

    def __repr__(self) -> str:
        return repr(self.original)

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.original.status  # type: ignore[no-any-return]

    @property
    def headers(self) -> Any:
        """The headers, which find a name in any case of its letters."""
        return self.original.headers

    @property
    def request(self) -> Any:
        """The request as the library has it; None if the response does not know it."""
        return None

    @property
    def http_version(self) -> str:
        """The HTTP version, such as ``HTTP/1.1``; ``""`` if it is unknown."""
        return version_text(getattr(self._raw(), "version", None))

    @property
    def is_closed(self) -> bool:
        """Whether the body has ended or the response is closed."""
        return bool(getattr(self._raw(), "closed", False))

    def closed_check(self) -> Callable[[], bool]:
        """A function that tells whether the response is closed, and does not keep it alive.

        It is for the time when the response is gone. Many responses close themselves before they go.
        """
        return lambda: True

    def _raw(self) -> Any:
        """The object that reads the connection."""
        return self.original

    def _content(self) -> bytes | None:
        """The whole body, if the library has read it."""
        return None

    def _is_consumed(self) -> bool:
        """Whether the body has been read, so that there is nothing to read."""
        return self.is_closed

    def _body_already_read(self) -> Iterator[bytes]:
        """The body that was already read, if it is needed for an error.

        Raises:
            RuntimeError: this is an event stream, but its events have not been kept, or came all at once.
        """
        content = self._content()
        if content is not None and (has_error_status(self) or not has_event_stream_type(self)):
            if content:
                yield content
        elif content is not None:
            raise RuntimeError(
                "the body of this response was read before its events could be seen one by one: "
                f"{self.remedy}"
            )
        else:
            raise RuntimeError(
                "the body of this response has already been read or closed: read it only once, "
                f"through ssejet, and {self.remedy}"
            )


class SyncResponseAdapter(ResponseAdapter):
    """The base class of the adapters of synchronous responses."""

    def __init__(self, response: Any) -> None:
        super().__init__(response)
        self._reads: SocketReads | None = None

    def network_reads(self, deadlines: Deadlines) -> SocketReads | None:
        """What limits and interrupts the reads; None if the library does not allow that."""
        self._reads = SocketReads.of(self, self._connection, deadlines)
        return self._reads

    def iter_bytes(self) -> Iterator[bytes]:
        """Iterate over the body, decompressed, as it arrives."""
        if self._is_consumed():
            yield from self._body_already_read()
            return
        read = self._read_function()
        while chunk := read(READ_SIZE):
            yield chunk

    def close(self) -> None:
        """Release the connection."""
        self.original.close()

    def _read_function(self) -> Callable[[int], bytes]:
        """A function that returns what has arrived, at most so many bytes; ``b""`` at the end of the body."""
        raise NotImplementedError

    def _connection(self) -> Connection:
        """How the response reads its connection.

        Raises:
            Exception: any one, if that cannot be found out.
        """
        raise NotImplementedError


class AsyncResponseAdapter(ResponseAdapter):
    """The base class of the adapters of asynchronous responses."""

    resumable: ClassVar[bool] = False
    """Whether a read that was cancelled can be repeated, and loses nothing."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body, decompressed, as it arrives."""
        return _KnownChunks(self._body_already_read()) if self._is_consumed() else self._unread_chunks()

    def _unread_chunks(self) -> AsyncIterator[bytes]:
        """An iterator over a body that was not read."""
        return AsyncChunks(self)

    def chunks_as_they_arrive(self, deadlines: Deadlines) -> AsyncDirectChunks | None:
        """The chunks of a body that was not read, without the library's coroutines; None if it needs them."""
        return None

    async def read(self) -> bytes:
        """What has arrived; ``b""`` at the end of the body."""
        raise NotImplementedError

    async def end_reading(self) -> None:
        """Close what a read has opened, other than the response."""

    async def aclose(self) -> None:
        """Release the connection."""
        raise NotImplementedError


class AsyncChunks:
    """Iterates over a body. It is no async generator, as a cancelled read would end one."""

    def __init__(self, response: AsyncResponseAdapter) -> None:
        self._response = response
        self._read = response.read

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes."""
        if chunk := await self._read():
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close what the reads have opened."""
        await self._response.end_reading()


class _KnownChunks:
    """Iterates asynchronously over a body that was already read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


def version_text(version: Any) -> str:
    """The HTTP version of ``http.client``'s number, such as 11."""
    if not isinstance(version, int):
        return ""
    return f"HTTP/{version // 10}.{version % 10}" if version < 20 else f"HTTP/{version // 10}"

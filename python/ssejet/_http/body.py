"""Iterates over the bytes of a response's body, as they arrive."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import AsyncResponseAdapter
from ssejet._http.response import is_httpx_response
from ssejet._http.sockets import ResumableReads
from ssejet._lazy import loaded
from ssejet.errors import APIConnectionError, request_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from ssejet._http.response import AsyncByteResponse, ByteResponse

__all__ = ["AsyncChunks", "ResumableChunks", "aclose_chunks", "iter_chunks"]

# A cancelled read still gives what has been received: more chunks than a buffer holds.
_MAX_BUFFERED_CHUNKS = 20_000


def iter_chunks(response: ByteResponse) -> Iterator[bytes]:
    """Iterate over the body as it arrives, decompressed."""
    plain: Any = response
    return iter(plain.iter_raw() if _is_plain(response) else response.iter_bytes())


class AsyncChunks:
    """An iterator over the body as it arrives, decompressed, and the iterators that it wraps.

    httpx's iterators leave the iterators that they wrap to the garbage collector: when they are closed, and
    when decompression fails. So this keeps the iterator over the raw bytes, and closes it.
    """

    def __init__(self, response: AsyncByteResponse) -> None:
        plain: Any = response
        self._response = plain
        self._raw: Any = None
        self.iterator: Any
        if _is_plain(response):
            self.iterator = aiter(plain.aiter_raw())
        elif _is_compressed(response):
            self._raw = plain.aiter_raw()
            self.iterator = aiter(type(plain).aiter_bytes(_ResponseWithRaw(response, self._raw)))
        else:
            self.iterator = aiter(response.aiter_bytes())

    async def aclose(self) -> None:
        """Close the iterators, the outer one first."""
        await aclose_chunks(self.iterator, self._response)
        if self._raw is not None:
            await aclose_chunks(self._raw, self._response)


class ResumableChunks:
    """The chunks of an asynchronous response. A cancelled read does not look like the end of the body.

    After a cancelled read the next one goes on where it was, if the connection allows that; if not, it raises
    an error.

    Args:
        response: the response.
        resumable: whether a read may go on after a cancelled one, which costs a little at each read.

    Attributes:
        lost: whether a cancelled read has ended the iterators, so that no read can go on.
    """

    def __init__(self, response: AsyncByteResponse, *, resumable: bool = True) -> None:
        self.lost: bool = False
        self._response = response
        self._chunks = AsyncChunks(response)
        self._can_repeat = resumable and isinstance(response, AsyncResponseAdapter) and response.resumable
        self._reads = (
            ResumableReads.of(response, self._chunks.iterator)
            if resumable and not isinstance(response, AsyncResponseAdapter)
            else None
        )
        # Starts a read: the iterator's own method, where a cancelled read cannot go on.
        self.fetch: Callable[[], Awaitable[bytes]] = (
            self._chunks.iterator.__anext__ if self._reads is None else self._reads.fetch
        )

    def on_cancelled(self) -> None:
        """Find out whether the next read can go on after a cancelled one."""
        self.lost = not self._can_repeat and (self._reads is None or not self._reads.suspended)

    def error(self) -> APIConnectionError:
        """The error for a read that follows a cancelled one and cannot go on."""
        return APIConnectionError(
            "an earlier read of this response was cancelled, which ended it: the rest is lost. Send the "
            "request again. To limit a wait, pass idle_timeout or data_timeout, or read in a task and pass "
            "it to asyncio.wait(), which cancels nothing",
            request=request_of(self._response),
        )

    def release_connection(self) -> None:
        """Stop watching the network stream."""
        if self._reads is not None:
            self._reads.release()

    async def aclose(self) -> None:
        """Close the iterators, the outer one first."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            if self._reads is not None:
                await self._reads.drop()
                self.release_connection()
            await self._chunks.aclose()


class _ResponseWithRaw:
    """A response for httpx's ``aiter_bytes``, with an iterator of ours over the raw bytes."""

    def __init__(self, response: Any, raw: AsyncIterator[bytes]) -> None:
        self._given_response = response
        self._given_raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._given_response, name)

    def aiter_raw(self, chunk_size: int | None = None) -> _Unclosed:
        return _Unclosed(self._given_raw)


class _Unclosed:
    """An iterator that stays open when httpx2 closes it: closing it would leave those that it wraps open."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        pass


def _is_compressed(response: Any) -> bool:
    """Whether httpx decompresses the body, by its own methods, which no subclass has changed."""
    classes = loaded(("httpx", "Response"), ("httpx2", "Response"))
    own = type(response)
    return (
        is_httpx_response(response)
        and "content-encoding" in response.headers
        and not response.is_stream_consumed
        and not response.is_closed
        and any(own.aiter_bytes is each.aiter_bytes and own.aiter_raw is each.aiter_raw for each in classes)
    )


def _is_plain(response: Any) -> bool:
    """Whether httpx's iterator over the raw bytes, which costs less, gives the body itself."""
    return (
        is_httpx_response(response)
        and "content-encoding" not in response.headers
        and not response.is_stream_consumed
    )


async def aclose_chunks(chunks: AsyncIterator[bytes], response: Any) -> None:
    """Close an iterator over the bytes of a response before its end. No other code may read from it.

    A closed iterator of httpx leaves the iterators inside it to the garbage collector, and trio warns about
    this. A cancelled read ends all of them.
    """
    if is_httpx_response(response):
        from anyio import CancelScope

        with CancelScope() as scope, suppress(Exception):
            scope.cancel()
            for _ in range(_MAX_BUFFERED_CHUNKS):
                await anext(chunks)
    if hasattr(chunks, "aclose"):
        await chunks.aclose()

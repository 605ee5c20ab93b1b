"""The bytes of a response's body, as they arrive."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet._lazy import loaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssejet._http.response import AsyncByteResponse, ByteResponse

__all__ = ["AsyncChunks", "aclose_chunks", "iter_chunks"]

# What has been received already is given although the read is cancelled: more chunks than a buffer holds.
_MOST_BUFFERED_CHUNKS = 20_000


def iter_chunks(response: ByteResponse) -> Iterator[bytes]:
    """Iterate over the body as it arrives, decompressed."""
    plain: Any = response
    return iter(plain.iter_raw() if _is_plain(response) else response.iter_bytes())


class AsyncChunks:
    """An iterator over the body as it arrives, decompressed, and what there is to close in the end.

    httpx's iterators wrap others, which they leave to the garbage collector when they are closed, or when
    decompression fails. So the one over what is received is kept here.
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
            self.iterator = aiter(type(plain).aiter_bytes(_WithRaw(response, self._raw)))
        else:
            self.iterator = aiter(response.aiter_bytes())

    async def aclose(self) -> None:
        """Close the iterators in order."""
        await aclose_chunks(self.iterator, self._response)
        if self._raw is not None:
            await aclose_chunks(self._raw, self._response)


class _WithRaw:
    """A response of httpx as its ``aiter_bytes`` sees it, with an iterator of ours over what is received."""

    def __init__(self, response: Any, raw: AsyncIterator[bytes]) -> None:
        self._given_response = response
        self._given_raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._given_response, name)

    def aiter_raw(self, chunk_size: int | None = None) -> _Kept:
        return _Kept(self._given_raw)


class _Kept:
    """An iterator that is not closed when httpx2 closes it: that would leave those which it wraps."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        pass


def _is_compressed(response: Any) -> bool:
    """Whether httpx decompresses the body, by methods of its own that no subclass has changed."""
    kinds = loaded(("httpx", "Response"), ("httpx2", "Response"))
    kind = type(response)
    return (
        isinstance(response, kinds)
        and "content-encoding" in response.headers
        and not response.is_stream_consumed
        and not response.is_closed
        and any(kind.aiter_bytes is each.aiter_bytes and kind.aiter_raw is each.aiter_raw for each in kinds)
    )


def _is_plain(response: Any) -> bool:
    """Whether httpx's iterator over what is received, which costs less, gives the body itself."""
    return (
        isinstance(response, loaded(("httpx", "Response"), ("httpx2", "Response")))
        and "content-encoding" not in response.headers
        and not response.is_stream_consumed
    )


async def aclose_chunks(chunks: AsyncIterator[bytes], response: Any) -> None:
    """Close an iterator over the bytes of a response that was left early, and that nobody else has read from.

    httpx's iterators wrap others that they leave to the garbage collector when they are closed, which trio
    warns of. A cancelled read ends them all.
    """
    if isinstance(response, loaded(("httpx", "Response"), ("httpx2", "Response"))):
        from anyio import CancelScope

        with CancelScope() as scope, suppress(Exception):
            scope.cancel()
            for _ in range(_MOST_BUFFERED_CHUNKS):
                await anext(chunks)
    if hasattr(chunks, "aclose"):
        await chunks.aclose()

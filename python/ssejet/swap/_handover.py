"""Lets an SDK read the rest of a response of which ssejet has read the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._core import UntilError
from ssejet._http.direct import ResponseBytes
from ssejet._http.direct._asyncio import AsyncDirectChunks
from ssejet.swap._twins import copy_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["AsyncBytes", "Bytes"]


class Bytes:
    """The bytes of a response of httpx or httpx2. Iteration ends at an error, which is kept for the rest.

    Args:
        response: the response.
    """

    def __init__(self, response: Any) -> None:
        self._response = response
        self._chunks = iter(ResponseBytes(response))
        self._read = UntilError(self._chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._read

    def rest(self, *first: bytes) -> Any:
        """Give a copy of the response that has these bytes, those that were not read, and the error."""
        return copy_of(self._response, iter_bytes=lambda *_, **__: self._rest(first))

    def _rest(self, first: tuple[bytes, ...]) -> Iterator[bytes]:
        yield from filter(None, first)
        if self._read.error is not None:
            raise self._read.error
        yield from self._chunks

    def close(self) -> None:
        """Close the iterator over the bytes."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class AsyncBytes:
    """The bytes of an asynchronous response, see ``Bytes``."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._chunks: Any = aiter(ResponseBytes(response))
        self._error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._chunks
        direct = chunks if isinstance(chunks, AsyncDirectChunks) else None
        try:
            if direct is None:
                async for chunk in chunks:
                    yield chunk
                return
            while True:  # this is `async for` inlined: a coroutine for each chunk would cost much
                if not direct.arrived.size:
                    await direct.wait()
                yield direct.take()
        except StopAsyncIteration:
            pass
        except Exception as error:
            self._error = error

    def rest(self, *first: bytes) -> Any:
        """Give a copy of the response that has these bytes, those that were not read, and the error."""
        return copy_of(self._response, aiter_bytes=lambda *_, **__: self._rest(first))

    async def _rest(self, first: tuple[bytes, ...]) -> AsyncIterator[bytes]:
        for chunk in filter(None, first):
            yield chunk
        if self._error is not None:
            raise self._error
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        """Close the iterator over the bytes, and the response."""
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()
        await self._response.aclose()

"""The bytes of a response's body, by the fastest way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._http.response import is_httpx_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssejet._http.deadlines import Deadlines
    from ssejet._http.direct._asyncio import AsyncDirectChunks

__all__ = ["ResponseBytes", "direct_async_chunks"]


class ResponseBytes:
    """The bytes of a body, decompressed. Reading begins with the iteration, not before.

    Errors are those of the response's library.

    Args:
        response: a response that has ``iter_bytes()`` or ``aiter_bytes()``.
        direct: whether its socket may be read.
    """

    def __init__(self, response: Any, *, direct: bool = True) -> None:
        self._response = response
        self._is_direct = direct and is_httpx_response(response)

    def __iter__(self) -> Iterator[bytes]:
        if self._is_direct:
            from ssejet._http.direct._sync import DirectChunks

            chunks = DirectChunks.of(self._response)
            if chunks is not None and chunks.begin():
                return chunks
        return iter(self._response.iter_bytes())

    def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = direct_async_chunks(self._response) if self._is_direct else None
        return aiter(self._response.aiter_bytes()) if chunks is None else chunks


def direct_async_chunks(response: Any, deadlines: Deadlines | None = None) -> AsyncDirectChunks | None:
    """Begin to read a response directly; None if that is not possible.

    Args:
        response: the response.
        deadlines: how long reads may take.
    """
    if not is_httpx_response(response):
        return None
    from ssejet._http.direct._asyncio import AsyncDirectChunks

    return AsyncDirectChunks.of(response, deadlines)

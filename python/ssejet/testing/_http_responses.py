"""Responses of the client's library, httpx or httpx2."""

from __future__ import annotations

import copy
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from ssejet._http.response import is_httpx_response as is_response
from ssejet._media_type import EVENT_STREAM
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.emit._closing import aclose, close

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["as_exception_of", "is_response", "library_of", "make_response"]


def library_of(request: Any) -> Any:
    """The module that a request or a response belongs to."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def as_exception_of(library: Any, error: BaseException, request: Any) -> BaseException:
    """The same exception, as one of the client's library with the request of this call."""
    cls = type(error)
    if cls.__module__.partition(".")[0] not in ("httpx", "httpx2"):
        return error
    try:
        return getattr(library, cls.__name__)(str(error), request=request)  # type: ignore[no-any-return]
    except (AttributeError, TypeError):
        return error


def make_response(answer: Any, request: Any) -> Any:
    """Make a response of the request's library.

    The response and its stream are new each time, because one answer may serve several calls at once.

    Args:
        answer: an ``EventStream`` or ``AsyncEventStream``, or a response of either library.
        request: the request.

    Raises:
        TypeError: the answer is something else.
    """
    library = library_of(request)
    if isinstance(answer, (EventStream, AsyncEventStream)):
        headers = [("content-type", EVENT_STREAM)]
        return library.Response(200, headers=headers, stream=_body_class(library)(copy.copy(answer)))
    if is_response(answer):
        headers = list(answer.headers.raw)
        return library.Response(
            answer.status_code,
            headers=headers,
            stream=_body_class(library)(answer.stream),
            extensions=dict(answer.extensions),
        )
    raise TypeError(
        f"a mock answers with a response of httpx or httpx2, an EventStream or an AsyncEventStream, not "
        f"{type(answer).__name__}"
    )


@cache
def _body_class(library: Any) -> Any:
    class Body(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        """A body that can be read once, as a real one, and fails with the library's own exception.

        A second iteration gives what the first one left. openai drains bodies in this way.
        """

        def __init__(self, source: Any) -> None:
            self._source = source
            self._pieces: Any = None

        def __iter__(self) -> Iterator[bytes]:
            if self._pieces is None:
                self._pieces = self._read()
            return self._pieces  # type: ignore[no-any-return]

        def __aiter__(self) -> AsyncIterator[bytes]:
            if self._pieces is None:
                self._pieces = self._aread()
            return self._pieces  # type: ignore[no-any-return]

        def _read(self) -> Iterator[bytes]:
            if not hasattr(self._source, "__iter__"):
                kind = type(self._source).__name__
                raise TypeError(f"{kind} is async, but the client is not: answer with an EventStream")
            try:
                yield from self._source
            except OSError as error:
                raise library.ReadError(str(error)) from error

        async def _aread(self) -> AsyncIterator[bytes]:
            try:
                if hasattr(self._source, "__aiter__"):
                    async for piece in self._source:
                        yield piece
                else:
                    for piece in self._source:
                        yield piece
            except OSError as error:
                raise library.ReadError(str(error)) from error

        def close(self) -> None:
            close(self._source)

        async def aclose(self) -> None:
            close(self._source)
            await aclose(self._source)

    return Body

"""httpx2's public interface on ssejet's decoder: ``import ssejet.swap.httpx2 as httpx2``.

``EventSource``, ``ServerSentEvent``, and the ``sse()`` method of ``Client`` and ``AsyncClient`` are ssejet's;
everything else is httpx2's. Blocks without data are dispatched as httpx2 does.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import httpx2

from ssejet._core import ServerSentEvent as Event
from ssejet.swap._event_iteration import DEFAULT_LIMIT, SwappedEvent, asynchronous, synchronous

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = list(httpx2.__all__)


def __getattr__(name: str) -> Any:
    return getattr(httpx2, name)


def _check_content_type(source: Any) -> None:
    content_type = source.response.headers.get("content-type", "").partition(";")[0].strip()
    if content_type.lower() != "text/event-stream":
        error = httpx2.SSEError(
            f"Expected response with content type 'text/event-stream', got {content_type!r}."
        )
        error.request = source.response.request
        raise error


def too_large(response: Any, limit: int) -> httpx2.SSEError:
    """Make httpx2's error for an event that is larger than the limit, in bytes."""
    error = httpx2.SSEError(f"Server-sent event exceeded the {limit} byte limit.")
    error.request = response.request
    return error


class ServerSentEvent(metaclass=SwappedEvent):
    """Makes ``ssejet.ServerSentEvent``s with the arguments of httpx2's class."""

    def __new__(  # type: ignore[misc]
        cls, event: str = "message", data: str = "", id: str = "", retry: int | None = None
    ) -> Event:
        """Make an event."""
        return Event(event=event, data=data, id=id, retry=retry)


_iterate = synchronous("httpx2", _check_content_type, too_large)
_aiterate = asynchronous("httpx2", _check_content_type, too_large)


class EventSource:
    """The events of a response.

    Iterating raises ``SSEError`` if the response is not an event stream, or an event is too large.

    Args:
        response: the response of a streaming request.
        max_event_size: the limit for one event in bytes, None for no limit.
    """

    def __init__(self, response: Any, max_event_size: int | None = DEFAULT_LIMIT) -> None:
        self._response = response
        self._max_event_size = max_event_size

    @property
    def response(self) -> Any:
        """The response."""
        return self._response

    def __iter__(self) -> Iterator[Event]:
        return _iterate(self)

    def __aiter__(self) -> AsyncIterator[Event]:
        return _aiterate(self)


class Client(httpx2.Client):
    """httpx2's client, whose ``sse()`` returns ssejet's event source."""

    @contextmanager
    def sse(  # type: ignore[override]  # httpx2's has another event source
        self, *args: Any, max_event_size: int | None = DEFAULT_LIMIT, **kwargs: Any
    ) -> Iterator[EventSource]:
        """Send a request for an event stream, with the arguments of httpx2's method.

        Args:
            args: those of httpx2's method.
            max_event_size: the most bytes of one event; None for no limit.
            kwargs: those of httpx2's method.
        """
        with super().sse(*args, **kwargs) as source:
            yield EventSource(source.response, max_event_size)


class AsyncClient(httpx2.AsyncClient):
    """httpx2's asynchronous client, whose ``sse()`` returns ssejet's event source."""

    @asynccontextmanager
    async def sse(  # type: ignore[override]
        self, *args: Any, max_event_size: int | None = DEFAULT_LIMIT, **kwargs: Any
    ) -> AsyncIterator[EventSource]:
        """Send a request for an event stream, with the arguments of httpx2's method.

        Args:
            args: those of httpx2's method.
            max_event_size: the most bytes of one event; None for no limit.
            kwargs: those of httpx2's method.
        """
        async with super().sse(*args, **kwargs) as source:
            yield EventSource(source.response, max_event_size)

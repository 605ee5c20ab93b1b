"""httpx-sse's public interface on ssejet's decoder: ``import ssejet.swap.httpx_sse as httpx_sse``.

It accepts clients and responses of httpx and httpx2. It follows the standard where httpx-sse does not, with
one exception: it dispatches blocks without data as httpx-sse does.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from ssejet._core import ServerSentEvent as Event
from ssejet._core import __version__
from ssejet.errors import EventTooLargeError
from ssejet.swap._event_iteration import SwappedEvent, asynchronous, synchronous

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

__all__ = ["EventSource", "SSEError", "ServerSentEvent", "__version__", "aconnect_sse", "connect_sse"]


class SSEError(httpx.TransportError):
    """The response is not an event stream, or one of its events is too large."""


def _check_content_type(source: Any) -> None:
    content_type = source.response.headers.get("content-type", "").partition(";")[0]
    if "text/event-stream" not in content_type:
        raise SSEError(
            f"Expected response header Content-Type to contain 'text/event-stream', got {content_type!r}"
        )


def _too_large(_: object, limit: int) -> SSEError:
    return SSEError(str(EventTooLargeError(limit)))


class ServerSentEvent(metaclass=SwappedEvent):
    """Makes ``ssejet.ServerSentEvent``s with the arguments of httpx-sse's class."""

    def __new__(  # type: ignore[misc]
        cls,
        event: str | None = None,
        data: str | None = None,
        id: str | None = None,
        retry: int | None = None,
    ) -> Event:
        """Make an event; absent arguments and None mean an event's defaults."""
        return Event(event=event or "message", data=data or "", id=id or "", retry=retry)


_iterate = synchronous("httpx-sse", _check_content_type, _too_large)
_aiterate = asynchronous("httpx-sse", _check_content_type, _too_large)


class EventSource:
    """The events of a response.

    Iterating raises ``SSEError`` if the content type is not ``text/event-stream``, or if an event is larger
    than 64 MiB.

    Args:
        response: the response of a streaming request.
    """

    def __init__(self, response: Any) -> None:
        self._response = response

    @property
    def response(self) -> Any:
        """The response."""
        return self._response

    def iter_sse(self) -> Iterator[Event]:
        """Iterate over the events of a synchronous response."""
        return _iterate(self)

    def aiter_sse(self) -> AsyncGenerator[Event, None]:
        """Iterate over the events of an asynchronous response."""
        return _aiterate(self)


@contextmanager
def connect_sse(client: Any, method: str, url: Any, **kwargs: Any) -> Iterator[EventSource]:
    """Send a request for an event stream, and close its response at the end of the ``with`` block.

    Args:
        client: a client of httpx or httpx2.
        method: the HTTP method.
        url: the URL.
        kwargs: further arguments of the client's ``stream()``.
    """
    with client.stream(method, url, **_with_headers(**kwargs)) as response:
        yield EventSource(response)


@asynccontextmanager
async def aconnect_sse(client: Any, method: str, url: Any, **kwargs: Any) -> AsyncIterator[EventSource]:
    """As ``connect_sse``, with an asynchronous client."""
    async with client.stream(method, url, **_with_headers(**kwargs)) as response:
        yield EventSource(response)


def _with_headers(*, headers: Any = None, **kwargs: Any) -> dict[str, Any]:
    headers = {} if headers is None else headers.copy()
    headers["Accept"] = "text/event-stream"
    headers["Cache-Control"] = "no-store"
    return {**kwargs, "headers": headers}

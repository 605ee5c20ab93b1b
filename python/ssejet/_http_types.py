"""Protocols of HTTP responses, requests and clients, which several HTTP libraries satisfy.

Users import them from ``ssejet.typed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

__all__ = [
    "AdaptedResponse",
    "AiohttpClient",
    "AsyncStreamingClient",
    "HTTPRequest",
    "HTTPResponse",
    "PoolClient",
    "SessionClient",
    "StreamingClient",
    "original_of",
    "with_picklable",
]


class AdaptedResponse:
    """The base class of the adapters of responses of other HTTP libraries.

    Args:
        response: the response of the library.

    Attributes:
        original: the response of the library, which is what users get.
    """

    def __init__(self, response: Any) -> None:
        self.original: Any = response


def original_of(response: Any) -> Any:
    """The library's own response, if this is an adapter of one; else the argument."""
    return response.original if isinstance(response, AdaptedResponse) else response


class _Summary:
    """Stands for a response or request that cannot be pickled, in the pickles and deep copies of errors.

    Args:
        original: the response or request.

    Attributes:
        text: its ``repr()``.
    """

    def __init__(self, original: Any) -> None:
        self.text = repr(original)
        status = getattr(original, "status_code", getattr(original, "status", None))
        if status is not None:
            self.status_code: int = status
        for name in ("method", "url"):
            if hasattr(original, name):
                setattr(self, name, str(getattr(original, name)))
        self.headers: dict[str, str] = {
            str(name).lower(): str(value)
            for name, value in (getattr(original, "headers", None) or {}).items()
        }

    def __repr__(self) -> str:
        return self.text


def with_picklable(fields: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an error, with summaries of a response and a request that cannot be pickled."""
    summaries = {}
    for name in ("response", "request"):
        original = fields.get(name)
        if original is not None and not _is_picklable(original):
            summaries[name] = _Summary(original)
    return {**fields, **summaries} if summaries else fields


def _is_picklable(value: Any) -> bool:
    from io import IOBase
    from pickle import HIGHEST_PROTOCOL, dumps  # here, as few programs need it

    if isinstance(value, IOBase):  # its pickle is empty
        return False
    try:
        dumps(value, HIGHEST_PROTOCOL)
    except Exception:  # any, as each library has its own classes
        return False
    return True


class HTTPRequest(Protocol):
    """A request, such as one of httpx or httpx2."""

    @property
    def method(self) -> str:
        """The method, such as ``"POST"``."""

    @property
    def url(self) -> Any:
        """The URL, as the library's own class; ``str()`` gives the text."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; the case of letters in names does not matter."""

    @property
    def content(self) -> bytes:
        """The body, unless it is sent in pieces."""


class HTTPResponse(Protocol):
    """A response, such as one of httpx or httpx2.

    Responses of other libraries may have fewer members: at least a method that reads them and one that closes
    them.
    """

    @property
    def status_code(self) -> int:
        """The status, such as 200."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; the case of letters in names does not matter."""

    @property
    def request(self) -> HTTPRequest:
        """The request of this response, after redirects.

        Raises:
            RuntimeError: the response was made without a request.
        """

    @property
    def url(self) -> Any:
        """The request's URL, as the library's own class; ``str()`` gives the text."""

    @property
    def http_version(self) -> str:
        """The protocol, such as ``"HTTP/1.1"``."""

    @property
    def extensions(self) -> Mapping[str, Any]:
        """The objects that the transport adds, such as ``network_stream``."""

    @property
    def is_closed(self) -> bool:
        """Whether the connection is released."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Iterate over the decompressed body as it arrives; a stream calls this."""

    def close(self) -> object:
        """Release the connection; a stream calls this."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate as ``iter_bytes`` does, for a response of an asynchronous client."""

    async def aclose(self) -> object:
        """Release the connection, for a response of an asynchronous client."""


class StreamingClient(Protocol):
    """A synchronous client, such as one of httpx or httpx2."""

    @property
    def stream(self) -> Callable[..., AbstractContextManager[Any]]:
        """The method that sends a request and returns the response before it reads the body."""


class AsyncStreamingClient(Protocol):
    """An asynchronous client, such as one of httpx or httpx2."""

    @property
    def stream(self) -> Callable[..., AbstractAsyncContextManager[Any]]:
        """The method that sends a request and returns the response before it reads the body."""


class SessionClient(Protocol):
    """A session of requests or niquests."""

    @property
    def prepare_request(self) -> Any:
        """The method that makes the request to send."""


class PoolClient(Protocol):
    """A ``PoolManager`` of urllib3."""

    @property
    def connection_from_url(self) -> Any:
        """The method that finds the pool of a URL."""


class AiohttpClient(Protocol):
    """A ``ClientSession`` of aiohttp."""

    @property
    def ws_connect(self) -> Any:
        """The method that opens a WebSocket."""

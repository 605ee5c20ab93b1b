"""The types of what streams and errors keep of HTTP: the response, and its request.

ssejet imports no HTTP library for these, and takes responses of several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

__all__ = ["AsyncStreamingClient", "HTTPRequest", "HTTPResponse", "StreamingClient"]


class HTTPRequest(Protocol):
    """A request, as those of httpx and httpx2 are."""

    @property
    def method(self) -> str:
        """The method, such as ``"POST"``."""

    @property
    def url(self) -> Any:
        """The URL, of the class that the library has for URLs; ``str()`` gives the text."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, in which names are found in any case of letters."""

    @property
    def content(self) -> bytes:
        """The body, if it is not sent piece by piece."""


class HTTPResponse(Protocol):
    """A response, as those of httpx and httpx2 are.

    A response of another client has what that client gives it: at least the method that reads it and the one
    that closes it.
    """

    @property
    def status_code(self) -> int:
        """The status, such as 200."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, in which names are found in any case of letters."""

    @property
    def request(self) -> HTTPRequest:
        """The request that this answers, after redirects.

        Raises:
            RuntimeError: the response was made by hand, without one.
        """

    @property
    def url(self) -> Any:
        """The request's URL, of the class that the library has for URLs; ``str()`` gives the text."""

    @property
    def http_version(self) -> str:
        """The protocol, such as ``"HTTP/1.1"``."""

    @property
    def extensions(self) -> Mapping[str, Any]:
        """What the transport adds, such as ``network_stream``."""

    @property
    def is_closed(self) -> bool:
        """Whether the connection is released."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Iterate over the body, decompressed, as it arrives; a stream does this."""

    def close(self) -> object:
        """Release the connection; a stream does this."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Do what ``iter_bytes`` does, for a response of an asynchronous client."""

    async def aclose(self) -> object:
        """Do what ``close`` does, for a response of an asynchronous client."""


class StreamingClient(Protocol):
    """A synchronous client, as those of httpx and httpx2 are."""

    @property
    def stream(self) -> Callable[..., AbstractContextManager[Any]]:
        """The method that sends a request and gives the response before its body is read."""


class AsyncStreamingClient(Protocol):
    """An asynchronous client, as those of httpx and httpx2 are."""

    @property
    def stream(self) -> Callable[..., AbstractAsyncContextManager[Any]]:
        """The method that sends a request and gives the response before its body is read."""

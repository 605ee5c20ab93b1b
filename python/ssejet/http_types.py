"""The types of what streams and errors keep of HTTP: the response, and its request.

ssejet imports no HTTP library for these, and takes responses of several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

__all__ = ["HTTPRequest", "HTTPResponse"]


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

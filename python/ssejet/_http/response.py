"""What ssejet knows of the responses of HTTP libraries, without importing any of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ssejet._lazy import loaded
from ssejet._media_type import is_event_stream
from ssejet._server_errors import is_error_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


__all__ = [
    "AiohttpResponse",
    "AsyncByteResponse",
    "ByteResponse",
    "ContentResponse",
    "FileResponse",
    "ReadableResponse",
    "content_type_of",
    "has_error_status",
    "has_event_stream_type",
    "http_version_of",
    "is_httpx_response",
    "is_reusable",
]


class ByteResponse(Protocol):
    """A response that is read synchronously."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Iterate over the body, decompressed, as it arrives."""

    def close(self) -> object:
        """Release the connection."""


class ContentResponse(Protocol):
    """A response of requests or niquests."""

    raw: Any

    @property
    def iter_content(self) -> Any:
        """The method that iterates over the body."""

    @property
    def close(self) -> Any:
        """The method that releases the connection."""


class FileResponse(Protocol):
    """A response of urllib3 or ``http.client``."""

    status: int

    @property
    def read1(self) -> Any:
        """The method that reads what has arrived."""

    @property
    def close(self) -> Any:
        """The method that closes the response."""


class AiohttpResponse(Protocol):
    """A response of aiohttp."""

    status: int

    @property
    def request_info(self) -> Any:
        """The request."""

    @property
    def close(self) -> Any:
        """The method that closes the connection."""


class AsyncByteResponse(Protocol):
    """A response that is read asynchronously."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body, decompressed, as it arrives."""

    async def aclose(self) -> object:
        """Release the connection."""


ReadableResponse: TypeAlias = (
    "ByteResponse | AsyncByteResponse | ContentResponse | FileResponse | AiohttpResponse"
)
"""What a stream reads; each library's responses are one of these."""


def has_error_status(response: Any) -> bool:
    """Whether the HTTP status is an error. A response without a status has none."""
    return is_error_status(getattr(response, "status_code", None))


def has_event_stream_type(response: Any) -> bool:
    """Whether the content type is that of event streams."""
    return is_event_stream(content_type_of(response))


def content_type_of(response: Any) -> str:
    """The content type as received, ``""`` if there is none."""
    headers = getattr(response, "headers", None) or {}
    return str(headers.get("content-type", ""))


def http_version_of(response: Any) -> str:
    """The HTTP version of the response, such as ``HTTP/1.1``; ``""`` if it does not say."""
    with suppress(Exception):  # httpx reads it from the extensions, which can hold anything
        return str(response.http_version)
    return ""


def is_httpx_response(response: Any) -> bool:
    """Whether this is a response of httpx or httpx2."""
    return isinstance(response, loaded(("httpx", "Response"), ("httpx2", "Response")))


def is_reusable(response: Any) -> bool:
    """Whether the connection can serve another request after this body is read to its end, and only then."""
    return http_version_of(response) == "HTTP/1.1"

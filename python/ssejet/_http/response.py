"""What ssejet knows of HTTP responses: httpx's, httpx2's and look-alikes, none of which it imports."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


__all__ = ["AsyncByteResponse", "ByteResponse", "content_type_of", "http_version_of", "is_reusable"]


class ByteResponse(Protocol):
    """A response that is read synchronously."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Iterate over the body, decompressed, as it arrives."""

    def close(self) -> object:
        """Release the connection."""


class AsyncByteResponse(Protocol):
    """A response that is read asynchronously."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body, decompressed, as it arrives."""

    async def aclose(self) -> object:
        """Release the connection."""


def is_reusable(response: Any) -> bool:
    """Whether the connection can serve another request once this body is read to its end, and only then."""
    return http_version_of(response) == "HTTP/1.1"


def http_version_of(response: Any) -> str:
    """The version of HTTP that the response came by, ``""`` if it does not say."""
    with suppress(Exception):  # httpx reads it from the extensions, which can hold anything
        return str(response.http_version)
    return ""


def content_type_of(response: Any) -> str:
    """The response's content type as received, ``""`` if there is none."""
    headers = getattr(response, "headers", None) or {}
    return str(headers.get("content-type", ""))

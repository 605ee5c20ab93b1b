"""What ssejet knows of the responses of HTTP libraries, without importing any of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ssejet._lazy import loaded
from ssejet._media_type import is_event_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


__all__ = [
    "AsyncByteResponse",
    "ByteResponse",
    "check_response",
    "content_type_of",
    "has_error_status",
    "has_event_stream_type",
    "http_version_of",
    "is_httpx_response",
    "is_reusable",
]

_FIRST_ERROR_STATUS = 400


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


def check_response(response: Any, kind: Literal["sync", "async"], *, reader: str, other_reader: str) -> None:
    """Check that a response can be read synchronously, or asynchronously.

    Args:
        response: the response.
        kind: how it is to be read.
        reader: what reads it, for the error message.
        other_reader: what reads responses of the other kind.

    Raises:
        TypeError: it cannot be read this way.
    """
    is_async = kind == "async"
    names = ("aiter_bytes", "aclose") if is_async else ("iter_bytes", "close")
    missing = [f"{name}()" for name in names if not callable(getattr(response, name, None))]
    # A response of httpx has the methods of both kinds, but only those of its client's kind work.
    body = getattr(response, "stream", None)
    needed, other = ("__aiter__", "__iter__") if is_async else ("__iter__", "__aiter__")
    if missing:
        fault = f"has no {' and no '.join(missing)}"
    elif hasattr(body, other) and not hasattr(body, needed):
        fault = "is of the other kind"
    else:
        return
    read, close = names
    raise TypeError(
        f"{reader} needs a response with {read}() and {close}(), but this {type(response).__name__} {fault}; "
        f"responses of the other kind of client are for {other_reader}"
    )


def has_error_status(response: Any) -> bool:
    """Whether the HTTP status is an error. A response without a status has none."""
    status = getattr(response, "status_code", None)
    return isinstance(status, int) and status >= _FIRST_ERROR_STATUS


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

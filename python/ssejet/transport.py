"""What ssejet knows of HTTP responses: httpx's, httpx2's and look-alikes, none of which it imports."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from ssejet._loaded import loaded
from ssejet.errors import APIConnectionError, APITimeoutError, request_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from ssejet.deadlines import Deadlines

__all__ = [
    "AsyncByteResponse",
    "AsyncChunks",
    "ByteResponse",
    "aclose_chunks",
    "content_type_of",
    "http_version_of",
    "invalid_url_errors",
    "is_event_stream",
    "is_reusable",
    "iter_chunks",
    "names_of",
    "translate",
    "translate_request",
    "translated",
    "was_sent",
    "with_default_headers",
]

# What has been received already is given although the read is cancelled: more chunks than a buffer holds.
_MOST_BUFFERED_CHUNKS = 20_000


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


def iter_chunks(response: ByteResponse) -> Iterator[bytes]:
    """Iterate over the body as it arrives, decompressed."""
    plain: Any = response
    return iter(plain.iter_raw() if _is_plain(response) else response.iter_bytes())


class AsyncChunks:
    """An iterator over the body as it arrives, decompressed, and what there is to close in the end.

    httpx's iterators wrap others, which they leave to the garbage collector when they are closed, or when
    decompression fails. So the one over what is received is kept here.
    """

    def __init__(self, response: AsyncByteResponse) -> None:
        plain: Any = response
        self._response = plain
        self._raw: Any = None
        self.iterator: Any
        if _is_plain(response):
            self.iterator = aiter(plain.aiter_raw())
        elif _is_compressed(response):
            self._raw = plain.aiter_raw()
            self.iterator = aiter(type(plain).aiter_bytes(_WithRaw(response, self._raw)))
        else:
            self.iterator = aiter(response.aiter_bytes())

    async def aclose(self) -> None:
        """Close the iterators in order."""
        await aclose_chunks(self.iterator, self._response)
        if self._raw is not None:
            await aclose_chunks(self._raw, self._response)


class _WithRaw:
    """A response of httpx as its ``aiter_bytes`` sees it, with an iterator of ours over what is received."""

    def __init__(self, response: Any, raw: AsyncIterator[bytes]) -> None:
        self._given_response = response
        self._given_raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._given_response, name)

    def aiter_raw(self, chunk_size: int | None = None) -> _Kept:
        return _Kept(self._given_raw)


class _Kept:
    """An iterator that is not closed when httpx2 closes it: that would leave those which it wraps."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        pass


def _is_compressed(response: Any) -> bool:
    """Whether httpx decompresses the body, by methods of its own that no subclass has changed."""
    kinds = loaded(("httpx", "Response"), ("httpx2", "Response"))
    kind = type(response)
    return (
        isinstance(response, kinds)
        and "content-encoding" in response.headers
        and not response.is_stream_consumed
        and not response.is_closed
        and any(kind.aiter_bytes is each.aiter_bytes and kind.aiter_raw is each.aiter_raw for each in kinds)
    )


def _is_plain(response: Any) -> bool:
    """Whether httpx's iterator over what is received, which costs less, gives the body itself."""
    return (
        isinstance(response, loaded(("httpx", "Response"), ("httpx2", "Response")))
        and "content-encoding" not in response.headers
        and not response.is_stream_consumed
    )


async def aclose_chunks(chunks: AsyncIterator[bytes], response: Any) -> None:
    """Close an iterator over the bytes of a response that was left early, and that nobody else has read from.

    httpx's iterators wrap others that they leave to the garbage collector when they are closed, which trio
    warns of. A cancelled read ends them all.
    """
    if isinstance(response, loaded(("httpx", "Response"), ("httpx2", "Response"))):
        from anyio import CancelScope

        with CancelScope() as scope, suppress(Exception):
            scope.cancel()
            for _ in range(_MOST_BUFFERED_CHUNKS):
                await anext(chunks)
    if hasattr(chunks, "aclose"):
        await chunks.aclose()


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


def is_event_stream(content_type: str) -> bool:
    """Whether that is the type of event streams, whatever its parameters say: they are always UTF-8."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def translate(error: Exception, response: Any, deadlines: Deadlines) -> Exception:
    """Make a ``StreamError`` of what httpx and httpx2 raise; every other error stays as it is.

    Their complaints of misuse, such as a body that was consumed already, are no failures of the connection.
    """
    if isinstance(error, _errors("TimeoutException")):
        return deadlines.error(request_of(response))
    # The last are TLS failures, which asynchronous clients pass on as they are.
    if isinstance(error, (*_errors("RequestError"), *loaded(("ssl", "SSLError")))):
        reason = str(error) or type(error).__name__
        return APIConnectionError(f"the connection broke: {reason}", request=request_of(response))
    return error


def translate_request(
    error: Exception, request: Any, connect_timeout: float | None, deadlines: Deadlines
) -> Exception:
    """Make a ``StreamError`` of what httpx and httpx2 raise before a response has come.

    A request that they refuse to send is a mistake of the caller's, whose error stays as it is.

    Args:
        error: what they raised.
        request: the request.
        connect_timeout: how many seconds they had to connect.
        deadlines: of waiting for the response, which had begun.
    """
    was_refused = isinstance(error, _errors("LocalProtocolError", "UnsupportedProtocol"))
    if was_refused:
        return error
    origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"
    if isinstance(error, _errors("ConnectTimeout")):
        # Without a limit of the caller's there still is the operating system's.
        limit = "the system's limit" if connect_timeout is None else f"{connect_timeout=:g} seconds"
        message = f"no connection to {origin} within {limit}"
        return APITimeoutError(message, kind="connect", request=request)
    if isinstance(error, _errors("PoolTimeout")):
        message = (
            "no connection of the client's pool became free in time: it may need a larger max_connections"
        )
        return APITimeoutError(message, kind="connect", request=request)
    if isinstance(error, _errors("TimeoutException")):
        return deadlines.error(request)
    reason = str(error) or type(error).__name__
    if isinstance(error, _errors("ConnectError")):
        return APIConnectionError(f"cannot connect to {origin}: {reason}", request=request)
    if isinstance(error, (*_errors("RequestError"), *loaded(("ssl", "SSLError")))):
        return APIConnectionError(f"no response from {origin}: {reason}", request=request)
    return error


@contextmanager
def translated(translate: Callable[[Exception], Exception]) -> Iterator[None]:
    """Raise what a function makes of the errors that are raised in this context."""
    try:
        yield
    except Exception as error:
        failure = translate(error)
        try:
            if failure is error:
                raise
            raise failure from error
        finally:
            del failure  # which holds this frame by its traceback


def invalid_url_errors() -> tuple[type[Exception], ...]:
    """What httpx and httpx2 raise for what is no URL. Of some hosts and ports they only say when asked."""
    return (ValueError, *_errors("InvalidURL"))


def was_sent(error: BaseException) -> bool:
    """Whether the server may have received the request whose failure the error tells of."""
    return not isinstance(error.__cause__, _errors("ConnectError", "ConnectTimeout", "PoolTimeout"))


def with_default_headers(headers: Any, defaults: Mapping[str, str]) -> list[tuple[Any, Any]]:
    """A copy of headers in any form that httpx takes, with the defaults where they are missing."""
    if headers is None:
        given = []
    elif hasattr(headers, "raw"):  # httpx's own, which may have several values for a name
        given = list(headers.raw)
    else:
        given = list(headers.items() if hasattr(headers, "items") else headers)
    names = names_of(given)
    return [(name, value) for name, value in defaults.items() if name.lower() not in names] + given


def names_of(headers: list[tuple[Any, Any]]) -> set[str]:
    """The headers' names in lower case."""
    return {(name.decode("latin-1") if isinstance(name, bytes) else name).lower() for name, _ in headers}


def _errors(*names: str) -> tuple[type[Any], ...]:
    """The exceptions of these names that httpx and httpx2 have."""
    return loaded(*((module, name) for module in ("httpx", "httpx2") for name in names))

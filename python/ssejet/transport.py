"""What ssejet knows of HTTP responses: httpx's, httpx2's and look-alikes, none of which it imports."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from ssejet._loaded import loaded
from ssejet.errors import APIConnectionError, APITimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = [
    "AsyncByteResponse",
    "ByteResponse",
    "Deadlines",
    "aclose_chunks",
    "aiter_chunks",
    "bound_reads",
    "content_type_of",
    "is_event_stream",
    "is_reusable",
    "iter_chunks",
    "request_of",
    "translate",
]

# A tick of the coarsest clock in use, which some event loops measure time with.
_CLOCK_TICK = 0.02

# What has been received already is given although the read is cancelled: more chunks than a buffer holds.
_MOST_BUFFERED_CHUNKS = 20_000

# A socket takes 0 for "do not block" instead of "time out at once".
_SHORTEST_WAIT = 0.001


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


class Deadlines:
    """How long a stream may wait for bytes.

    Args:
        idle: seconds that one wait may last; None for no limit.
        total: seconds from now in which the stream must end; None for no limit.

    Raises:
        ValueError: a limit is not positive.
    """

    __slots__ = ("_end", "_idle", "_total")

    def __init__(self, *, idle: float | None, total: float | None) -> None:
        for name, seconds in (("idle_timeout", idle), ("timeout", total)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be a positive number of seconds, or None; got {seconds!r}")
        self._idle = idle
        self._total = total
        self._end = inf if total is None else perf_counter() + total

    def wait(self) -> float:
        """Seconds that the next wait may last: 0 or less if time is up, infinitely many without a limit."""
        left = self._end - perf_counter()
        return left if self._idle is None else min(left, self._idle)

    def restrict(self, seconds: float) -> None:
        """Leave that many seconds, whatever the limits were."""
        self._idle = None
        self._end = perf_counter() + seconds

    def error(self, request: Any) -> APITimeoutError:
        """The error for a wait that was too long, naming the limit that ended it."""
        if perf_counter() >= self._end - _CLOCK_TICK:
            message = f"the stream took longer than timeout={self._total:g} seconds"
            return APITimeoutError(message, kind="total", request=request)
        limit = "the client's read timeout" if self._idle is None else f"idle_timeout={self._idle:g} seconds"
        return APITimeoutError(f"no bytes arrived within {limit}", kind="idle", request=request)


def bound_reads(response: Any, deadlines: Deadlines) -> Callable[[], None] | None:
    """Make a synchronous HTTP/1.1 response wait no longer than the deadlines allow.

    httpx fixes the read timeout when a body is begun, but a deadline leaves less for each read. So this
    stands between the response and its network stream, a documented extension, until the response is closed.
    A network stream of HTTP/2 serves other requests as well and is left alone.

    Returns:
        A function that undoes it, or None if the response has no such stream.
    """
    stream = getattr(response, "extensions", {}).get("network_stream")
    if stream is None or not is_reusable(response):
        return None
    read = stream.read

    def bounded_read(max_bytes: int, timeout: float | None = None) -> bytes:
        # A closed response's connection may serve another request before this is undone.
        if not response.is_closed:
            timeout = max(_SHORTEST_WAIT, min(deadlines.wait(), inf if timeout is None else timeout))
        data: bytes = read(max_bytes, timeout)
        return data

    def undo() -> None:
        if vars(stream).get("read") is bounded_read:
            del stream.read

    stream.read = bounded_read
    return undo


def iter_chunks(response: ByteResponse) -> Iterator[bytes]:
    """Iterate over the body as it arrives, decompressed."""
    plain: Any = response
    return iter(plain.iter_raw() if _is_plain(response) else response.iter_bytes())


def aiter_chunks(response: AsyncByteResponse) -> AsyncIterator[bytes]:
    """Iterate over the body as it arrives, decompressed."""
    plain: Any = response
    return aiter(plain.aiter_raw() if _is_plain(response) else response.aiter_bytes())


def _is_plain(response: Any) -> bool:
    """Whether httpx's iterator over what is received, which costs less, gives the body itself."""
    return (
        isinstance(response, loaded(("httpx", "Response"), ("httpx2", "Response")))
        and "content-encoding" not in response.headers
        and not response.is_stream_consumed
    )


async def aclose_chunks(chunks: AsyncIterator[bytes], response: Any) -> None:
    """Close an iterator over the bytes of a response that was left early.

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
    return getattr(response, "http_version", None) == "HTTP/1.1"


def content_type_of(response: Any) -> str:
    """The response's content type as received, ``""`` if there is none."""
    headers = getattr(response, "headers", None) or {}
    return str(headers.get("content-type", ""))


def is_event_stream(content_type: str) -> bool:
    """Whether that is the type of event streams, whatever its parameters say: they are always UTF-8."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def request_of(response: Any) -> Any:
    """The response's request, or None if it knows none."""
    try:
        return response.request
    except (AttributeError, RuntimeError):  # httpx raises the latter
        return None


def translate(error: BaseException, response: Any, deadlines: Deadlines) -> BaseException:
    """Make a ``StreamError`` of what httpx and httpx2 raise; every other error stays as it is.

    Their complaints of misuse, such as a body that was consumed already, are no failures of the connection.
    """
    if isinstance(error, loaded(("httpx", "TimeoutException"), ("httpx2", "TimeoutException"))):
        return deadlines.error(request_of(response))
    # The last are TLS failures, which asynchronous clients pass on as they are.
    if isinstance(error, loaded(("httpx", "RequestError"), ("httpx2", "RequestError"), ("ssl", "SSLError"))):
        reason = str(error) or type(error).__name__
        return APIConnectionError(f"the connection broke: {reason}", request=request_of(response))
    return error

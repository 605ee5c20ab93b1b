"""What ssejet knows of HTTP responses: httpx's, httpx2's and look-alikes, none of which it imports."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from ssejet._loaded import loaded
from ssejet.errors import APIConnectionError, APITimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

__all__ = [
    "AsyncByteResponse",
    "ByteResponse",
    "Deadlines",
    "HandshakeGuard",
    "NetworkReads",
    "RequestInterrupter",
    "aclose_chunks",
    "aiter_chunks",
    "content_type_of",
    "invalid_url_errors",
    "is_event_stream",
    "is_reusable",
    "iter_chunks",
    "request_of",
    "translate",
    "translate_request",
    "translated",
    "was_sent",
    "with_default_headers",
]

# A tick of the coarsest clock in use, which some event loops measure time with.
_CLOCK_TICK = 0.02

# What has been received already is given although the read is cancelled: more chunks than a buffer holds.
_MOST_BUFFERED_CHUNKS = 20_000

# What httpx's tracing calls the moment when there is a connection.
_CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.connect_unix_socket.complete"})

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


class RequestInterrupter:
    """Gets hold of the connection on which a synchronous response is awaited, so that the wait can be ended.

    ::

        with RequestInterrupter(request) as interrupter:
            response = client.send(request)

    A connection that was made for an earlier request is not seen.
    """

    def __init__(self, request: Any) -> None:
        self._lock = threading.RLock()  # a signal handler may come in between
        self._network_stream: Any = None
        self._interrupted = False
        request.extensions["trace"] = self._trace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._network_stream = None

    def interrupt(self) -> None:
        """Make the thread that waits come back, with an error; from any thread."""
        with self._lock:
            self._interrupted = True
            if self._network_stream is not None:
                shut_down(self._network_stream)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name in {*_CONNECTED, "connection.start_tls.complete"}:
            with self._lock:
                self._network_stream = info["return_value"]
                if self._interrupted:
                    shut_down(self._network_stream)


class HandshakeGuard:
    """Closes a connection when making it is cancelled in the TLS handshake; httpx leaves it open then.

    ::

        async with HandshakeGuard(request):
            response = await client.send(request)
    """

    def __init__(self, request: Any) -> None:
        self._network_stream: Any = None
        request.extensions["trace"] = self._trace

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and self._network_stream is not None:
            from anyio import CancelScope

            with CancelScope(shield=True):
                await self._network_stream.aclose()

    async def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name in _CONNECTED:
            self._network_stream = info["return_value"]
        elif name not in {"connection.start_tls.started", "connection.start_tls.failed"}:
            self._network_stream = None  # from here on httpx sees to it


class Deadlines:
    """How long a stream may wait for bytes, and for events.

    Args:
        idle: seconds that one wait for bytes may last; None for no limit.
        data: seconds that may be spent waiting between two events, whatever bytes come that make none.
        total: seconds in which the stream must end.
        start: when the time of ``total`` began, by ``time.perf_counter()``; None for now.

    Attributes:
        limited: whether there is any limit.

    Raises:
        ValueError: a limit is not positive.
    """

    __slots__ = ("_data", "_data_end", "_data_left", "_end", "_idle", "_total", "limited")

    def __init__(
        self,
        *,
        idle: float | None = None,
        data: float | None = None,
        total: float | None = None,
        start: float | None = None,
    ) -> None:
        for name, seconds in (("idle_timeout", idle), ("data_timeout", data), ("timeout", total)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be a positive number of seconds, or None; got {seconds!r}")
        self.limited = not (idle is None and data is None and total is None)
        self._idle = idle
        self._data = data
        self._total = total
        self._end = inf if total is None else (perf_counter() if start is None else start) + total
        # Only waiting counts: what a slow consumer takes for an event is not the server's silence.
        self._data_left = inf if data is None else data
        self._data_end = inf

    def begin(self, request: Any) -> float:
        """Begin to wait, and return how many seconds that may last; infinitely many without a limit.

        Raises:
            APITimeoutError: none are left.
        """
        self._data_end = perf_counter() + self._data_left
        wait = self.wait()
        if wait <= 0:
            raise self.error(request)
        return wait

    def wait(self) -> float:
        """Seconds that the wait which has begun may still last: 0 or less if time is up."""
        left = min(self._end, self._data_end) - perf_counter()
        return left if self._idle is None else min(left, self._idle)

    def end(self, *, got_events: bool) -> None:
        """Take note of what the wait brought."""
        if self._data is not None:
            self._data_left = self._data if got_events else self._data_end - perf_counter()

    def restrict(self, seconds: float, *, idle: float | None = None) -> None:
        """Leave that many seconds in all, and for one wait, whatever the limits were."""
        self.limited = True
        self._idle = idle
        self._data = None
        self._data_left = self._data_end = inf
        self._total = seconds
        self._end = perf_counter() + seconds

    def error(self, request: Any) -> APITimeoutError:
        """The error for a wait that was too long, naming the limit that ended it."""
        now = perf_counter() + _CLOCK_TICK
        if now >= self._end:
            message = f"the stream took longer than timeout={self._total:g} seconds"
            return APITimeoutError(message, kind="total", request=request)
        if now >= self._data_end:
            message = f"no event arrived within data_timeout={self._data:g} seconds"
            return APITimeoutError(message, kind="data", request=request)
        limit = "the client's read timeout" if self._idle is None else f"idle_timeout={self._idle:g} seconds"
        return APITimeoutError(f"no bytes arrived within {limit}", kind="idle", request=request)


# Held while one of the following steps in or back, which a connection's next response may do at that moment.
_changing_hands = threading.RLock()


class NetworkReads:
    """Stands between synchronous HTTP/1 responses and the network stream that they come by, one by one.

    httpx fixes the read timeout when a body is begun, but a deadline leaves less for each read. And closing a
    socket does not wake a thread that waits in it; shutting it down does, but must not hit another response.
    """

    def __init__(self, network_stream: Any) -> None:
        self._network_stream = network_stream
        self._read: Callable[[int, float | None], bytes] = network_stream.read
        self._lock = threading.RLock()  # a signal handler may come in between
        self._response: Any = None
        self._deadlines = Deadlines()
        self._waiting = False
        self._interrupted = False

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines) -> NetworkReads | None:
        """Step between a response and its network stream.

        Returns:
            None if it has no network stream, or one that serves other requests at the same time.
        """
        network_stream = getattr(response, "extensions", {}).get("network_stream")
        if network_stream is None or not str(getattr(response, "http_version", "")).startswith("HTTP/1"):
            return None
        with _changing_hands:
            installed = getattr(network_stream.read, "__self__", None)
            reads = installed if isinstance(installed, cls) else cls(network_stream)
            with reads._lock:
                reads._response, reads._deadlines, reads._interrupted = response, deadlines, False
            network_stream.read = reads._read_in_time
        return reads

    def let_go(self, response: Any) -> None:
        """Step back, if no other response has come by the network stream since."""
        with _changing_hands:
            if self._response is response:
                vars(self._network_stream).pop("read", None)

    def interrupt(self, response: Any) -> None:
        """Let a response's body end here, at once if a thread is waiting for more of it; from any thread."""
        with self._lock:
            if self._response is response:
                self._interrupted = True
                if self._waiting:
                    shut_down(self._network_stream)

    def _read_in_time(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._lock:
            # Once that is closed, the connection may serve a request that is not for us to look after.
            is_ours = not self._response.is_closed
            if is_ours and self._interrupted:
                return b""
            self._waiting = is_ours
            deadlines = self._deadlines
        if not is_ours:
            return self._read(max_bytes, timeout)
        if deadlines.limited:
            timeout = max(_SHORTEST_WAIT, min(deadlines.wait(), inf if timeout is None else timeout))
        try:
            data = self._read(max_bytes, timeout)
        finally:
            with self._lock:
                self._waiting = False
        # What has come nevertheless could end the body, and a connection that is shut down must not be kept.
        return b"" if self._interrupted else data


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


def shut_down(network_stream: Any) -> None:
    """Shut down the socket of a synchronous network stream of httpx or httpx2, if it has one."""
    import socket

    sock = network_stream.get_extra_info("socket")
    if isinstance(sock, socket.socket):
        with suppress(OSError):  # it is not connected any more
            # Not the method of SSLSocket, which takes away what the reading thread is using.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


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
        message = f"no connection to {origin} within connect_timeout={connect_timeout:g} seconds"
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
        if failure is error:
            raise
        raise failure from error


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
    names = {(name.decode("latin-1") if isinstance(name, bytes) else name).lower() for name, _ in given}
    return [(name, value) for name, value in defaults.items() if name.lower() not in names] + given


def _errors(*names: str) -> tuple[type[Any], ...]:
    """The exceptions of these names that httpx and httpx2 have."""
    return loaded(*((module, name) for module in ("httpx", "httpx2") for name in names))

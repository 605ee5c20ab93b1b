"""Adapts responses and clients of urllib3, and of urllib3-future, which can take its place."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import SyncResponseAdapter
from ssejet._http.adapters.http_client import socket_of
from ssejet._http.adapters.requests_to_send import ClientAdapter, RequestToSend
from ssejet._http.adapters.socket_reads import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PoolManagerAdapter", "Urllib3Adapter", "connection_of", "is_consumed", "read_function"]

# The attribute of a response in which this module keeps the request.
_REQUEST = "_ssejet_request"


class Urllib3Adapter(SyncResponseAdapter):
    """Adapts a ``urllib3.HTTPResponse``.

    Its request is known only if this module has sent it: urllib3 keeps neither its headers nor its method.
    """

    remedy = "send the request with preload_content=False"

    @property
    def request(self) -> Any:
        """The request, if it is known."""
        return getattr(self.original, _REQUEST, None)

    def closed_check(self) -> Callable[[], bool]:
        """See the base class."""
        inner = getattr(self.original, "_fp", None)
        return getattr(inner, "isclosed", super().closed_check())

    def close(self) -> None:
        """Close the response, and give its place in the pool back."""
        self.original.close()
        self.original.release_conn()

    def _is_consumed(self) -> bool:
        return self._content() is not None or is_consumed(self.original)

    def _content(self) -> bytes | None:
        return self.original._body or None

    def _read_function(self) -> Callable[[int], bytes]:
        return read_function(self.original)

    def _connection(self) -> Connection:
        return connection_of(self.original)


def is_consumed(response: Any) -> bool:
    """Whether a response is closed after some of its body was read, or before."""
    is_empty = response.length_remaining == 0 and response.tell() == 0
    return bool(response.closed) and not is_empty


def read_function(response: Any) -> Callable[[int], bytes]:
    """A function that returns what has arrived of a response, decompressed, and ``b""`` at its end.

    ``read(n)`` waits for n bytes, and so does ``stream(n)`` if the body is not chunked.
    """
    if _is_plain_and_chunked(response):
        return _ReadOfInnerResponse(response)
    if hasattr(response, "read1"):
        # The body may be a file of the user's, without a method to read what is there.
        inner = getattr(response, "_fp", None)
        if inner is None or hasattr(inner, "read1"):
            if hasattr(inner, "_eot"):  # of urllib3-future
                return _ReadOfUrllib3Future(response)
            return lambda size: response.read1(size, decode_content=True)
    elif callable(getattr(response._fp, "read1", None)):
        return _ReadOfUrllib3V1(response)
    return lambda size: response.read(1, decode_content=True)


def _is_plain_and_chunked(response: Any) -> bool:
    """Whether the inner response of ``http.client`` gives the body itself, and checks that it is whole."""
    return (
        type(response).__module__ == "urllib3.response"
        and type(getattr(response, "_fp", None)).__module__ == "http.client"
        and bool(response.chunked)
        and response.length_remaining is None
        and "content-encoding" not in response.headers
        and hasattr(response, "_fp_bytes_read")
        and hasattr(response, "_error_catcher")
    )


class _ReadOfInnerResponse:
    """Reads from the inner response, past four calls of urllib3. It leaves errors and the end to urllib3."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._read1 = response._fp.read1

    def __call__(self, size: int) -> bytes:
        response = self._response
        try:
            chunk: bytes = self._read1(size)
        except BaseException:
            with response._error_catcher():
                raise
        if chunk:
            response._fp_bytes_read += len(chunk)  # as tell() returns it
        else:
            response.drain_conn()  # gives the connection back
        return chunk


class _ReadOfUrllib3Future:
    """Reads on where ``read1()`` returns nothing, because what has come decompresses to nothing yet."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __call__(self, size: int) -> bytes:
        response = self._response
        while True:
            chunk: bytes = response.read1(size, decode_content=True)
            if chunk or response.closed:
                return chunk


class _ReadOfUrllib3V1:
    """Does what ``read1()`` of urllib3 2 does, with a response of urllib3 1.26."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __call__(self, size: int) -> bytes:
        response = self._response
        response._init_decoder()
        with response._error_catcher():
            while True:
                chunk = b"" if response._fp.isclosed() else self._read_raw(size)
                decoded: bytes = response._decode(chunk, True, not chunk)
                if decoded or not chunk:
                    return decoded

    def _read_raw(self, size: int) -> bytes:
        response = self._response
        chunk: bytes = response._fp.read1(size)
        response._fp_bytes_read += len(chunk)
        left = response._fp.length
        if not chunk and left:
            from urllib3.exceptions import IncompleteRead

            raise IncompleteRead(response._fp_bytes_read, left)
        if left == 0 or not chunk:
            response._fp.close()  # read1() does not always do that at the end
        return chunk


def connection_of(response: Any) -> Connection:
    """How a response reads its connection, by attributes that are not documented.

    Raises:
        Exception: they cannot be found, or the response uses QUIC.
    """
    inner = response._fp
    if response.version in {10, 11}:
        sock = getattr(inner, "_sock", None)  # of urllib3-future
        return Connection(inner, socket_of(inner) if sock is None else sock)
    if response.version != 20:
        raise ValueError(response.version)
    connection = response._connection
    others, requests = connection._pending_responses, connection._promises
    return Connection(inner, connection.sock, lambda: len(others) > 1 or bool(requests))


class PoolManagerAdapter(ClientAdapter):
    """Adapts a ``urllib3.PoolManager``, or what has its ``request()``."""

    def build_request(self, method: str, url: Any, **options: Any) -> RequestToSend:
        """Build a request, with the headers of the pool manager."""
        request = RequestToSend.build(method, url, **options)
        request.add_default_headers(self._client.headers)
        return request

    def send(self, request: RequestToSend, **options: Any) -> Urllib3Adapter:
        """Send a request. Redirects are not followed, and nothing is sent again."""
        from urllib3 import Timeout

        connect, read = request.timeout
        response = self._client.request(
            request.method,
            str(request.url),
            headers=request.text_headers("latin-1"),
            body=request.content,
            timeout=Timeout(connect=connect, read=read),
            preload_content=False,
            redirect=False,
            retries=False,
        )
        setattr(response, _REQUEST, request)
        return Urllib3Adapter(response)

    @contextmanager
    def stream(self, method: str, url: Any, *, headers: Any, **options: Any) -> Iterator[Any]:
        """Send a request with the library's own options."""
        merged = RequestToSend.build(method, url, headers=headers)
        merged.add_default_headers(self._client.headers)
        response = self._client.request(
            method, url, headers=merged.text_headers("latin-1"), preload_content=False, **options
        )
        setattr(response, _REQUEST, merged)
        try:
            yield response
        finally:
            Urllib3Adapter(response).close()

    def close(self) -> None:
        """Close all connections."""
        self._client.clear()

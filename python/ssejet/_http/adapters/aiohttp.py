"""Adapts responses and clients of aiohttp."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import AsyncChunks, AsyncResponseAdapter
from ssejet._http.adapters.requests_to_send import ClientAdapter, RequestToSend
from ssejet._redaction import is_secret_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ssejet._http.deadlines import Deadlines
    from ssejet._http.direct._asyncio import AsyncDirectChunks

__all__ = ["AiohttpAdapter", "AiohttpSessionAdapter"]


class AiohttpAdapter(AsyncResponseAdapter):
    """Adapts an ``aiohttp.ClientResponse``."""

    resumable = True  # a read takes nothing until it returns
    connection_errors = (("asyncio", "TimeoutError"),)
    has_total_timeout = True  # aiohttp has its own class for a wait for bytes
    remedy = "read the response only through ssejet"

    def __init__(self, response: Any) -> None:
        super().__init__(response)
        self._stream = response.content

    @property
    def request(self) -> Any:
        """The request, with its method, URL and headers."""
        return self.original.request_info

    @property
    def http_version(self) -> str:
        """The HTTP version, such as ``HTTP/1.1``."""
        version = self.original.version
        return f"HTTP/{version.major}.{version.minor}"

    @property
    def is_closed(self) -> bool:
        """Whether the whole body has come or the response is closed."""
        return self.original.closed  # type: ignore[no-any-return]

    def closed_check(self) -> Callable[[], bool]:
        """See the base class."""
        stream = self._stream
        return lambda: stream.at_eof() or stream.exception() is not None

    def _content(self) -> bytes | None:
        return self.original._body  # type: ignore[no-any-return]

    def _is_consumed(self) -> bool:
        # The whole body may have come without being read yet; a broken one raises its error when it is read.
        stream = self._stream
        is_read = stream.at_eof() and getattr(stream, "total_bytes", 0) > 0
        was_closed = self.original.closed and not stream.is_eof()
        return self._content() is not None or is_read or was_closed

    def _unread_chunks(self) -> AsyncIterator[bytes]:
        return _Chunks(self)

    def chunks_as_they_arrive(self, deadlines: Deadlines) -> AsyncDirectChunks | None:
        """See the base class."""
        from ssejet._http.adapters.aiohttp_chunks import AiohttpChunks, is_known

        if self._is_consumed() or not is_known(self._stream):
            return None
        _watch_connection(self.original)
        return AiohttpChunks(self, self._stream, deadlines)

    async def aclose(self) -> None:
        """Close the connection, unless the body has ended, which has released it."""
        self.original.close()


class _Chunks(AsyncChunks):
    """Iterates over a body with one coroutine less for each chunk."""

    def __init__(self, response: AiohttpAdapter) -> None:
        super().__init__(response)
        self._stream = response.original.content
        self._read = self._stream.readany  # it reads no lines, so the limit for their length does not count
        _watch_connection(response.original)

    async def __anext__(self) -> bytes:
        """The next bytes. The bytes before an error come first; aiohttp would raise the error first."""
        try:
            chunk: bytes = await self._read()
        except Exception:
            chunk = self._buffered()
            if not chunk:
                raise
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def _buffered(self) -> bytes:
        with suppress(Exception):  # the method is not documented
            return bytes(self._stream._read_nowait(-1))
        return b""


def _watch_connection(response: Any) -> None:
    with suppress(AttributeError):  # a mock has no connection
        _end_with_connection(response.content, response.connection.protocol)


def _end_with_connection(stream: Any, protocol: Any) -> None:
    """Let a body end when its connection fails.

    aiohttp's parser forgets the body whose framing is broken. It closes the connection, but a read would wait
    for ever.

    Args:
        stream: the body.
        protocol: of its connection, which tells each failure to ``set_exception()``.
    """

    def fail(error: BaseException) -> None:
        if stream.is_eof() or stream.exception() is not None:
            return
        from aiohttp import ClientError, ClientPayloadError

        if not isinstance(error, ClientError):
            cause, error = error, ClientPayloadError(f"the body is broken: {error}")
            error.__cause__ = cause
        stream.set_exception(error)

    def restore() -> None:
        vars(protocol).pop("set_exception", None)

    def set_exception(error: BaseException, *cause: Any) -> None:
        restore()
        protocol.set_exception(error, *cause)
        fail(error)

    if protocol.exception() is not None:
        fail(protocol.exception())
    elif "set_exception" not in vars(protocol):
        protocol.set_exception = set_exception
        stream.on_eof(restore)


class AiohttpSessionAdapter(ClientAdapter):
    """Adapts an ``aiohttp.ClientSession``."""

    def build_request(self, method: str, url: Any, **options: Any) -> RequestToSend:
        """Build a request. The session adds its headers, cookies and credentials when it sends it."""
        return RequestToSend.build(method, url, **options)

    async def send(self, request: RequestToSend, **options: Any) -> AiohttpAdapter:
        """Send a request. Redirects are not followed."""
        from aiohttp import ClientTimeout, InvalidURL, client_exceptions

        is_old = not hasattr(client_exceptions, "NonHttpUrlClientError")
        if is_old and request.url.scheme not in {"", "http", "https"}:
            raise InvalidURL(request.url)  # older versions would report a failed connection
        connect, read = request.timeout
        session = self._without_credentials() if "auth" in options else self._client
        try:
            response = await session.request(
                request.method,
                _url(request.url),
                headers=request.text_headers("utf-8"),
                data=request.content,
                timeout=ClientTimeout(total=None, connect=connect, sock_read=read),
                allow_redirects=False,
                raise_for_status=False,
            )
        finally:
            if session is not self._client:
                await session.close()  # the connections stay, as they are the other session's
        return AiohttpAdapter(response)

    @asynccontextmanager
    async def stream(self, method: str, url: Any, *, headers: Any, **options: Any) -> AsyncIterator[Any]:
        """Send a request with the library's own options."""
        text_headers = RequestToSend.build(method, url, headers=headers).text_headers("utf-8")
        async with self._client.request(method, url, headers=text_headers, **options) as response:
            yield response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _without_credentials(self) -> Any:
        """A session with the same connections, but without secret headers, cookies and credentials."""
        from aiohttp import ClientSession, DummyCookieJar

        client = self._client
        headers = [(name, value) for name, value in client.headers.items() if not is_secret_header(name)]
        return ClientSession(
            connector=client.connector,
            connector_owner=False,
            cookie_jar=DummyCookieJar(),
            headers=headers,
        )


def _url(url: str) -> Any:
    from yarl import URL

    # It is encoded already, and encoding it again could change it.
    return URL(str(url), encoded=True)

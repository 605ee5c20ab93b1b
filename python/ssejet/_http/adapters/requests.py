"""Adapts responses and clients of requests and niquests, whose interfaces are the same."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import READ_SIZE, AsyncResponseAdapter, SyncResponseAdapter
from ssejet._http.adapters.requests_to_send import ClientAdapter, RequestToSend
from ssejet._http.adapters.urllib3 import connection_of, is_consumed, read_function
from ssejet._http.urls import TextURL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ssejet._http.adapters.socket_reads import Connection, SocketReads
    from ssejet._http.deadlines import Deadlines

__all__ = [
    "AsyncNiquestsAdapter",
    "AsyncNiquestsSessionAdapter",
    "RequestsAdapter",
    "SessionAdapter",
]


class _RequestsMembers:
    """What the responses of both libraries have in common."""

    original: Any

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.original.status_code  # type: ignore[no-any-return]

    @property
    def request(self) -> Any:
        """The request that was sent, after redirects."""
        return self.original.request

    def _raw(self) -> Any:
        return self.original.raw

    def closed_check(self) -> Callable[[], bool]:
        """See the base class."""
        raw = self.original.raw
        return lambda: bool(getattr(raw, "closed", False))

    def _content(self) -> bytes | None:
        content = self.original._content
        return None if content is False else content or b""

    def _is_consumed(self) -> bool:
        if self.original._content_consumed or self.original._content is not False:
            return True
        return hasattr(self.original.raw, "length_remaining") and is_consumed(self.original.raw)


class RequestsAdapter(_RequestsMembers, SyncResponseAdapter):
    """Adapts a ``requests.Response`` or a ``niquests.Response``."""

    def network_reads(self, deadlines: Deadlines) -> SocketReads | None:
        """See the base class. A multiplexed session of niquests first receives the head, as for any use."""
        if getattr(self.original, "lazy", False):
            self.original._gather()
        return super().network_reads(deadlines)

    def _read_function(self) -> Callable[[int], bytes]:
        original = self.original
        raw = original.raw
        if not hasattr(raw, "_fp"):  # some other file
            return getattr(raw, "read1", lambda size: raw.read(1))
        read_raw = read_function(raw)

        def read(size: int) -> bytes:
            try:
                chunk = read_raw(size)
            except Exception as error:
                raise _translated(error, original) from error
            if not chunk:
                original._content_consumed = True
            return chunk

        return read

    def _connection(self) -> Connection:
        return connection_of(self.original.raw)


class AsyncNiquestsAdapter(_RequestsMembers, AsyncResponseAdapter):
    """Adapts a ``niquests.AsyncResponse``."""

    def __init__(self, response: Any) -> None:
        super().__init__(response)
        self._chunks: Any = None
        self._reading_task: Any = None
        self._is_closing = False

    async def read(self) -> bytes:
        """What has arrived; ``b""`` at the end of the body."""
        from asyncio import CancelledError, current_task

        task = self._reading_task = current_task()
        try:
            return await self._read_now()
        except CancelledError:
            if not self._is_closing or _is_cancelled_again(task):
                raise
            return b""
        finally:
            self._reading_task = None

    async def _read_now(self) -> bytes:
        original = self.original
        if getattr(original, "lazy", False):
            await original._gather()  # multiplexed: the head has not been received yet
        raw = original.raw
        if not hasattr(raw, "read1"):  # an older version, whose iterator may wait for more if it decompresses
            if self._chunks is None:
                self._chunks = await original.iter_content(-1)
            return await anext(self._chunks, b"")
        while True:
            try:
                chunk: bytes = await raw.read1(READ_SIZE, decode_content=True)
            except Exception as error:
                raise _translated(error, original) from error
            if chunk or raw.closed:
                break
        if not chunk:
            original._content_consumed = True
        return chunk

    async def end_reading(self) -> None:
        """Close the library's iterator."""
        if self._chunks is not None:
            await self._chunks.aclose()

    async def aclose(self) -> None:
        """Release the connection."""
        if self._reading_task is not None:
            # The library lets no task close what another one reads.
            self._is_closing = True
            self._reading_task.cancel()
        await self.original.close()


def _is_cancelled_again(task: Any) -> bool:
    """Undo our own cancellation of a task, and return whether there is another one."""
    return hasattr(task, "uncancel") and task.uncancel() > 0


def _translated(error: Exception, response: Any) -> Exception:
    """The error that ``iter_content()`` of the library raises for an error of urllib3."""
    library = "niquests" if type(response).__module__.partition(".")[0] == "niquests" else "requests"
    exceptions: Any = sys.modules[f"{library}.exceptions"]
    names = {base.__name__ for base in type(error).__mro__ if "urllib3" in base.__module__}
    for name, translation in (
        ("ProtocolError", exceptions.ChunkedEncodingError),
        ("DecodeError", exceptions.ContentDecodingError),
        ("ReadTimeoutError", exceptions.ConnectionError),
        ("SSLError", exceptions.SSLError),
    ):
        if name in names:
            return translation(error)  # type: ignore[no-any-return]
    return error


class _BaseSessionAdapter(ClientAdapter):
    """What sessions of both kinds have in common."""

    def build_request(self, method: str, url: Any, **options: Any) -> Any:
        """Build a request, with the headers, cookies and credentials of the session."""
        request = RequestToSend.build(method, url, **options)
        library = self._library()
        prepared = self._client.prepare_request(
            library.Request(
                request.method,
                str(request.url),
                headers=request.text_headers("latin-1"),
                data=request.content,
            )
        )
        prepared.url = TextURL(prepared.url)
        prepared.extensions = {}
        prepared.timeout = request.timeout
        return prepared

    def _send_options(self, request: Any) -> dict[str, Any]:
        url = str(request.url)
        options = self._client.merge_environment_settings(url, {}, True, None, None)
        return {**options, "stream": True, "timeout": request.timeout, "allow_redirects": False}

    def _prepared(self, request: Any, options: dict[str, Any]) -> Any:
        if "auth" in options:
            # A hook of the session's credentials would answer a challenge of another origin.
            request.hooks = {**request.hooks, "response": []}
        return request

    def _library(self) -> Any:
        modules = (base.__module__.partition(".")[0] for base in type(self._client).__mro__)
        return sys.modules[next(name for name in modules if name in {"requests", "niquests"})]


class SessionAdapter(_BaseSessionAdapter):
    """Adapts a ``requests.Session`` or a ``niquests.Session``."""

    def send(self, request: Any, **options: Any) -> RequestsAdapter:
        """Send a request. Redirects are not followed."""
        request = self._prepared(request, options)
        return RequestsAdapter(self._client.send(request, **self._send_options(request)))

    @contextmanager
    def stream(self, method: str, url: Any, *, headers: Any, **options: Any) -> Iterator[Any]:
        """Send a request with the library's own options."""
        text_headers = RequestToSend.build(method, url, headers=headers).text_headers("latin-1")
        with self._client.request(method, url, headers=text_headers, stream=True, **options) as response:
            yield response

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class AsyncNiquestsSessionAdapter(_BaseSessionAdapter):
    """Adapts a ``niquests.AsyncSession``."""

    async def send(self, request: Any, **options: Any) -> AsyncNiquestsAdapter:
        """Send a request. Redirects are not followed."""
        request = self._prepared(request, options)
        return AsyncNiquestsAdapter(await self._client.send(request, **self._send_options(request)))

    @asynccontextmanager
    async def stream(self, method: str, url: Any, *, headers: Any, **options: Any) -> AsyncIterator[Any]:
        """Send a request with the library's own options."""
        text_headers = RequestToSend.build(method, url, headers=headers).text_headers("latin-1")
        response = await self._client.request(method, url, headers=text_headers, stream=True, **options)
        try:
            yield response
        finally:
            await response.close()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

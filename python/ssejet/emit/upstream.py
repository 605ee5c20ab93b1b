"""The response that a relay passes on: read to its end, or closed in the midst of it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet import transport
from ssejet.emit.pump import aclose, close
from ssejet.machine import status_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssejet.errors import APIStatusError

__all__ = ["AsyncUpstream", "Upstream"]

# How much is kept of the body of a refusal, in bytes.
_REFUSAL_SIZE = 64 * 1024


class _BaseUpstream:
    def __init__(self, response: Any, *, methods: tuple[str, str], body: str, relay: str) -> None:
        stream = getattr(response, "stream", None)
        # The responses of httpx have all methods, but only half of them work.
        is_other_kind = stream is not None and not hasattr(stream, body)
        if is_other_kind or not all(hasattr(response, method) for method in methods):
            read, end = methods
            other = "arelay" if relay == "relay" else "relay"
            raise TypeError(
                f"{relay}() needs a response with {read}() and {end}() that work, which this "
                f"{type(response).__name__} has not; responses of the other kind of client are for {other}()"
            )
        self._response = response
        status = getattr(response, "status_code", None)
        self._is_refusal = isinstance(status, int) and status >= 400


class Upstream(_BaseUpstream):
    """The chunks of a synchronous response, which another thread can interrupt.

    Args:
        response: a response of httpx or httpx2, or anything with ``iter_bytes()`` and ``close()``.

    Raises:
        TypeError: the response is of another kind.
    """

    def __init__(self, response: Any) -> None:
        super().__init__(response, methods=("iter_bytes", "close"), body="__iter__", relay="relay")
        self._lock = threading.Lock()
        self._reading: Any = None
        self._interrupted = False

    def __iter__(self) -> Iterator[bytes]:
        restore = self._watch_reads()
        chunks = iter(self._response.iter_bytes())
        try:
            if self._is_refusal:
                raise self._refusal(chunks)
            yield from chunks
        finally:
            restore()
            close(chunks)
            self.close()

    def close(self) -> None:
        """Close the response."""
        self._response.close()

    def interrupt(self) -> None:
        """End the read that another thread is in, and any that follows.

        Closing a socket does not wake who reads from it; shutting it down does. It is done only while this
        very response is read from it: HTTP/2 shares connections, and HTTP/1.1 hands them on.
        """
        with self._lock:
            self._interrupted = True
            if self._reading is not None:
                with suppress(OSError):  # it broke by itself
                    self._reading.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _refusal(self, chunks: Iterator[bytes]) -> APIStatusError:
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) >= _REFUSAL_SIZE:
                break
        return status_error(self._response, bytes(body[:_REFUSAL_SIZE]))

    def _watch_reads(self) -> Any:
        """Note when the network stream is in a read; gives a function that undoes this."""
        stream = getattr(self._response, "extensions", {}).get("network_stream")
        if stream is None or not transport.is_reusable(self._response):
            return lambda: None
        read = stream.read

        def watched_read(max_bytes: int, timeout: float | None = None) -> bytes:
            if self._response.is_closed:  # the connection may serve another request by now
                return bytes(read(max_bytes, timeout))
            with self._lock:
                if self._interrupted:
                    raise ConnectionAbortedError("the client has left")
                self._reading = stream
            try:
                return bytes(read(max_bytes, timeout))
            finally:
                with self._lock:
                    self._reading = None

        def restore() -> None:
            if vars(stream).get("read") is watched_read:
                del stream.read

        stream.read = watched_read
        return restore


class AsyncUpstream(_BaseUpstream):
    """The chunks of an asynchronous response.

    Args:
        response: a response of httpx or httpx2, or anything with ``aiter_bytes()`` and ``aclose()``.

    Raises:
        TypeError: the response is of another kind.
    """

    def __init__(self, response: Any) -> None:
        super().__init__(response, methods=("aiter_bytes", "aclose"), body="__aiter__", relay="arelay")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from anyio import CancelScope

        chunks = aiter(self._response.aiter_bytes())
        try:
            if self._is_refusal:
                raise await self._refusal(chunks)
            async for chunk in chunks:
                yield chunk
        finally:
            with CancelScope(shield=True):
                await aclose(chunks)
                await self.aclose()

    async def aclose(self) -> None:
        """Close the response."""
        await self._response.aclose()

    async def _refusal(self, chunks: AsyncIterator[bytes]) -> APIStatusError:
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            if len(body) >= _REFUSAL_SIZE:
                break
        return status_error(self._response, bytes(body[:_REFUSAL_SIZE]))

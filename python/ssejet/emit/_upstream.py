"""The response that a relay passes on: read to its end, or closed in the midst of it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Literal

from ssejet._http.deadlines import Deadlines
from ssejet._http.response import check_response, content_type_of, has_error_status, is_reusable
from ssejet._http.sockets import NetworkReads
from ssejet.emit._pump import aclose, close
from ssejet.errors import SSEError
from ssejet.typed._refusal import Beginning
from ssejet.typed._server_reports import status_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssejet.errors import APIStatusError

__all__ = ["AsyncUpstream", "Upstream"]

_logger = logging.getLogger("ssejet.emit")

# How much is kept of the body of a refusal, in bytes.
_REFUSAL_SIZE = 64 * 1024

# How much of the data of the first event is held back, in bytes. An event that is longer passes as it comes.
_DATA_SIZE = 64 * 1024


class _BaseUpstream:
    def __init__(
        self, response: Any, kind: Literal["sync", "async"], *, relay: str, other_relay: str
    ) -> None:
        check_response(response, kind, reader=relay, other_reader=other_relay)
        self._response = response
        self._is_refusal = has_error_status(response)
        self._gate = _Gate(response)


class _Gate:
    """Holds back what no event stream has, until an event shows that this is one all the same.

    Comments pass at once. Clients of an event stream would take JSON or HTML for silence. The data of the
    first event waits for its end: an event that tells of an error could not follow half of it.

    Attributes:
        is_open: whether an event has come, so that everything may pass.
    """

    def __init__(self, response: Any) -> None:
        self.is_open = False
        self._response = response
        self._beginning = Beginning(response)
        self._held = b""
        self._holds_data = True
        # The last byte that has passed, as a line that ends with CR goes on to LF.
        self._last_byte = b""

    def add(self, chunk: bytes) -> Iterator[bytes]:
        """Take in a chunk, and give what may pass.

        Raises:
            SSEError: this is no event stream.
        """
        try:
            self._beginning.add(chunk)
        except SSEError:
            yield from self._refuse()
            raise
        self.is_open = self._beginning.has_event
        held = self._held + chunk
        lines = self._beginning.lines
        if lines.data_held > _DATA_SIZE:
            self._holds_data = False
        end = len(held) - max(lines.held, lines.data_held if self._holds_data else 0)
        self._held = held[end:]
        if end:
            self._last_byte = held[end - 1 : end]
            yield held[:end]

    def end(self) -> Iterator[bytes]:
        """Take note of the end, and give what is left.

        Raises:
            SSEError: this is no event stream.
        """
        try:
            self._beginning.end()
        except SSEError:
            yield from self._refuse()
            raise
        if self._held:
            yield self._held

    def fail(self, error: Exception) -> Iterator[bytes]:
        """Raise what says more than the failure of a read: what has come in place of an event stream."""
        if self._beginning.is_other:
            yield from self._refuse()
            raise self._beginning.error() from error

    def _refuse(self) -> Iterator[bytes]:
        """Warn, and end the lines that have passed, so that an event can follow them."""
        _logger.warning(
            "the other server's answer is no event stream: HTTP status %s, content type %r",
            getattr(self._response, "status_code", None),
            content_type_of(self._response),
        )
        lines = self._beginning.lines
        is_data_kept = self._holds_data or not lines.has_data
        if self._last_byte and lines.is_in_block and is_data_kept:
            yield b"\r" if self._last_byte == b"\r" else b"\n"


class Upstream(_BaseUpstream):
    """The chunks of a synchronous response, which another thread can interrupt.

    Args:
        response: a response of httpx or httpx2, or anything with ``iter_bytes()`` and ``close()``.

    Raises:
        TypeError: the response is of another kind.
    """

    def __init__(self, response: Any) -> None:
        super().__init__(response, "sync", relay="relay()", other_relay="arelay()")
        self._lock = threading.Lock()
        self._reads: NetworkReads | None = None
        self._interrupted = False

    def __iter__(self) -> Iterator[bytes]:
        reads = None
        with self._lock:
            if self._interrupted:
                raise ConnectionAbortedError("the client has left")
            if is_reusable(self._response):
                reads = self._reads = NetworkReads.of(self._response, Deadlines())
        chunks = iter(self._response.iter_bytes())
        try:
            if self._is_refusal:
                raise self._refusal(chunks)
            gate = self._gate
            try:
                for chunk in chunks:
                    yield from gate.add(chunk)
                    if gate.is_open:
                        yield from chunks
                        return
            except SSEError:
                raise
            except Exception as error:
                yield from gate.fail(error)
                raise
            yield from gate.end()
        finally:
            if reads is not None:
                reads.release()
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
            if self._reads is not None:
                self._reads.interrupt()

    def _refusal(self, chunks: Iterator[bytes]) -> APIStatusError:
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) >= _REFUSAL_SIZE:
                break
        return status_error(self._response, bytes(body[:_REFUSAL_SIZE]))


class AsyncUpstream(_BaseUpstream):
    """The chunks of an asynchronous response.

    Args:
        response: a response of httpx or httpx2, or anything with ``aiter_bytes()`` and ``aclose()``.

    Raises:
        TypeError: the response is of another kind.
    """

    def __init__(self, response: Any) -> None:
        super().__init__(response, "async", relay="arelay()", other_relay="relay()")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from anyio import CancelScope

        chunks = aiter(self._response.aiter_bytes())
        try:
            if self._is_refusal:
                raise await self._refusal(chunks)
            gate = self._gate
            try:
                async for chunk in chunks:
                    if gate.is_open:
                        yield chunk
                    else:
                        for held in gate.add(chunk):
                            yield held
            except SSEError:
                raise
            except Exception as error:
                for held in gate.fail(error):
                    yield held
                raise
            for held in gate.end():
                yield held
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

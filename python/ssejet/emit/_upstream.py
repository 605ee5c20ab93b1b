"""Reads the response that a relay passes on."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ssejet._http.async_reader import AsyncReader
from ssejet._http.deadlines import Deadlines
from ssejet._http.readable import readable_response
from ssejet._http.reader import Reader
from ssejet._http.response import content_type_of
from ssejet.errors import SSEError
from ssejet.typed._refusal import Beginning, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["AsyncUpstream", "Upstream"]

_logger = logging.getLogger("ssejet.emit")

_SENTINEL = b"[DONE]"

# How many bytes of the first event's data are held back. An event that is longer passes as it comes.
_DATA_SIZE = 64 * 1024


class _BaseUpstream:
    """What both upstreams share: everything but reading and closing.

    Args:
        response: the response to read; it is closed with the upstream.
        direct: as for ``Stream``.

    Raises:
        TypeError: the response is of the other kind of client.
    """

    _reader_class: ClassVar[Any]
    _kind: ClassVar[Literal["sync", "async"]]
    _names: ClassVar[tuple[str, str]]
    """The names of two functions: the one that relays such a response, and the one for the other kind."""

    def __init__(self, response: Any, *, direct: bool = True) -> None:
        name, other_name = self._names
        response = readable_response(response, self._kind, reader=name, other_reader=other_name)
        self._deadlines = Deadlines()
        self._reader = self._reader_class(response, self._deadlines, direct=direct)
        self._start = _Start(response, self._deadlines, on_change=self._reader.change_deadlines)
        self._last_chunk = b""

    def _receive_start(self, chunk: bytes | None) -> Iterator[bytes]:
        if chunk is None and self._reader.closed:
            return  # the upstream was closed, so the body did not end here
        yield from self._start.receive(chunk)

    def _is_done(self) -> bool:
        """Whether the last chunk ends with the sentinel, so that the rest of the body comes soon."""
        return self._last_chunk.rstrip(b"\r\n").endswith(_SENTINEL)


class _Start:
    """Holds back the start of a body until it proves to be an event stream.

    Comments pass at once. To a client of event streams, JSON or HTML would look like silence. The data of the
    first event waits for the event's end, because an error event cannot follow half of an event.

    Args:
        response: the response.
        deadlines: of reading it; an error that has begun must be complete soon.
        on_change: called when the deadlines have changed.

    Attributes:
        is_over: an event has come, so everything that follows passes; or the body has ended.
    """

    def __init__(self, response: Any, deadlines: Deadlines, *, on_change: Callable[[], None]) -> None:
        self.is_over = False
        self._on_change = on_change
        self._response = response
        self._deadlines = deadlines
        self._beginning = Beginning(response)
        self._held = b""
        self._holds_data = True
        # The last byte that has passed: after a CR, an LF belongs to the same line end.
        self._last_byte = b""
        self._refusal = refusal_of(response, deadlines)

    def receive(self, chunk: bytes | None) -> Iterator[bytes]:
        """Take in a chunk, or None for the end of the body, and yield what may pass.

        Raises:
            SSEError: this is not an event stream.
        """
        if self._refusal is not None:
            self._refusal.add(chunk)
            return
        beginning = self._beginning
        try:
            if chunk is None:
                beginning.end()
            else:
                beginning.add(chunk)
        except SSEError:
            yield from self._end_comment()
            raise
        lines = beginning.lines
        if lines.data_held > _DATA_SIZE:
            self._holds_data = False
        held = self._held + (chunk or b"")
        end = len(held)
        if chunk is not None:
            end -= max(lines.held, lines.data_held if self._holds_data else 0)
        self._held = held[end:]
        self.is_over = chunk is None or beginning.has_event
        if beginning.adjust(self._deadlines):
            self._on_change()
        if end:
            self._last_byte = held[end - 1 : end]
            yield held[:end]

    def fail(self, error: Exception) -> Iterator[bytes]:
        """Raise the error of a read, or the error that the body has begun to report, which says more.

        Raises:
            Exception: always.
        """
        if self._refusal is not None:
            raise self._refusal.error() from (error.__cause__ or error)
        if self._beginning.is_other:
            yield from self._end_comment()
            raise self._beginning.error() from (error.__cause__ or error)
        raise error

    def _end_comment(self) -> Iterator[bytes]:
        """Log what came, and end the lines that have passed, so that an event can follow them."""
        _logger.warning(
            "the other server's answer is no event stream: HTTP status %s, content type %r",
            getattr(self._response, "status_code", None),
            content_type_of(self._response),
        )
        lines = self._beginning.lines
        is_data_held = self._holds_data or not lines.has_data
        if self._last_byte and lines.is_in_block and is_data_held:
            yield b"\r" if self._last_byte == b"\r" else b"\n"


class Upstream(_BaseUpstream):
    """The chunks of a synchronous response, in one iteration. Any thread may close it."""

    _reader_class = Reader
    _kind = "sync"
    _names = ("relay()", "arelay()")

    def __iter__(self) -> Iterator[bytes]:
        read = self._reader.read
        try:
            yield from self._read_start()
            while (chunk := read()) is not None:
                self._last_chunk = chunk
                yield chunk
        finally:
            if self._is_done():
                self._reader.drain()
            self.close()

    def _read_start(self) -> Iterator[bytes]:
        chunk: bytes | None = b""
        while chunk is not None and not self._start.is_over:
            try:
                chunk = self._reader.read()
            except Exception as error:  # noqa: PERF203 (this ends the loop)
                yield from self._start.fail(error)
            else:
                self._last_chunk = chunk or b""
                yield from self._receive_start(chunk)

    def close(self) -> None:
        """Close the response, and end the read that a thread waits in; from any thread, more than once."""
        self._reader.close()

    def interrupt(self) -> None:
        """End the read that another thread waits in, and all later ones; that thread closes the response."""
        self._reader.interrupt()


class AsyncUpstream(_BaseUpstream):
    """The chunks of an asynchronous response, in one iteration. Any task may close it."""

    # A cancelled read ends the generators around it, so no read can follow.
    _reader_class = staticmethod(partial(AsyncReader, resumable=False))
    _kind = "async"
    _names = ("arelay()", "relay()")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = self._reader.read
        try:
            async for piece in self._read_start():
                yield piece
            while (chunk := await read()) is not None:
                self._last_chunk = chunk
                yield chunk
        finally:
            await self.aclose()

    async def _read_start(self) -> AsyncIterator[bytes]:
        chunk: bytes | None = b""
        while chunk is not None and not self._start.is_over:
            try:
                chunk = await self._reader.read()
            except Exception as error:
                pieces = self._start.fail(error)
            else:
                self._last_chunk = chunk or b""
                pieces = self._receive_start(chunk)
            for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        """Close the response, and end the read that a task waits in; from any task, more than once."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            if self._is_done():
                await self._reader.drain()
            await self._reader.aclose()

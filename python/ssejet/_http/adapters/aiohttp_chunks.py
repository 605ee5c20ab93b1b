"""Reads the body of an aiohttp response without aiohttp's coroutines.

aiohttp puts what has arrived into the buffer of a ``StreamReader``, and sets the result of the future that a
read waits for. A read of aiohttp costs two coroutines and that future, and lets the parser look for more.
Here an object takes the future's place: it resumes the reader, which takes the bytes out of the buffer. All
else stays aiohttp's: its parser, its flow control and its timeouts.

Only this module uses the insides of ``StreamReader``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from ssejet._http.direct._arrivals import Arrivals
from ssejet._http.direct._asyncio import AsyncDirectChunks
from ssejet._http.direct._body import Body
from ssejet._http.direct._httpcore import is_switched_off
from ssejet._http.direct._originals import has_originals

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ssejet._http.deadlines import Deadlines
    from ssejet._http.direct._httpcore import Framing

__all__ = ["AiohttpChunks", "is_known"]

_METHODS = (
    *("feed_data", "feed_eof", "set_exception", "end_http_chunk_receiving"),
    *("readany", "_wait", "_read_nowait", "_read_nowait_chunk"),
)
_ATTRIBUTES = ("_buffer_offset", "_cursor", "_eof", "_exception", "_http_chunk_splits", "_size", "_waiter")


def is_known(content: Any) -> bool:
    """Whether a stream of a body is aiohttp's own, as this module knows it, in the event loop that runs."""
    if is_switched_off():
        return False
    try:
        streams, helpers = sys.modules["aiohttp.streams"], sys.modules["aiohttp.helpers"]
        for name in _ATTRIBUTES:
            getattr(content, name)
        return (
            type(content) is streams.StreamReader
            and has_originals(streams, content, *_METHODS)
            and content._loop is asyncio.get_running_loop()
            and content._waiter is None
            and type(content._timer) in {helpers.TimerNoop, helpers.TimerContext}
            and type(getattr(content._timer, "_tasks", [])) is list
            and type(content._protocol._reading_paused) is bool
            and type(content._protocol.connected) is bool
        )
    except (AttributeError, KeyError, RuntimeError):
        return False


def _is_active(protocol: Any) -> bool:
    """Whether a transport tells this protocol what arrives."""
    transport = protocol.transport
    try:
        return not transport.is_closing() and transport.get_protocol() is protocol
    except AttributeError:
        return False


class AiohttpChunks(AsyncDirectChunks):
    """The chunks of an aiohttp response.

    Args:
        response: the adapter of the response.
        content: the stream of its body, for which ``is_known()`` is true.
        deadlines: how long reads may take.
    """

    __slots__ = ()

    arrived: _Arrivals

    def __init__(self, response: Any, content: Any, deadlines: Deadlines) -> None:
        body = Body(_Connection())
        super().__init__(response, body, _Arrivals(body, content), deadlines)

    def wait(self) -> Awaitable[object]:
        """See the base class."""
        self.arrived.pull()
        return _nothing() if self.arrived.size else super().wait()

    def on_cancelled(self) -> None:
        """See the base class."""
        self.arrived.stop_waiting()


def _own(error: Exception) -> Exception:
    """An error of one response. aiohttp has one for all that were closed, whose traceback would keep them."""
    from aiohttp import ClientConnectionError

    is_shared = type(error) is ClientConnectionError and error.__cause__ is None
    return ClientConnectionError(*error.args) if is_shared else error


async def _nothing() -> None:
    """Wait for nothing."""


class _Connection:
    """What a body asks of its connection. aiohttp takes off the framing, and limits the reads."""

    framing: Framing = "until-close"
    read_timeout: float | None = None

    def complete(self) -> None:
        """Do nothing: aiohttp knows when the body has ended."""

    def error(self, name: str, message: str, cause: BaseException | None = None) -> Exception:
        from aiohttp import ClientConnectionError

        return ClientConnectionError("the response was closed")


class _Arrivals(Arrivals, asyncio.BufferedProtocol):
    """Takes what has arrived out of aiohttp's stream.

    To the transport, this is its protocol, which passes all on to aiohttp's. It has one buffer for all reads;
    without that, the event loop allocates 256 KiB for each. To the stream, this is the future that a read
    waits for. To the timer of the whole response, this is a task that reads: the timer cancels it.
    """

    __slots__ = ("_content", "_is_late", "_is_parsing", "_protocol", "_timed_tasks", "_view", "transport")

    def __init__(self, body: Body, content: Any) -> None:
        self._content = content
        self._protocol = content._protocol
        self.transport = self._protocol.transport
        # A response without a limit for the whole has no such list.
        self._timed_tasks: list[Any] = getattr(content._timer, "_tasks", [])
        # Whether the whole response has taken too long while nothing waited.
        self._is_late: bool = getattr(content._timer, "_cancelled", False)
        self._is_parsing = False
        super().__init__(body)
        self.pulls = True
        self._timed_tasks.append(self)
        if _is_active(self._protocol):
            self._view = self.get_buffer(-1)
            self.transport.set_protocol(self)

    def pull(self) -> None:
        """Take what has arrived; if there is nothing, let the stream tell of the next bytes."""
        if not (self.size or self.is_released or self.body.is_over):
            self._pull()

    def stop_waiting(self) -> None:
        """Let others read the stream, as long as no read waits here."""
        if self._content._waiter is self:
            self._content._waiter = None

    def _pull(self) -> None:
        content = self._content
        if content._waiter is not None and content._waiter is not self:
            self.body.fail_with(RuntimeError("another task waits already for the body of this response"))
        elif self._is_late:
            self.body.fail_with(_own(content._exception) if content._exception else asyncio.TimeoutError())
        elif content._buffer:
            self._take_in()
        elif content._exception is not None:
            self.body.fail_with(_own(content._exception))
        elif content._eof:
            self.body.receive_end()
        elif not content._protocol.connected:
            self.body.fail_with(RuntimeError("Connection closed."))  # aiohttp's own error
        else:
            content._waiter = self

    def _take_in(self) -> None:
        content = self._content
        if len(content._buffer) == 1 and not (content._buffer_offset or content._protocol._reading_paused):
            # What _read_nowait() does, without letting the parser look for more, which it does at each read.
            data = content._buffer.popleft()
            content._size -= len(data)
            content._cursor += len(data)
            splits = content._http_chunk_splits
            while splits and splits[0] < content._cursor:
                del splits[0]
        else:
            try:
                data = content._read_nowait(-1)
            except Exception as error:
                self.body.fail_with(error)
                self.wake()
                return
        self.receive(data)

    def _release(self) -> None:
        if self in self._timed_tasks:
            self._timed_tasks.remove(self)
        self._restore_protocol()

    def _restore_protocol(self) -> None:
        if _is_active(self):
            self.transport.set_protocol(self._protocol)

    # The methods of a protocol.

    def buffer_updated(self, nbytes: int) -> None:
        """Let aiohttp parse what was read, then resume the reader at once: not out of the parser."""
        content = self._content
        self._is_parsing = True
        try:
            self._protocol.data_received(bytes(self._view[:nbytes]))
        finally:
            self._is_parsing = False
        has_ended = content._eof or content._exception is not None
        if has_ended:
            self._restore_protocol()  # the connection may serve another request
        if content._waiter is not None or not self.is_awaited:
            return
        if content._buffer:
            self._take_in()
        elif has_ended:
            self.wake()
        else:
            content._waiter = self  # only a chunk of the framing has ended

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()  # type: ignore[no-any-return]

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    # The methods of a future.

    def done(self) -> bool:
        """Whether nothing waits."""
        return not self.is_awaited

    def set_result(self, _: None) -> None:
        """Take in that bytes have arrived, or that the body has ended, or only a chunk of its framing."""
        if not self._is_parsing:
            self.wake()

    def set_exception(self, _: BaseException) -> None:
        """Take in that the body is broken. The reader finds the error in the stream."""
        if not self._is_parsing:
            self.wake()

    # The method of a task.

    def cancel(self) -> None:
        """Take in that the whole response has taken too long."""
        if self.is_awaited:
            self.body.fail_with(asyncio.TimeoutError())
            self.wake()
        else:
            self._is_late = True  # the next read finds it, or the error that has come before

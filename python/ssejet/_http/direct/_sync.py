"""Reads the body of a synchronous response from its socket."""

from __future__ import annotations

import socket
import threading
from math import inf
from typing import TYPE_CHECKING, Any, NoReturn

from ssejet._http.direct._body import READ_SIZE, Body
from ssejet._http.direct._httpcore import Connection, find
from ssejet._http.sockets import SHORTEST_WAIT, shut_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ssejet._http.deadlines import Deadlines

__all__ = ["DirectChunks", "unsupported"]


def unsupported(connection: Connection) -> str | None:
    """Why this kind of connection cannot be read directly; None if it can."""
    network_stream = connection.network_stream
    name = type(network_stream).__name__
    if name == "TLSinTLSStream" or (
        name == "SyncStream" and isinstance(network_stream._sock, socket.socket)
    ):
        return None
    return f"the network stream is of another kind: {type(network_stream).__module__}.{name}"


class DirectChunks:
    """The chunks of a synchronous response, read from its socket.

    It also does what ``NetworkReads`` does for the ordinary way. There is no lock around a read, as it would
    cost too much: ``_is_waiting`` is set before ``_is_interrupted`` is read, so an interrupt is never missed.

    Attributes:
        deadlines: how long reads may take.
    """

    def __init__(self, connection: Connection, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self._connection = connection
        self._response = connection.response
        self._body: Body | None = None
        self._is_waiting = False
        self._is_interrupted = False
        self._lock = threading.RLock()  # a signal handler may interrupt its owner

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines) -> Self | None:
        """The chunks of a response; None if it cannot be read directly."""
        connection = find(response, "sync")
        if isinstance(connection, str) or unsupported(connection):
            return None
        return cls(connection, deadlines)

    def begin(self) -> bool:
        """Take over the connection. Returns whether that is still possible."""
        found = find(self._response, "sync")
        if isinstance(found, str):
            return False
        self._connection = found
        self._timeout = found.read_timeout
        self._receive = self._receiver(found.network_stream)
        self._body = Body(found)
        self._first = found.take()
        return True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        body = self._body
        assert body is not None
        data, self._first = self._first, b""
        while True:
            if not data:
                if body.is_over:
                    self._end()
                data = self._read()
                if not data:
                    continue
            payload = body.feed(data)
            data = b""
            if payload:
                self._response._num_bytes_downloaded += len(payload)
                return payload

    def _read(self) -> bytes:
        """Read bytes from the socket; none if the body is over."""
        timeout = self._timeout
        if self.deadlines.limited:
            wait = self.deadlines.wait()
            timeout = max(SHORTEST_WAIT, wait if timeout is None else min(wait, timeout))
            timeout = None if timeout == inf else timeout
        self._is_waiting = True
        try:
            data = b"" if self._is_interrupted else self._receive(timeout)
        except TimeoutError as error:
            self._body.fail("ReadTimeout", str(error), error)
            return b""
        except OSError as error:
            self._body.fail("ReadError", str(error), error)
            return b""
        finally:
            self._is_waiting = False
        if self._is_interrupted:
            with self._lock:  # waits for the thread that shuts the socket down
                self._body.fail("ReadError", "the response was closed")
            return b""
        if not data:
            self._body.receive_end()
        return data

    def _receiver(self, network_stream: Any) -> Callable[[float | None], bytes]:
        """The function that reads, with a timeout."""
        sock = network_stream._sock
        if type(network_stream).__name__ != "SyncStream":
            return lambda timeout: _read_nested(network_stream, timeout)
        get_timeout, set_timeout, receive = sock.gettimeout, sock.settimeout, sock.recv

        def read(timeout: float | None) -> bytes:
            if get_timeout() != timeout:  # this costs less than a system call
                set_timeout(timeout)
            return receive(READ_SIZE)

        return read

    def _end(self) -> NoReturn:
        body = self._body
        assert body is not None
        error = body.end()
        self._response.close()
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame
        raise StopIteration

    def release(self) -> None:
        """Do nothing: nothing watches the network stream."""

    def interrupt(self) -> bool:
        """End the body here, and wake a thread that waits for more of it. Any thread may call this.

        Returns:
            Whether the thread wakes up, or there is none.
        """
        with self._lock:
            self._is_interrupted = True
            return not self._is_waiting or shut_down(self._connection.network_stream)


def _read_nested(network_stream: Any, timeout: float | None) -> bytes:
    """Read through TLS inside of TLS, and raise the errors of a socket."""
    try:
        return network_stream.read(READ_SIZE, timeout)
    except Exception as error:
        raise error.__cause__ or error.__context__ or error from None

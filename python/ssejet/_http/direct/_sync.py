"""Reads the body of a synchronous response from its socket."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from ssejet._http.deadlines import Deadlines
from ssejet._http.direct._body import READ_SIZE, Body
from ssejet._http.direct._httpcore import Connection, find
from ssejet._http.sockets import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

__all__ = ["DirectChunks", "unsupported"]


def unsupported(connection: Connection) -> str | None:
    """Why this kind of connection cannot be read directly; None if it can."""
    network_stream = connection.network_stream
    name = type(network_stream).__name__
    if name == "TLSinTLSStream" or (
        name == "SyncStream" and isinstance(getattr(network_stream, "_sock", None), socket.socket)
    ):
        return None
    return f"the network stream is of another kind: {type(network_stream).__module__}.{name}"


class _SocketSource:
    """Reads a body from a socket.

    There is no lock around a read, as it would cost too much: ``is_waiting`` is set before ``is_interrupted``
    is read, so an interrupt is never missed.

    Attributes:
        body: the body.
        deadlines: how long reads may take, in addition to the client's read timeout.
        is_interrupted: whether the body ends here, because a thread asked for it.
        is_waiting: whether a thread waits in a read.
        lock: held while the socket is shut down.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self.is_waiting = False
        self.is_interrupted = False
        self.lock = threading.RLock()  # a signal handler may interrupt its owner
        self.body: Body

    def begin(self, connection: Connection, response: Any) -> bytes:
        """Take over a connection, and return the piece of the body that has been received already."""
        self.body = Body(connection)
        self._timeout = connection.read_timeout
        self._receive = _receiver(connection.network_stream)
        first = connection.take(response)
        connection.replace_stream(self)
        return self.body.reader.feed(first)

    def read(self) -> bytes:
        """Wait for the next bytes of the body; ``b""`` if there were none in what has arrived."""
        timeout = self._timeout
        if self.deadlines.limited:
            timeout = self.deadlines.socket_timeout(timeout)
        self.is_waiting = True
        try:
            data = b"" if self.is_interrupted else self._receive(timeout)
        except TimeoutError as error:
            self.body.fail("ReadTimeout", str(error), error)
            return b""
        except OSError as error:
            self.body.fail("ReadError", str(error), error)
            return b""
        finally:
            self.is_waiting = False
        if self.is_interrupted:
            with self.lock:  # waits for the thread that shuts the socket down
                self.body.fail("ReadError", "the response was closed")
            return b""
        if data:
            return self.body.reader.feed(data)
        self.body.receive_end()
        return b""

    def pieces(self) -> Iterator[bytes]:
        """Iterate over what is left of the body."""
        while not self.body.is_over:
            if piece := self.read():
                yield piece
        self.body.end()
        self.body.raise_failure()


class DirectChunks:
    """The chunks of a synchronous response, read from its socket.

    It also does what ``NetworkReads`` does for the ordinary way.
    """

    def __init__(self, connection: Connection, response: Any, deadlines: Deadlines) -> None:
        self._network_stream = connection.network_stream
        self._response = response
        self._source = _SocketSource(deadlines)

    @classmethod
    def of(cls, response: Any, deadlines: Deadlines | None = None) -> Self | None:
        """The chunks of a response, before its reading begins; None if it cannot be read directly."""
        connection = find(response, "sync")
        if isinstance(connection, str) or unsupported(connection):
            return None
        return cls(connection, response, Deadlines() if deadlines is None else deadlines)

    def begin(self) -> bool:
        """Take over the connection. Returns whether that is still possible."""
        connection = find(self._response, "sync")
        if isinstance(connection, str):
            return False
        self._first = self._source.begin(connection, self._response)
        return True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        source = self._source
        chunk, self._first = self._first, b""
        while not chunk:
            if source.body.is_over:
                self._end()
            chunk = source.read()
        self._response._num_bytes_downloaded += len(chunk)
        return chunk

    def _end(self) -> NoReturn:
        self._source.body.end()
        self._response.close()
        self._source.body.raise_failure()
        raise StopIteration

    def release(self) -> None:
        """Do nothing: nothing watches the network stream."""

    def interrupt(self) -> bool:
        """End the body here, and wake a thread that waits for more of it. Any thread may call this.

        Returns:
            Whether the thread wakes up, or there is none.
        """
        source = self._source
        with source.lock:
            source.is_interrupted = True
            return not source.is_waiting or shut_down(self._network_stream)


def _receiver(network_stream: Any) -> Callable[[float | None], bytes]:
    """The function that reads from the socket, with a timeout."""
    if type(network_stream).__name__ != "SyncStream":
        return lambda timeout: _read_nested(network_stream, timeout)
    sock = network_stream._sock
    get_timeout, set_timeout, receive = sock.gettimeout, sock.settimeout, sock.recv

    def read(timeout: float | None) -> bytes:
        if get_timeout() != timeout:  # to set it takes a system call
            set_timeout(timeout)
        return receive(READ_SIZE)  # type: ignore[no-any-return]

    return read


def _read_nested(network_stream: Any, timeout: float | None) -> bytes:
    """Read through TLS inside of TLS, and raise the errors of a socket."""
    try:
        return network_stream.read(READ_SIZE, timeout)  # type: ignore[no-any-return]
    except Exception as error:
        raise error.__cause__ or error from None

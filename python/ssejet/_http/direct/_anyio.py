"""Takes over a connection from anyio on asyncio, and hands it back. Only this module uses anyio's insides.

anyio lets the event loop read only while a task waits, and queues what arrives in its protocol. Here another
protocol takes its place: the event loop reads all the time, until the buffer is full.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import TYPE_CHECKING, Any

from ssejet._http.direct._arrivals import Arrivals
from ssejet._http.direct._body import READ_SIZE
from ssejet._http.direct._originals import has_originals

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet._http.direct._body import Body

__all__ = ["arrivals_of", "unsupported"]

_CHANGED = "other code has changed the methods of anyio that read"
_OTHER_STREAM = "anyio's own stream does not carry the connection, but {}"


def unsupported(network_stream: Any) -> str | None:
    """Why a network stream of httpcore cannot be taken over; None if it can."""
    if type(network_stream).__name__ != "AnyIOStream" or "httpcore" not in type(network_stream).__module__:
        return f"the connection is not asyncio's: {_name(network_stream)}"
    backend, tls = (sys.modules.get(name) for name in ("anyio._backends._asyncio", "anyio.streams.tls"))
    if backend is None or tls is None:
        return "the connection is not asyncio's"
    try:
        return _unsupported(network_stream._stream, backend, tls)
    except AttributeError:
        return "this version of anyio has other insides than those that ssejet knows"


def _unsupported(stream: Any, backend: Any, tls: Any) -> str | None:
    while type(stream) is tls.TLSStream:
        if type(stream._ssl_object) is not ssl.SSLObject or getattr(stream, "_broken", False):
            return _OTHER_STREAM.format(_name(stream._ssl_object))
        if not has_originals(tls, stream, "receive", "_call_sslobject_method"):
            return _CHANGED
        _check_attributes(stream, "_read_bio", "_write_bio")
        stream = stream.transport_stream
    if type(stream) is backend.SocketStream:
        if type(stream._protocol) is not backend.StreamProtocol:
            return _OTHER_STREAM.format(_name(stream._protocol))
        if not has_originals(backend, stream, "receive", "aclose"):
            return _CHANGED
        _check_attributes(stream, "_closed")
        protocol = stream._protocol
        if (
            stream._transport.is_closing()
            or stream._transport.get_protocol() is not protocol
            or protocol.exception is not None
            or getattr(protocol, "is_at_eof", False)
            or (protocol.read_event.is_set() and not protocol.read_queue)
        ):
            return "the connection is ending"
        return None
    if type(stream) is backend.UNIXSocketStream:
        _check_attributes(stream, "_raw_socket")
        return (
            None if has_originals(backend, stream, "receive", "aclose", "_wait_until_readable") else _CHANGED
        )
    return _OTHER_STREAM.format(_name(stream))


def _check_attributes(stream: Any, *names: str) -> None:
    """Raise an AttributeError if a stream has not these attributes, which its reading will use."""
    for name in names:
        getattr(stream, name)


def _name(thing: Any) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def arrivals_of(network_stream: Any, body: Body, first: bytes) -> Arrivals:
    """Take over a connection for which ``unsupported()`` gives None.

    Args:
        network_stream: httpcore's network stream.
        body: the body that is received.
        first: the bytes of the socket that httpcore has read already.
    """
    layers = []
    stream = network_stream._stream
    while hasattr(stream, "transport_stream"):
        layers.append(stream)
        stream = stream.transport_stream
    if hasattr(stream, "_transport"):
        return _TransportArrivals(body, stream, layers, first)
    return _UnixArrivals(body, stream, layers, first)


class _ConnectionArrivals(Arrivals):
    """Reads a connection of anyio.

    Args:
        body: the body.
        stream: anyio's stream on the socket.
        layers: the streams of TLS on it, the innermost first.
        first: the bytes of the socket that httpcore has read already.
    """

    __slots__ = ("_stream",)

    def __init__(self, body: Body, stream: Any, layers: list[Any], first: bytes) -> None:
        super().__init__(body)
        self._stream = stream
        self.receive(first)
        if layers:
            self.decrypt = _TLS(layers, body, self._writer()).feed
            self.receive(b"")

    def _writer(self) -> Callable[[bytes], object]:
        """The function that sends bytes, for TLS."""
        raise NotImplementedError


class _TransportArrivals(_ConnectionArrivals, asyncio.BufferedProtocol):
    """Reads a transport, in place of anyio's protocol.

    It gives the event loop a buffer to read into. Otherwise the event loop allocates 256 KiB for each read,
    which may cost more than all the rest.
    """

    __slots__ = ("_protocol", "_transport")

    def __init__(self, body: Body, stream: Any, layers: list[Any], first: bytes) -> None:
        self._transport = transport = stream._transport
        self._protocol = protocol = stream._protocol
        super().__init__(body, stream, layers, first)
        queue = [*protocol.read_queue]
        protocol.read_queue.clear()
        protocol.read_event.clear()
        transport.set_protocol(self)
        for data in queue:
            self.receive(data)
        if not self.is_paused:
            transport.resume_reading()

    def eof_received(self) -> bool | None:
        try:
            keeps_open: bool | None = self._protocol.eof_received()
        finally:
            self._receive_eof()
        return keeps_open

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._protocol.connection_lost(exc)
        finally:
            if exc is not None or self._stream._closed:
                self.body.fail("ReadError", "", exc)
                self.wake()
            else:
                self._receive_eof()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _release(self) -> None:
        self._transport.pause_reading()
        self._transport.set_protocol(self._protocol)

    def _pause(self) -> None:
        self._transport.pause_reading()

    def _resume(self) -> None:
        if not self.is_released:
            self._transport.resume_reading()

    def _writer(self) -> Callable[[bytes], object]:
        return self._transport.write  # type: ignore[no-any-return]


class _UnixArrivals(_ConnectionArrivals):
    """Reads a unix socket, which anyio reads without a transport."""

    __slots__ = ("_readable",)

    def __init__(self, body: Body, stream: Any, layers: list[Any], first: bytes) -> None:
        self._readable: asyncio.Future[None] | None = None
        super().__init__(body, stream, layers, first)
        self._resume()

    def _resume(self) -> None:
        if self._readable is not None or self.is_paused or self.body.is_over:
            return
        try:
            self._readable = self._stream._wait_until_readable(self._loop)
        except (OSError, ValueError) as error:  # the client has closed the socket
            self.body.fail("ReadError", "", error)
            self.wake()
        else:
            self._readable.add_done_callback(self._on_readable)

    def _on_readable(self, readable: asyncio.Future[None]) -> None:
        self._readable = None
        if readable.cancelled():
            return
        try:
            size = self._stream._raw_socket.recv_into(self.get_buffer(-1))
        except BlockingIOError:
            pass
        except OSError as error:
            self.body.fail("ReadError", "", error)
            self.wake()
            return
        else:
            if not size:
                self._receive_eof()
                return
            self.buffer_updated(size)
        self._resume()

    def _release(self) -> None:
        if self._readable is not None and not self._readable.done():
            # uvloop may call this once more before anyio removes it, and a cancelled future takes no result.
            self._loop.add_reader(self._stream._raw_socket, lambda: None)
            self._readable.cancel()

    def _writer(self) -> Callable[[bytes], object]:
        loop, send = self._loop, self._stream.send
        return lambda data: loop.create_task(send(data))


class _TLS:
    """Decrypts what arrives, by the SSL objects of anyio's streams, which may be nested.

    Args:
        layers: anyio's streams, the innermost first.
        body: gets what was decrypted.
        write: sends bytes on the socket.

    Attributes:
        has_ended: whether the server has closed a layer.
    """

    def __init__(self, layers: list[Any], body: Body, write: Callable[[bytes], object]) -> None:
        self.has_ended = False
        self._layers = layers[::-1]
        self._body = body
        self._write = write
        self._error: Exception | None = None

    def feed(self, data: bytes) -> bytes:
        """Take in bytes of the socket, and return those of the body in them."""
        for layer in self._layers:
            data = self._decrypt(layer, data)
        payload = self._body.reader.feed(data) if data else b""
        # What was decrypted before the error comes first.
        error, self._error = self._error, None
        if error is not None:
            self._body.fail_with(error)  # httpcore does not translate it
        elif self.has_ended:
            self._body.receive_end()
        return payload

    def _decrypt(self, layer: Any, data: bytes) -> bytes:
        incoming, ssl_object = layer._read_bio, layer._ssl_object
        if data:
            incoming.write(data)
        pieces = []
        has_ended = False
        try:
            while incoming.pending or ssl_object.pending():
                piece = ssl_object.read(READ_SIZE)
                if not piece:
                    has_ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except Exception as error:
            if _is_eof(error):
                has_ended = True
            else:
                self._error = error
        if layer._write_bio.pending:
            try:
                self._send(layer)
            except Exception as error:
                self._error = error
        if has_ended:
            self.has_ended = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _send(self, layer: Any) -> None:
        """Send what a layer has to send, through the layers outside of it."""
        data = layer._write_bio.read()
        for outer in self._layers[: self._layers.index(layer)][::-1]:
            outer._ssl_object.write(data)
            data = outer._write_bio.read()
        self._write(data)


def _is_eof(error: Exception) -> bool:
    return isinstance(error, ssl.SSLEOFError) or (
        isinstance(error, ssl.SSLError) and "UNEXPECTED_EOF_WHILE_READING" in (error.strerror or "")
    )

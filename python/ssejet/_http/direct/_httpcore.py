"""Finds the connection under a response.

Only this module and ``pool_index`` use the insides of httpx and httpcore. Only this one uses those of h11.

A response holds its connection like this::

    Response.stream              BoundSyncStream               measures the time
        ._stream                 ResponseStream                translates errors
        ._httpcore_stream        PoolByteStream                releases the connection to the pool
        ._stream                 HTTP11ConnectionByteStream    reads the body
        ._connection             HTTP11Connection              its h11 state and its network stream

Each of these must be of exactly this class, with the methods that its library gave it. Otherwise other code
wants to see the body pass, and it is read the ordinary way.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol
from weakref import WeakSet

from ssejet._http.direct._originals import are_original
from ssejet._http.response import http_version_of
from ssejet._http.sockets import is_own_trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import ModuleType

__all__ = ["Connection", "Framing", "Kind", "find", "is_read_directly", "is_switched_off"]

Kind = Literal["sync", "async"]
Framing = Literal["chunked", "until-close"] | int

_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}

_OTHER_VERSION = "this version of the HTTP library has other insides than those that ssejet knows"
_CHANGED = "other code has changed the methods of the HTTP library that read a body"

_MAX_LENGTH = 2**64 - 1  # h11 accepts lengths of 20 digits, ``BodyReader`` those of 64 bits

# Responses whose body is read, or was read, directly.
_taken: WeakSet[Any] = WeakSet()


class SyncSource(Protocol):
    """What reads the body of a synchronous response in place of httpcore."""

    def pieces(self) -> Iterator[bytes]:
        """Iterate over what is left of the body."""


class AsyncSource(Protocol):
    """What reads the body of an asynchronous response in place of httpcore."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Iterate over what is left of the body."""

    def close(self) -> None:
        """Stop reading, and hand the connection back to httpcore."""


class Connection:
    """The connection that a response is received on. It does not refer to the response.

    Attributes:
        network_stream: httpcore's network stream.
        framing: how the body is framed, see ``BodyReader``.
        read_timeout: how many seconds a read may take; None without a limit.
    """

    def __init__(self, response: Any, parts: _Parts, pool_stream: Any, h11_state: Any) -> None:
        body_stream = pool_stream._stream
        self.network_stream: Any = body_stream._connection._network_stream
        self.framing: Framing = _framing(h11_state._reader)
        self.read_timeout: float | None = body_stream._request.extensions.get("timeout", {}).get("read")
        self._request = response._request
        self._parts = parts
        self._pool_stream = pool_stream
        self._h11_state = h11_state

    def take(self, response: Any) -> bytes:
        """Begin to read the body of the response, and return the bytes of the socket that h11 has got."""
        _taken.add(response)
        response.is_stream_consumed = True
        data: bytes = self._h11_state.trailing_data[0]
        self._h11_state._receive_buffer.maybe_extract_at_most(len(data))
        return data

    def replace_stream(self, source: SyncSource | AsyncSource) -> None:
        """Let a source read the body, for all code that iterates over the response's stream or closes it."""
        kind = _AsyncByteStream if self._parts.is_async else _ByteStream
        self._pool_stream._stream = kind(self._pool_stream._stream, source)

    def complete(self) -> None:
        """Tell h11 that the whole body was read, so that httpcore can use the connection again."""
        with suppress(self._parts.h11.ProtocolError):
            self._h11_state._process_event(self._parts.h11.SERVER, self._parts.h11.EndOfMessage())

    def error(self, name: str, message: str, cause: BaseException | None = None) -> Exception:
        """Make the error of httpx that the ordinary way raises.

        Args:
            name: the name of its class.
            message: its text.
            cause: what has caused it.
        """
        inner = getattr(self._parts.httpcore, name)(message)
        inner.__cause__ = cause
        error: Exception = getattr(self._parts.httpx, name)(message, request=self._request)
        error.__cause__ = inner
        return error


class _ByteStream:
    """Takes the place of httpcore's stream of a body that is read directly."""

    def __init__(self, stream: Any, source: Any) -> None:
        self._stream = stream
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        return self._source.pieces()  # type: ignore[no-any-return]

    def close(self) -> None:
        self._stream.close()


class _AsyncByteStream:
    """Takes the place of httpcore's stream of a body that is read directly."""

    def __init__(self, stream: Any, source: Any) -> None:
        self._stream = stream
        self._source = source

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._source.pieces()  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        self._source.close()
        await self._stream.aclose()


class _Parts:
    """The classes of a library that responses of a kind consist of.

    Raises:
        ImportError: this version of the library has no such module.
        AttributeError: it has no such class or method.
    """

    def __init__(self, library: str, kind: Kind) -> None:
        self.is_async: bool = kind == "async"
        is_async = self.is_async
        core = _CORES[library]
        models, client, transport = (
            _module(library, name) for name in ("_models", "_client", "_transports.default")
        )
        package = "_async" if is_async else "_sync"
        pool, http11 = (_module(core, f"{package}.{name}") for name in ("connection_pool", "http11"))
        prefix = "Async" if is_async else ""
        self.httpx: Any = import_module(library)
        self.httpcore: Any = import_module(core)
        self.h11: Any = http11.h11
        self.logger: logging.Logger = http11.logger
        self.response: Any = models.Response
        self.bound_stream: Any = client.BoundAsyncStream if is_async else client.BoundSyncStream
        self.response_stream: Any = getattr(transport, f"{prefix}ResponseStream")
        self.pool_stream: Any = pool.PoolByteStream
        # Not from their modules: that of SOCKS needs a package that most users have not installed.
        self.pools: set[Any] = {
            getattr(self.httpcore, prefix + name) for name in ("ConnectionPool", "HTTPProxy", "SOCKSProxy")
        }
        self.body_stream: Any = http11.HTTP11ConnectionByteStream
        self.connection: Any = getattr(http11, f"{prefix}HTTP11Connection")
        self.active: Any = http11.HTTPConnectionState.ACTIVE
        h11_connection = _module("h11", "_connection")
        self.h11_connection: Any = h11_connection.Connection
        each, close = ("__aiter__", "aclose") if is_async else ("__iter__", "close")
        raw, decoded = ("aiter_raw", "aiter_bytes") if is_async else ("iter_raw", "iter_bytes")
        self._methods: tuple[tuple[ModuleType, type, tuple[str, ...]], ...] = (
            (models, self.response, (raw, decoded, close)),
            (client, self.bound_stream, (each, close)),
            (transport, self.response_stream, (each, close)),
            (pool, self.pool_stream, (each, close)),
            (http11, self.body_stream, (each, close)),
            (
                http11,
                self.connection,
                ("_receive_response_body", "_receive_event", "_response_closed", close),
            ),
            (h11_connection, self.h11_connection, ("next_event", "receive_data", "_process_event")),
        )
        originals = [are_original(module, cls, *names) for module, cls, names in self._methods]
        self.fault: str | None = None if all(originals) else _CHANGED
        self._originals = self._current()

    def is_changed(self) -> bool:
        """Whether a method was replaced since this was made."""
        return self._current() != self._originals

    def _current(self) -> list[Any]:
        return [getattr(cls, name) for _, cls, names in self._methods for name in names]


def _module(package: str, name: str) -> ModuleType:
    return import_module(f"{package}.{name}")


@cache
def _parts_of(response_class: Any, kind: Kind) -> _Parts | str:
    """The classes that a response must consist of, or why there are none."""
    for library in _CORES:
        if response_class is getattr(sys.modules.get(library), "Response", None):
            try:
                parts = _Parts(library, kind)
            except (ImportError, AttributeError):
                return _OTHER_VERSION
            return parts.fault or parts
    name = f"{response_class.__module__}.{response_class.__qualname__}"
    return f"it is no response of httpx or httpx2, but a {name}"


def is_switched_off() -> bool:
    """Whether the environment switches direct reading off."""
    return os.environ.get("SSEJET_DIRECT") == "0"


def is_read_directly(response: Any) -> bool:
    """Whether the body is being read directly, or was."""
    try:
        return response in _taken
    except TypeError:  # it may be anything
        return False


def find(response: Any, kind: Kind) -> Connection | str:
    """Find the connection that carries the body, or the reason why the body cannot be read directly."""
    if is_switched_off():
        return "the environment variable SSEJET_DIRECT=0 switches it off"
    parts = _parts_of(type(response), kind)  # type: ignore[arg-type]
    if isinstance(parts, str):
        return parts
    try:
        return _find(response, parts)
    except (AttributeError, TypeError):
        return _OTHER_VERSION


def _find(response: Any, parts: _Parts) -> Connection | str:
    if response.is_closed or response.is_stream_consumed:
        return "the response is closed, or reading its body has begun"
    if parts.is_changed() or _overrides(response, "iter_raw", "iter_bytes", "aiter_raw", "aiter_bytes"):
        return _CHANGED
    if "content-encoding" in response.headers:
        return f"the body is compressed (content-encoding: {response.headers['content-encoding']})"
    bound_stream = response.stream
    if (
        type(bound_stream) is not parts.bound_stream
        or type(bound_stream._stream) is not parts.response_stream
    ):
        return f"a transport of another kind has made the body: {_name(bound_stream)}"
    pool_stream = bound_stream._stream._httpcore_stream
    if type(pool_stream) is not parts.pool_stream or type(pool_stream._pool) not in parts.pools:
        return f"httpcore's own pool does not hold the connection, but {_name(pool_stream)}"
    body_stream = pool_stream._stream
    if type(body_stream) is not parts.body_stream:
        return f"the response came over {http_version_of(response) or 'another protocol'}"
    connection = body_stream._connection
    h11_state = connection._h11_state
    if type(connection) is not parts.connection or type(h11_state) is not parts.h11_connection:
        return f"the connection is not httpcore's own: {_name(connection)}"
    if _overrides(connection, "_receive_event", "_receive_response_body", "_response_closed"):
        return _CHANGED
    if _overrides(h11_state, "next_event", "receive_data") or _overrides(connection._network_stream, "read"):
        return _CHANGED
    trace = body_stream._request.extensions.get("trace")
    if trace is not None and not is_own_trace(trace):
        return "the request has a trace hook"
    if parts.logger.isEnabledFor(logging.DEBUG):
        return "the log of httpcore is at the level DEBUG"
    if (
        body_stream._closed
        or connection._state is not parts.active
        or h11_state.their_state is not parts.h11.SEND_BODY
    ):
        return "the connection is ending, or has changed its protocol"
    found = Connection(response, parts, pool_stream, h11_state)
    if isinstance(found.framing, int) and found.framing > _MAX_LENGTH:
        return "the body's content-length does not fit into 64 bits"
    return found


def _overrides(instance: Any, *names: str) -> bool:
    """Whether an object has attributes of its own in place of these methods."""
    return not vars(instance).keys().isdisjoint(names)


def _framing(reader: Any) -> Framing:
    """How the body is framed, as h11 has decided.

    Raises:
        TypeError: this is no reader of a body that has just begun.
    """
    kind = type(reader).__name__
    if kind == "ChunkedReader" and not (
        reader._bytes_in_chunk or reader._bytes_to_discard or reader._reading_trailer
    ):
        return "chunked"
    if kind == "ContentLengthReader":
        return int(reader._remaining)
    if kind == "Http10Reader":
        return "until-close"
    raise TypeError(kind)


def _name(thing: Any) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"

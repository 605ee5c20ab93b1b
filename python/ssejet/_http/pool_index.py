"""Lets httpx's connection pool find a free connection at once, however many are open.

httpcore's pool looks at every connection whenever a request starts or ends, so 1,000 streams that open and
close cost a million looks. With an index, the pool looks only at what has changed:

- the connections of the requests that have ended since it last looked;
- the requests that wait for a connection, in their order;
- the idle connections: the newest of an origin is used again, the oldest expires first;
- a few of all connections in turn, and all of them if the pool is full.

All else stays httpcore's: connections, streams, limits, timeouts, proxies, and the class of the pool.
"""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict, deque
from functools import cache
from itertools import islice
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["index_new_client", "index_pools"]

_ClientT = TypeVar("_ClientT")

_LIBRARIES = ("httpcore", "httpcore2")
_POOLS = ("ConnectionPool", "HTTPProxy", "SOCKSProxy")

# The index replaces what the attributes of a pool hold, so it must know all methods that use them.
_PASS = "_assign_requests_to_connections"
_USES = {
    "_requests": {"__init__", "__repr__", "handle_request", "handle_async_request", _PASS},
    "_connections": {"__init__", "__repr__", "connections", "close", "aclose", _PASS},
    _PASS: {"handle_request", "handle_async_request"},
}
# The index calls what the pass that it replaces calls.
_CALLS = {"assign_to_connection", "create_connection", "has_expired", "is_closed", "is_idle"}

# How many connections a pass checks. The server may have disconnected an idle one, and a connection in use
# may be closed although nobody has closed its response.
_CHECKS = 4


def index_pools(client: _ClientT) -> _ClientT:
    """Let a client of httpx or httpx2 hold many streams, each at the cost of a single one.

    Without this, httpx looks at every connection of the client whenever a stream opens or closes. All else
    stays the same: connections, limits, timeouts, proxies and mounts. ssejet's own clients need no call.

    ::

        client = ssejet.index_pools(httpx.AsyncClient(limits=httpx.Limits(max_connections=None)))

    Pools that may have HTTP/2 connections do not change: there, many streams share few connections.
    Transports of other libraries do not change either; subclasses of httpx's own do.

    Args:
        client: a client, synchronous or asynchronous, that has sent no request yet.

    Returns:
        The given client.

    Warns:
        RuntimeWarning: a pool stays as it is, because it has been used or ssejet does not know its version.

    Raises:
        TypeError: the object is no client of httpx or httpx2.
    """
    if not any(cls.__module__.partition(".")[0] in ("httpx", "httpx2") for cls in type(client).__mro__):
        raise TypeError(f"index_pools() takes a client of httpx or httpx2, got {type(client).__name__!r}")
    for obstacle in _index_all(client):
        warnings.warn(f"index_pools() leaves a pool as it is: {obstacle}", RuntimeWarning, stacklevel=2)
    return client


def index_new_client(client: Any) -> None:
    """Index the pools of a client that ssejet has made, as far as possible."""
    for _ in _index_all(client):
        pass


def _index_all(client: Any) -> Iterator[str]:
    """Index the pools of all transports that are httpx's own; yield why one cannot be indexed."""
    for transport in [getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()]:
        if any(
            cls.__module__.partition(".")[0] in ("httpx", "httpx2") and cls.__name__.endswith("HTTPTransport")
            for cls in type(transport).__mro__
        ):
            pool: Any = getattr(transport, "_pool", None)
            if not _is_known(pool):
                yield f"ssejet does not know {type(pool).__module__}.{type(pool).__qualname__}"
            elif pool._http2 or isinstance(pool._requests, _Requests):
                continue
            elif pool._requests or pool._connections:
                yield "it has been used"
            else:
                _PoolIndex(pool)


def _is_known(pool: Any) -> bool:
    kind, attributes = type(pool), getattr(pool, "__dict__", {})
    if isinstance(attributes.get("_requests"), _Requests):
        return True
    return (
        _is_library(kind.__module__)
        and kind.__name__.removeprefix("Async") in _POOLS
        and {"_http1", "_http2", "_max_connections", "_max_keepalive_connections"} <= attributes.keys()
        # A version that keeps something else here has another pass.
        and type(attributes.get("_requests")) is list
        and type(attributes.get("_connections")) is list
        and _PASS not in attributes
        and _has_known_pass(kind)
    )


def _has_known_pass(kind: type[Any]) -> bool:
    """Whether the pools of a class have the pass that the index replaces, and use its state as expected."""
    method = getattr(kind, _PASS, None)
    # Other code may have replaced the pass, and wants it to run. A wrapper lacks the module's globals.
    if type(method) is not FunctionType or not _is_library(method.__globals__["__name__"]):
        return False
    requests = method.__globals__.get("AsyncPoolRequest") or method.__globals__.get("PoolRequest")
    if not (_names(method.__code__) >= _CALLS and hasattr(requests, "clear_connection")):
        return False
    for cls in kind.__mro__:
        for name, member in vars(cls).items():
            function: Any = member.fget if isinstance(member, property) else member
            if isinstance(function, FunctionType):
                used = _names(function.__code__)
                if any(attribute in used and name not in users for attribute, users in _USES.items()):
                    return False
    return True


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in _LIBRARIES


def _names(code: CodeType) -> set[str]:
    """Find the names of all attributes that some code uses."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return {*code.co_names}.union(*inner)


class _PoolIndex:
    """The state of a pool, which the pool's lock guards.

    A connection is taken by one request, or idle. When its request ends, it becomes idle or is dropped. When
    it is idle, a request takes it, or it is dropped: it has expired, it is one too many, the server has
    closed it, or the pool needs room for another origin. A connection that closes before its request ends
    is dropped too.
    """

    def __init__(self, pool: Any) -> None:
        # No cycle of references: a client that is not closed must be freed with its last reference.
        self._pool = weakref.ref(pool)
        self._requests = _Requests(self)
        self._origins: dict[Any, tuple[bytes, bytes, int]] = {}
        self._idle: OrderedDict[Any, None] = OrderedDict()  # the oldest first
        self._idle_by_origin: dict[tuple[bytes, bytes, int], dict[Any, None]] = {}
        self._to_check: Iterator[Any] = iter(())
        self.waiting: OrderedDict[Any, None] = OrderedDict()
        # A thread adds to these without the lock.
        self.waiting_again: deque[Any] = deque()
        self.released: deque[Any] = deque()
        pool._requests = self._requests
        pool._connections = self._origins
        pool._assign_requests_to_connections = self._assign

    def _assign(self) -> list[Any]:
        """Give connections to waiting requests, and return the connections to close."""
        pool = self._pool()
        if pool is None:
            # The garbage collector runs: it clears weak references, then closes responses.
            return []
        if pool._connections is not self._origins:  # aclose() has replaced it
            self._idle.clear()
            self._idle_by_origin.clear()
            self._origins.clear()
            pool._connections = self._origins
        closing: list[Any] = []
        while self.released:
            self._take_back(self.released.popleft(), closing)
        self._drop_unusable(closing, pool._max_keepalive_connections)
        while self.waiting_again:
            request = self.waiting_again.popleft()
            if request in self._requests:  # it may have been cancelled
                # It has had its turn, so it comes before those that have not.
                self.waiting[request] = None
                self.waiting.move_to_end(request, last=False)
        while self.waiting:
            request = next(iter(self.waiting))
            connection = self._find(request.request.url.origin, pool, closing)
            if connection is None:
                break
            del self.waiting[request]
            request.assign_to_connection(connection)
        return closing

    def _take_back(self, connection: Any, closing: list[Any]) -> None:
        """Take in that a request has ended, and its connection is free."""
        if connection in self._idle:
            return
        if connection not in self._origins:
            # The pool was closed while the request connected.
            if not connection.is_closed():
                closing.append(connection)
        elif connection.is_closed():
            del self._origins[connection]
        elif connection.is_idle():
            self._idle[connection] = None
            self._idle_by_origin.setdefault(self._origins[connection], {})[connection] = None
        else:
            # The request was cancelled before it was sent; the connection may have a socket.
            del self._origins[connection]
            closing.append(connection)

    def _drop_unusable(self, closing: list[Any], most_idle: int) -> None:
        while self._idle:
            oldest = next(iter(self._idle))
            if len(self._idle) <= most_idle and not (oldest.is_closed() or oldest.has_expired()):
                break
            self._drop(oldest, closing)
        checked = tuple(islice(self._to_check, _CHECKS))
        for connection in checked:
            if connection in self._idle:
                if connection.has_expired():
                    self._drop(connection, closing)
            elif connection in self._origins and connection.is_closed():
                del self._origins[connection]
        if not checked and self._origins:
            self._to_check = iter(tuple(self._origins))

    def _find(self, origin: Any, pool: Any, closing: list[Any]) -> Any:
        """Find or make a connection to an origin; None if the pool is full."""
        key = (origin.scheme, origin.host, origin.port)
        while usable := self._idle_by_origin.get(key):
            connection = next(reversed(usable))
            if not (connection.is_closed() or connection.has_expired()):
                self._forget_idle(connection)
                return connection
            self._drop(connection, closing)
        if len(self._origins) >= pool._max_connections:
            if self._idle:
                self._drop(next(iter(self._idle)), closing)
            else:
                for closed in [one for one in self._origins if one.is_closed()]:
                    del self._origins[closed]
                if len(self._origins) >= pool._max_connections:
                    return None
        connection = pool.create_connection(origin)
        self._origins[connection] = key
        return connection

    def _drop(self, connection: Any, closing: list[Any]) -> None:
        """Drop an idle connection."""
        self._forget_idle(connection)
        del self._origins[connection]
        closing.append(connection)

    def _forget_idle(self, connection: Any) -> None:
        key = self._origins[connection]
        del self._idle[connection]
        del self._idle_by_origin[key][connection]
        if not self._idle_by_origin[key]:
            del self._idle_by_origin[key]


class _Requests:
    """The requests of a pool that have not ended, with what a pool does with its list of them."""

    def __init__(self, index: _PoolIndex) -> None:
        self._index = weakref.ref(index)
        self._requests: dict[Any, None] = {}

    def append(self, request: Any) -> None:
        index = self._index()
        assert index is not None, "the pool holds it"
        request.__class__ = _watched(type(request))  # type: ignore[arg-type]
        request.index = self._index
        self._requests[request] = None
        index.waiting[request] = None

    def remove(self, request: Any) -> None:
        index = self._index()
        del self._requests[request]
        if index is None:
            return
        index.waiting.pop(request, None)
        if request.connection is not None:
            index.released.append(request.connection)

    def __contains__(self, request: Any) -> bool:
        return request in self._requests

    def __iter__(self) -> Iterator[Any]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)


@cache
def _watched(kind: type[Any]) -> type[Any]:
    """Make the class of requests that wait again if their connection turns out to be unusable."""

    class Watched(kind):  # type: ignore[misc]
        index: Any

        def clear_connection(self) -> None:
            connection = self.connection
            super().clear_connection()
            # This is outside of the pool's lock: a pass that finds the request must see that it waits.
            index = self.index()
            if index is not None:
                index.released.append(connection)
                index.waiting_again.append(self)

    Watched.__name__, Watched.__qualname__, Watched.__module__ = (
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
    )
    return Watched

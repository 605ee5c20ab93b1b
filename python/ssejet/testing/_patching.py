"""Patches the transports of httpx and httpx2 while a mock is active.

The methods of the transports are patched, because transports of other kinds call them too. Other mocking
libraries replace these methods as well, and the last one would win. So clients get a transport that asks our
mocks before it calls such a method.
"""

from __future__ import annotations

import importlib
import importlib.util
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["activate", "deactivate"]

_LIBRARIES = ("httpx", "httpx2")
# The method of clients that chooses the transport of a URL. It is not public, so it may be missing.
_CHOOSE = "_transport_for_url"


class Mock(Protocol):
    """Answers requests that would go to the network."""

    def owns(self, request: Any) -> bool:
        """Whether a request is for this mock."""

    def refuses(self, request: Any) -> bool:
        """Whether the mock answers a request with an error, if no other mock owns it."""

    def handle_request(self, request: Any) -> Any:
        """Answer a request."""

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request from an async client."""


# All active mocks of this process, oldest first. Mocks of several threads or tasks may end in any order. The
# transports stay patched until none is active.
_active: list[Mock] = []
_originals: list[tuple[Any, str, Any]] = []
_lock = Lock()

# The mocks of this thread or task, and of the one that started it. They have priority, so that each
# concurrent test uses its own mock.
_entered: ContextVar[tuple[Mock, ...]] = ContextVar("ssejet_entered_mocks", default=())


def activate(mock: Mock) -> None:
    """Send a mock the requests that it owns, from all HTTP transports."""
    with _lock:
        if not _active:
            _patch_transports()
        _active.append(mock)
    _entered.set((*_entered.get(), mock))


def deactivate(mock: Mock) -> None:
    """Undo one ``activate``. After the last one, all requests go to the network again."""
    with _lock:
        _remove_last(_active, mock)
        if not _active:
            while _originals:
                setattr(*_originals.pop())
    # A fixture may end in another context than that of its beginning. ContextVar.reset() would fail there.
    entered = list(_entered.get())
    if mock in entered:
        _remove_last(entered, mock)
        _entered.set(tuple(entered))


def _remove_last(mocks: list[Mock], mock: Mock) -> None:
    del mocks[len(mocks) - 1 - mocks[::-1].index(mock)]


def _mock_for(request: Any) -> Mock | None:
    """The newest mock that owns a request: from this context if possible, else from any other."""
    with _lock:
        active = list(_active)
    own = [mock for mock in _entered.get() if mock in active]
    newest_first = [*active, *own][::-1]
    owner = next((mock for mock in newest_first if mock.owns(request)), None)
    return owner or next((mock for mock in newest_first if mock.refuses(request)), None)


def _patch_transports() -> None:
    for name in _LIBRARIES:
        if importlib.util.find_spec(name) is not None:
            library = importlib.import_module(name)
            _patch(library.HTTPTransport, "handle_request", _with_mocks)
            _patch(library.AsyncHTTPTransport, "handle_async_request", _with_async_mocks)
            for client, transport in (
                (library.Client, library.HTTPTransport),
                (library.AsyncClient, library.AsyncHTTPTransport),
            ):
                if hasattr(client, _CHOOSE):
                    _patch(client, _CHOOSE, partial(_with_mocks_first, transport))


def _patch(cls: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    original = getattr(cls, name)
    _originals.append((cls, name, original))
    setattr(cls, name, wrap(original))


def _with_mocks_first(transport_class: Any, choose: Any) -> Any:
    def transport_for_url(client: Any, url: Any) -> Any:
        transport = choose(client, url)
        name = "handle_request" if hasattr(transport, "handle_request") else "handle_async_request"
        # A subclass with a method of its own may do something before it sends the request.
        is_plain = getattr(type(transport), name, None) is getattr(transport_class, name, name)
        return _MocksFirst(transport) if is_plain else transport

    return transport_for_url


class _MocksFirst:
    """A transport that asks the mocks first."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        """Answer or send a request."""
        return (_mock_for(request) or self._transport).handle_request(request)

    async def handle_async_request(self, request: Any) -> Any:
        """Answer or send a request."""
        return await (_mock_for(request) or self._transport).handle_async_request(request)


def _with_mocks(send: Any) -> Any:
    def handle_request(transport: Any, request: Any) -> Any:
        mock = _mock_for(request)
        return send(transport, request) if mock is None else mock.handle_request(request)

    return handle_request


def _with_async_mocks(send: Any) -> Any:
    async def handle_async_request(transport: Any, request: Any) -> Any:
        mock = _mock_for(request)
        return await (send(transport, request) if mock is None else mock.handle_async_request(request))

    return handle_async_request

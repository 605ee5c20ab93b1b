"""Patches the transports of httpx and httpx2 while a mock is active."""

from __future__ import annotations

import importlib
import importlib.util
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["activate", "deactivate"]

_LIBRARIES = ("httpx", "httpx2")


class Mock(Protocol):
    """Answers requests that would go to the network."""

    def owns(self, request: Any) -> bool:
        """Whether a request is for this mock."""

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
    return next((mock for mock in reversed([*active, *own]) if mock.owns(request)), None)


def _patch_transports() -> None:
    for name in _LIBRARIES:
        if importlib.util.find_spec(name) is not None:
            library = importlib.import_module(name)
            _patch(library.HTTPTransport, "handle_request", _with_mocks)
            _patch(library.AsyncHTTPTransport, "handle_async_request", _with_async_mocks)


def _patch(cls: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    original = getattr(cls, name)
    _originals.append((cls, name, original))
    setattr(cls, name, wrap(original))


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

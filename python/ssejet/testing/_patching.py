"""Takes the place of the network in httpx and httpx2, while a mock is active."""

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
    """An object that answers requests in place of the network."""

    def owns(self, request: Any) -> bool:
        """Whether a request is for this mock."""

    def handle_request(self, request: Any) -> Any:
        """Answer a request."""

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of an asynchronous client."""


# All active mocks of this process, in the order in which they were entered. The transports are patched while
# there is one. Mocks of several threads or tasks may end in any order.
_active: list[Mock] = []
_originals: list[tuple[Any, str, Any]] = []
_lock = Lock()

# The mocks that were entered in this thread or task, or in the one that started it. They come first, so
# several tests can run at once, each with its own mock.
_entered: ContextVar[tuple[Mock, ...]] = ContextVar("ssejet_entered_mocks", default=())


def activate(mock: Mock) -> None:
    """Let a mock answer the requests that it owns, whichever HTTP transport would send them."""
    with _lock:
        if not _active:
            _patch_transports()
        _active.append(mock)
    _entered.set((*_entered.get(), mock))


def deactivate(mock: Mock) -> None:
    """Undo one ``activate``. When no mock is active, requests go to the network again."""
    with _lock:
        _remove_last(_active, mock)
        if not _active:
            while _originals:
                setattr(*_originals.pop())
    # There is no token to reset, because a fixture may end in another context than it began in.
    entered = list(_entered.get())
    if mock in entered:
        _remove_last(entered, mock)
        _entered.set(tuple(entered))


def _remove_last(mocks: list[Mock], mock: Mock) -> None:
    del mocks[len(mocks) - 1 - mocks[::-1].index(mock)]


def _owner_of(request: Any) -> Mock | None:
    """The latest mock of this context that owns a request, else the latest of any context."""
    with _lock:
        active = list(_active)
    own = [mock for mock in _entered.get() if mock in active]
    return next((mock for mock in reversed([*active, *own]) if mock.owns(request)), None)


def _patch_transports() -> None:
    for name in _LIBRARIES:
        if importlib.util.find_spec(name) is not None:
            library = importlib.import_module(name)
            _patch(library.HTTPTransport, "handle_request", _patched_sync)
            _patch(library.AsyncHTTPTransport, "handle_async_request", _patched_async)


def _patch(cls: Any, name: str, patched: Callable[[Any], Any]) -> None:
    original = getattr(cls, name)
    _originals.append((cls, name, original))
    setattr(cls, name, patched(original))


def _patched_sync(send: Any) -> Any:
    def handle_request(transport: Any, request: Any) -> Any:
        mock = _owner_of(request)
        return send(transport, request) if mock is None else mock.handle_request(request)

    return handle_request


def _patched_async(send: Any) -> Any:
    async def handle_async_request(transport: Any, request: Any) -> Any:
        mock = _owner_of(request)
        return await (send(transport, request) if mock is None else mock.handle_async_request(request))

    return handle_async_request

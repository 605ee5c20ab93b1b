"""Standing in for the network, whichever library a client uses."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet.testing.transport import MockTransport

__all__ = ["patched_transports"]

_LIBRARIES = ("httpx", "httpx2")


@contextmanager
def patched_transports(mock: MockTransport, owns: Callable[[Any], bool]) -> Iterator[None]:
    """Have a mock answer the requests that it owns and that any HTTP transport is to send."""
    with ExitStack() as patches:
        for name in _LIBRARIES:
            if importlib.util.find_spec(name) is not None:
                library = importlib.import_module(name)
                patches.enter_context(_patched_sync(library, mock, owns))
                patches.enter_context(_patched_async(library, mock, owns))
        yield


def _patched_sync(library: Any, mock: MockTransport, owns: Callable[[Any], bool]) -> Any:
    send = library.HTTPTransport.handle_request

    def handle_request(transport: Any, request: Any) -> Any:
        return mock.handle_request(request) if owns(request) else send(transport, request)

    return patch.object(library.HTTPTransport, "handle_request", handle_request)


def _patched_async(library: Any, mock: MockTransport, owns: Callable[[Any], bool]) -> Any:
    send = library.AsyncHTTPTransport.handle_async_request

    async def handle_async_request(transport: Any, request: Any) -> Any:
        return await (mock.handle_async_request(request) if owns(request) else send(transport, request))

    return patch.object(library.AsyncHTTPTransport, "handle_async_request", handle_async_request)

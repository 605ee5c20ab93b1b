"""Adapters for the responses and clients of other HTTP libraries, which ssejet never imports by itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from ssejet._lazy import loaded

__all__ = ["adapted_client", "adapted_response"]

Kind = Literal["sync", "async"]

# The class of the library, how its objects are used, and the adapter: its module and its name. A class stands
# before its base classes.
_RESPONSES: tuple[tuple[tuple[str, str], Kind, tuple[str, str]], ...] = (
    (("niquests.models", "AsyncResponse"), "async", ("requests", "AsyncNiquestsAdapter")),
    (("niquests.models", "Response"), "sync", ("requests", "RequestsAdapter")),
    (("requests.models", "Response"), "sync", ("requests", "RequestsAdapter")),
    (("aiohttp.client_reqrep", "ClientResponse"), "async", ("aiohttp", "AiohttpAdapter")),
    (("urllib3.response", "HTTPResponse"), "sync", ("urllib3", "Urllib3Adapter")),
    (("urllib3_future.response", "HTTPResponse"), "sync", ("urllib3", "Urllib3Adapter")),
    (("http.client", "HTTPResponse"), "sync", ("http_client", "HTTPClientAdapter")),
)
_CLIENTS: tuple[tuple[tuple[str, str], Kind, tuple[str, str]], ...] = (
    (("niquests.async_session", "AsyncSession"), "async", ("requests", "AsyncNiquestsSessionAdapter")),
    (("niquests.sessions", "Session"), "sync", ("requests", "SessionAdapter")),
    (("requests.sessions", "Session"), "sync", ("requests", "SessionAdapter")),
    (("aiohttp.client", "ClientSession"), "async", ("aiohttp", "AiohttpSessionAdapter")),
    (("urllib3.poolmanager", "PoolManager"), "sync", ("urllib3", "PoolManagerAdapter")),
    (("urllib3_future.poolmanager", "PoolManager"), "sync", ("urllib3", "PoolManagerAdapter")),
)


def adapted_response(response: Any) -> tuple[Any, Kind | None]:
    """The adapter of a response, and how it is read; the response itself and None if it needs no adapter."""
    return _adapted(response, _RESPONSES)


def adapted_client(client: Any) -> tuple[Any, Kind | None]:
    """The adapter of a client, and how it is used; the client itself and None if it needs no adapter."""
    return _adapted(client, _CLIENTS)


def _adapted(given: Any, table: Any) -> tuple[Any, Kind | None]:
    for own_class, kind, (module, name) in table:
        if isinstance(given, loaded(own_class)):
            adapter = getattr(import_module(f"{__name__}.{module}"), name)
            return adapter(given), kind
    return given, None

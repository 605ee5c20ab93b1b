"""The router of a mock: requests to other APIs."""

from __future__ import annotations

from functools import partialmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ssejet.testing._patching import activate, deactivate
from ssejet.testing.openai_responses._respx import CallList, RouterRoute

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ssejet.testing._api_mock import APIMock

__all__ = ["MockRouter"]


class MockRouter:
    """Adds routes for other APIs to a mock. Its ``with`` block is where the mock answers.

    ::

        openai_mock.router.post(url="https://api.example.com/").mock(Response(200, json={"value": 57}))
        openai_mock.router.route(host="localhost").pass_through()

    Args:
        mock: the mock.
        base_url: the URL to which a relative ``url`` is added.
    """

    def __init__(self, mock: APIMock, base_url: str) -> None:
        self._mock = mock
        self._base_url = base_url.rstrip("/")
        self.routes: list[RouterRoute] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__()

    def start(self) -> None:
        """Begin to answer."""
        activate(self._mock)

    def stop(self) -> None:
        """End what ``start`` began."""
        deactivate(self._mock)

    @property
    def calls(self) -> CallList:
        """The requests so far, with their answers."""
        return CallList(self._mock.calls)

    def request(self, method: str | None, url: Any = None, **patterns: Any) -> RouterRoute:
        """Add a route.

        Args:
            method: the HTTP method; None for any.
            url: the URL, or a compiled pattern of it. A text that begins with ``/`` is added to the base URL.
            patterns: see ``RouterRoute``.

        Raises:
            TypeError: a pattern is unknown.
        """
        if isinstance(url, str) and url.startswith("/"):
            url = self._base_url + url
        if url is not None:
            patterns["url"] = url
        route = RouterRoute(method, patterns)
        self.routes.append(route)
        return route

    def route(self, *, method: str | None = None, **patterns: Any) -> RouterRoute:
        """Add a route for any method, or for one."""
        return self.request(method, **patterns)

    get: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "GET")
    """Add a route for GET; see ``request``."""

    post: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "POST")
    """Add a route for POST; see ``request``."""

    put: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "PUT")
    """Add a route for PUT; see ``request``."""

    patch: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "PATCH")
    """Add a route for PATCH; see ``request``."""

    delete: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "DELETE")
    """Add a route for DELETE; see ``request``."""

    head: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "HEAD")
    """Add a route for HEAD; see ``request``."""

    options: ClassVar[partialmethod[RouterRoute]] = partialmethod(request, "OPTIONS")
    """Add a route for OPTIONS; see ``request``."""

    def find(self, request: Any) -> RouterRoute | None:
        """The route of a request; of several, the one that was added last."""
        return next((route for route in reversed(self.routes) if route.matches(request)), None)

    @property
    def handler(self) -> Callable[[Any], Any]:
        """A function that answers a request, for a ``MockTransport``."""
        return self._mock.handle_request

    @property
    def async_handler(self) -> Callable[[Any], Any]:
        """An async function that answers a request, for a ``MockTransport`` of an async client."""
        return self._mock.handle_async_request

"""What the mocks of all providers share: which requests they answer, and the routes as attributes."""

from __future__ import annotations

import re
from abc import abstractmethod
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from ssejet.testing._answers import MockError, describe
from ssejet.testing._http_responses import library_of
from ssejet.testing._patching import activate, deactivate
from ssejet.testing._route import Route, mistake
from ssejet.testing._store import StateStore
from ssejet.testing._transport import MockTransport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Self

    from ssejet.testing._calls import Call
    from ssejet.testing._endpoints import Endpoint

__all__ = ["APIMock", "Resource", "path_below", "publisher_on_vertex"]

# Google Cloud's hosts: of a region, of several, or of all.
_VERTEX_HOST = re.compile(r"([^.]+-)?aiplatform(\.[^.]+\.rep)?(\.mtls)?\.googleapis\.com")
_PUBLISHER = re.compile(r"/publishers/([^/]+)/")

# An error lists the routes of a mock with so many at most, else the similar ones.
_FEW_ROUTES = 5


class Resource:
    """A part of a mocked API. Its routes are its attributes."""

    _name: str

    def __init__(self, name: str, **parts: Route | Resource) -> None:
        self.__dict__.update(parts)
        self.__dict__["_name"] = name

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self._name}.{name} cannot be set: set {self._name}.{name}.response instead")

    if not TYPE_CHECKING:  # a type checker knows the attributes from the subclasses

        def __getattr__(self, name: str) -> Any:
            known = ", ".join(part for part in self.__dict__ if not part.startswith("_"))
            own = self.__dict__.get("_name", "it")
            raise AttributeError(f"{own} has no {name}; it has {known}", name=name, obj=self)


class APIMock(MockTransport):
    """A mock of a provider's API, or of one compatible with it.

    Within its ``with`` or ``async with`` block, it answers all requests that clients of httpx and httpx2 send
    to the API, also through an SDK. Other requests go to the network. Of several mocks of one API, the
    one that was entered last in the same thread or task answers. A mock is also a transport, which you can
    give to a client.

    Attributes:
        calls: the requests so far to all routes, with their answers.
        state: what response functions share.
    """

    name: ClassVar[str]
    """The name of the mock in errors."""

    created_status: ClassVar[int] = 200
    """The status of an answer to a request that creates something."""

    _route_class: ClassVar[type[Route]] = Route

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        if base_url is not None and not isinstance(base_url, str):
            raise TypeError(f"base_url must be a string, not {describe(base_url)}")
        super().__init__(None)
        self.base_url = base_url
        self._store = StateStore()
        self.state: Any = {} if state is None else state
        self._routes: list[Route] = []

    def __enter__(self) -> Self:
        activate(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        deactivate(self)
        if exc_info == (None, None, None):
            self.assert_all_answered()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__(*exc_info)

    @property
    def store(self) -> StateStore:
        """The objects that the mock keeps, such as files, threads and runs. A test may fill and read it."""
        return self._store

    def assert_all_answered(self) -> None:
        """Check that each answer in ``responses`` of a route has been given. The end of ``with`` does it too.

        Raises:
            AssertionError: some are left.
        """
        left = [route.unused for route in self._routes if route.unused]
        assert not left, mistake("; ".join(left))

    @abstractmethod
    def path_of(self, url: Any) -> str | None:
        """The path of an endpoint, such as ``/chat/completions``; None if the URL is not of this API."""

    @abstractmethod
    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of an error response if the request has no route."""

    def owns(self, request: Any) -> bool:
        """Whether a request is for this API."""
        return self.path_of(request.url) is not None

    def refuses(self, request: Any) -> bool:
        """Whether the mock answers a request with an error, although it is for another API."""
        return False

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        route, path = self._route_of(call)
        return self._no_route(call) if route is None else route.answer(call, path)

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call."""
        route, path = self._route_of(call)
        if route is None:
            return library_of(call.request).Response(answer.status, json=self.error_body(answer))
        return route.complete(answer, call, path)

    def _add_all(self, endpoints: Iterable[Endpoint]) -> None:
        """Make the routes, and the resources whose attributes they are."""
        for endpoint in endpoints:
            route = self._route_class(endpoint, self)
            self._routes.append(route)
            *parents, last = endpoint.name.split(".")
            parts = self.__dict__
            for depth, name in enumerate(parents, 1):
                full_name = ".".join([self.name, *parents[:depth]])
                parts = parts.setdefault(name, Resource(full_name)).__dict__
            parts[last] = route
        # /threads/runs comes before /threads/{thread_id}, which matches it too.
        self._routes.sort(key=lambda route: route.endpoint.path.count("{"))

    def _route_of(self, call: Call) -> tuple[Route | None, dict[str, str]]:
        """The route of a request, and its path parameters."""
        return self._route_of_request(call.request)

    def _route_of_request(self, request: Any) -> tuple[Route | None, dict[str, str]]:
        path = self.path_of(request.url) or ""
        for route in self._routes:
            match = route.endpoint.pattern.fullmatch(path)
            if match and route.endpoint.method == request.method:
                return route, match.groupdict()
        return None, {}

    def _no_route(self, call: Call) -> MockError:
        path = self.path_of(call.request.url) or call.request.url.path
        wanted = f"{call.request.method} {path}"
        known = [f"{route.endpoint.method} {route.endpoint.path}" for route in self._routes]
        if len(known) > _FEW_ROUTES:
            known = [*get_close_matches(wanted, known, 3, 0), "others"]
        return MockError(mistake(f"the mock has no {wanted}; it has {', '.join(known)}"), status=404)


def path_below(bases: Sequence[str | None], url: Any) -> str | None:
    """The path of a URL below one of the base URLs; None if it begins with none of them."""
    plain = f"{url.copy_with(query=None, fragment=None)}"
    for base in bases:
        if base and plain.startswith(base.rstrip("/") + "/"):
            return plain.removeprefix(base.rstrip("/"))
    return None


def publisher_on_vertex(url: Any) -> str | None:
    """Whose model a URL of Google Cloud's Vertex AI is about; None if it is another URL."""
    found = _PUBLISHER.search(url.path) if _VERTEX_HOST.fullmatch(url.host) else None
    return None if found is None else found[1]

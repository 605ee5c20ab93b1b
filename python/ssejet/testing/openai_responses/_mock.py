"""The mock that openai-responses has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from ssejet.testing import _openai
from ssejet.testing._answers import describe
from ssejet.testing._decorator import MockDecorator
from ssejet.testing._openai import OPENAI_URL
from ssejet.testing._route import mistake
from ssejet.testing._store import StateStore
from ssejet.testing.openai_responses._respx import AllMockedAssertionError
from ssejet.testing.openai_responses._router import MockRouter
from ssejet.testing.openai_responses._routes import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.testing._calls import Call

__all__ = ["OpenAIMock", "mock"]

F = TypeVar("F", bound="Callable[..., Any]")


class OpenAIMock(_openai.OpenAIMock):
    """A mock of OpenAI's API that refuses all requests to other URLs, unless its ``router`` has them.

    Args:
        base_url: the URL of the API; see ``ssejet.testing.OpenAIMock``.
        state: the objects that it keeps at first.

    Attributes:
        state: the objects that it keeps.
    """

    name = "openai_mock"
    created_status = 201
    _route_class: ClassVar[type[Route]] = Route

    def __init__(self, base_url: str | None = None, state: StateStore | None = None) -> None:
        super().__init__(base_url=base_url, state=StateStore() if state is None else state)
        self._router = MockRouter(self, base_url or OPENAI_URL)
        self.chat.completions.create.response = ""
        self.moderations.create.response = {"model": "text-moderation-007", "results": []}

    @property
    def state(self) -> StateStore:
        """The objects that the mock keeps."""
        return self._store

    @state.setter
    def state(self, state: Any) -> None:
        if not isinstance(state, StateStore):
            raise TypeError(f"{self.name}.state must be a StateStore, not {describe(state)}")
        self._store = state

    @property
    def router(self) -> MockRouter:
        """The routes for other APIs, and the ``with`` block of the mock."""
        return self._router

    def owns(self, request: Any) -> bool:
        """Whether the mock has a route for a request, and does not pass it through."""
        route, _ = self._route_of_request(request)
        target: Any = route or self._router.find(request)
        return super().owns(request) if target is None else not target.passes

    def refuses(self, request: Any) -> bool:
        """Whether the mock answers a request with an error, because it has no route."""
        route, _ = self._route_of_request(request)
        return route is None and self._router.find(request) is None

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        other = self._other_route(call)
        if other is not None:
            return other.answer(call)
        if self.path_of(call.request.url) is None:
            url = call.request.url.copy_with(query=None)
            advice = "add a route, or pass_through(), with openai_mock.router"
            message = f"openai_mock has no route for {call.request.method} {url}: {advice}"
            raise AllMockedAssertionError(mistake(message))
        return super().answer(call)

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call."""
        other = self._other_route(call)
        return super().complete(answer, call) if other is None else other.complete(answer, call)

    def _other_route(self, call: Call) -> Any:
        route, _ = self._route_of(call)
        return self._router.find(call.request) if route is None else None


class _Decorator(MockDecorator[OpenAIMock]):
    _copies_state = False


@overload
def mock(function: F, /) -> F: ...
@overload
def mock(*, base_url: str | None = ..., state: StateStore | None = ...) -> MockDecorator[OpenAIMock]: ...
def mock(function: Any = None, /, *, base_url: str | None = None, state: StateStore | None = None) -> Any:
    """Mock OpenAI's API while the decorated function, such as a test, runs.

    Args:
        function: a function, sync or async. Each call gets a new ``OpenAIMock``, as the argument
            ``openai_mock`` if the function has that parameter.
        base_url: the URL of the API; see ``ssejet.testing.OpenAIMock``.
        state: the objects that the mocks keep: all calls share them. By default, each call begins with none.
    """
    decorator = _Decorator(OpenAIMock, parameter="openai_mock", base_url=base_url, state=state)
    return decorator if function is None else decorator(function)

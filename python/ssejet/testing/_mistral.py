"""A mock of Mistral's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from ssejet.testing._api_mock import APIMock, Resource, path_below
from ssejet.testing._decorator import MockDecorator
from ssejet.testing._endpoints import MISTRAL_ENDPOINTS, mistral_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.testing._answers import MockError
    from ssejet.testing._route import Route

__all__ = ["MistralMock", "mock_mistral"]

F = TypeVar("F", bound="Callable[..., Any]")

_BASE_URL = "https://api.mistral.ai"


class _Complete(Resource):
    complete: Route
    stream: Route


class _Embeddings(Resource):
    create: Route


class MistralMock(APIMock):
    """A mock of Mistral's API.

    ::

        with MistralMock() as mock:
            mock.chat.complete.response = "Hello!"
            ...
            assert mock.chat.complete.call_count == 1

    ``chat.stream`` is the same route as ``chat.complete``, because the request says whether the answer is a
    stream. The same holds for ``fim`` and ``agents``.

    Args:
        base_url: where the API is; by default Mistral's own URL.
        state: any object for the response functions to share; by default a dict.
    """

    name = "mock"
    chat: _Complete
    fim: _Complete
    agents: _Complete
    embeddings: _Embeddings

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        super().__init__(base_url=base_url, state=state)
        self._add_all(MISTRAL_ENDPOINTS)
        for part in (self.chat, self.fim, self.agents):
            part.__dict__["stream"] = part.complete

    def path_of(self, url: Any) -> str | None:
        """The endpoint's path, or None if the URL belongs to another API."""
        return path_below([self.base_url or _BASE_URL], url)

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of the error response to a request without a route."""
        return mistral_error(error)


@overload
def mock_mistral(function: F, /) -> F: ...
@overload
def mock_mistral(*, base_url: str | None = ..., state: Any = ...) -> MockDecorator[MistralMock]: ...
def mock_mistral(function: Any = None, /, *, base_url: str | None = None, state: Any = None) -> Any:
    """Mock Mistral's API while the decorated function, such as a test, runs.

    Args:
        function: a function, sync or async. Each call gets a new ``MistralMock``, as the argument
            ``mock_mistral`` if the function has that parameter.
        base_url: the URL of the API; see ``MistralMock``.
        state: an object for the response functions to share. Each call gets a copy.
    """
    decorator = MockDecorator(MistralMock, parameter="mock_mistral", base_url=base_url, state=state)
    return decorator if function is None else decorator(function)

"""A mock of Anthropic's API."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ssejet.testing._api_mock import APIMock, Resource, path_below, publisher_on_vertex
from ssejet.testing._decorator import MockDecorator
from ssejet.testing._endpoints import ANTHROPIC_ENDPOINTS, anthropic_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.testing._answers import MockError
    from ssejet.testing._route import Route

__all__ = ["AnthropicMock", "mock_anthropic"]

F = TypeVar("F", bound="Callable[..., Any]")

_BASE_URL = "https://api.anthropic.com"
_FOUNDRY_HOST = re.compile(r".*\.services\.ai\.azure\.(com|us|cn)")


class _Messages(Resource):
    create: Route
    count_tokens: Route


class AnthropicMock(APIMock):
    """A mock of Anthropic's API, on Azure (Foundry) and Google Cloud (Vertex AI) too, or of a compatible one.

    ::

        with AnthropicMock() as mock:
            mock.messages.create.response = "Hello!"
            ...
            assert mock.messages.create.call_count == 1

    A dict or model has fields of a message. Its ``content`` may be a text or a list of blocks. The mock adds
    what a block omits::

        mock.messages.create.response = {
            "content": [
                {"type": "thinking", "thinking": "The weather in Paris ..."},
                {"type": "tool_use", "name": "weather", "input": {"city": "Paris"}},
            ]
        }

    Each stream has a ping after the beginning of the first block, like Anthropic's. See ``APIMock`` for what
    the mock does within its ``with`` block, and ``Route.response`` for the answers.

    Args:
        base_url: where the API is, without ``/v1``; by default Anthropic's own URL, that of the environment
            variable ``ANTHROPIC_BASE_URL``, and Azure's and Google Cloud's.
        state: any object for the response functions to share; by default a dict.

    Attributes:
        messages: ``messages.create`` is a ``Route``, which also answers ``messages.stream`` and
            ``beta.messages``. The route ``messages.count_tokens`` has a default answer.
    """

    name = "mock"
    messages: _Messages

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        super().__init__(base_url=base_url, state=state)
        self._add_all(ANTHROPIC_ENDPOINTS)

    def path_of(self, url: Any) -> str | None:
        """The endpoint's path, such as ``/v1/messages``, or None if the URL belongs to another API."""
        bases = [self.base_url] if self.base_url else [_BASE_URL, os.environ.get("ANTHROPIC_BASE_URL")]
        path = path_below(bases, url)
        return _path_elsewhere(url) if path is None and self.base_url is None else path

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of the error response to a request without a route."""
        return anthropic_error(error)


def _path_elsewhere(url: Any) -> str | None:
    """The endpoint's path for a URL of Azure's or of Google Cloud's; None if it is another URL."""
    if _FOUNDRY_HOST.fullmatch(url.host) and url.path.startswith("/anthropic/"):
        return str(url.path.removeprefix("/anthropic"))
    if publisher_on_vertex(url) == "anthropic":
        return "/v1/messages/count_tokens" if "/count-tokens:" in url.path else "/v1/messages"
    return None


@overload
def mock_anthropic(function: F, /) -> F: ...
@overload
def mock_anthropic(*, base_url: str | None = ..., state: Any = ...) -> MockDecorator[AnthropicMock]: ...
def mock_anthropic(function: Any = None, /, *, base_url: str | None = None, state: Any = None) -> Any:
    """Mock Anthropic's API while the decorated function, such as a test, runs.

    ::

        @mock_anthropic(state={"count": 0})
        def test_chat(mock_anthropic: AnthropicMock) -> None: ...

        with mock_anthropic() as mock: ...

    Args:
        function: a function, sync or async. Each call gets a new ``AnthropicMock``, as the argument
            ``mock_anthropic`` if the function has that parameter.
        base_url: the URL of the API; see ``AnthropicMock``.
        state: an object for the response functions to share. Each call gets a copy.
    """
    decorator = MockDecorator(AnthropicMock, parameter="mock_anthropic", base_url=base_url, state=state)
    return decorator if function is None else decorator(function)

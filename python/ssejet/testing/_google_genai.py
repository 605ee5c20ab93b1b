"""A mock of Google's Gemini API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ssejet.testing._api_mock import APIMock, Resource, path_below, publisher_on_vertex
from ssejet.testing._decorator import MockDecorator
from ssejet.testing._endpoints import GOOGLE_GENAI_ENDPOINTS, google_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.testing._answers import MockError
    from ssejet.testing._route import Route

__all__ = ["GoogleGenAIMock", "mock_google_genai"]

F = TypeVar("F", bound="Callable[..., Any]")

_BASE_URL = "https://generativelanguage.googleapis.com"


class _Models(Resource):
    generate_content: Route
    generate_content_stream: Route
    count_tokens: Route


class GoogleGenAIMock(APIMock):
    """A mock of Google's Gemini API, also on Vertex AI.

    ::

        with GoogleGenAIMock() as mock:
            mock.models.generate_content.response = "Hello!"
            ...
            assert mock.models.generate_content.call_count == 1

    It answers clients that use httpx or httpx2. An async client of google-genai uses aiohttp if aiohttp is
    installed: give it ``http_options={"httpx_async_client": httpx.AsyncClient()}``.

    Args:
        base_url: where the API is; by default Google's own URL, that of the environment variable
            ``GOOGLE_GEMINI_BASE_URL``, and Vertex AI's.
        state: any object for the response functions to share; by default a dict.
    """

    name = "mock"
    models: _Models

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        super().__init__(base_url=base_url, state=state)
        self._add_all(GOOGLE_GENAI_ENDPOINTS)

    def path_of(self, url: Any) -> str | None:
        """The endpoint's path, or None if the URL belongs to another API."""
        bases = [self.base_url] if self.base_url else [_BASE_URL, os.environ.get("GOOGLE_GEMINI_BASE_URL")]
        path = path_below(bases, url)
        if path is None and self.base_url is None and publisher_on_vertex(url) == "google":
            path = url.path
        return path

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of the error response to a request without a route."""
        return google_error(error)


@overload
def mock_google_genai(function: F, /) -> F: ...
@overload
def mock_google_genai(*, base_url: str | None = ..., state: Any = ...) -> MockDecorator[GoogleGenAIMock]: ...
def mock_google_genai(function: Any = None, /, *, base_url: str | None = None, state: Any = None) -> Any:
    """Mock Google's Gemini API while the decorated function, such as a test, runs.

    Args:
        function: a function, sync or async. Each call gets a new ``GoogleGenAIMock``, as the argument
            ``mock_google_genai`` if the function has that parameter.
        base_url: the URL of the API; see ``GoogleGenAIMock``.
        state: an object for the response functions to share. Each call gets a copy.
    """
    decorator = MockDecorator(GoogleGenAIMock, parameter="mock_google_genai", base_url=base_url, state=state)
    return decorator if function is None else decorator(function)

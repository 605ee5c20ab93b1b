"""A mock of OpenAI's API."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ssejet.testing._api_mock import APIMock, path_below
from ssejet.testing._decorator import MockDecorator
from ssejet.testing._endpoints import OPENAI_ENDPOINTS, openai_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.testing._answers import MockError
    from ssejet.testing._openai_routes import (
        Beta,
        Chat,
        Create,
        Files,
        Images,
        Models,
        Responses,
        VectorStores,
    )

__all__ = ["OPENAI_URL", "OpenAIMock", "mock_openai"]

F = TypeVar("F", bound="Callable[..., Any]")

OPENAI_URL = "https://api.openai.com/v1"
# A path of Azure's has a deployment, a version, or neither.
_AZURE_PREFIX = re.compile(r"(/openai)?(/deployments/[^/]+|/v1)?(?=/)")
_AZURE_HOST = re.compile(r"(.*\.)?azure\.(com|us|cn)|.*\.azure-api\.(net|us|cn)")


class OpenAIMock(APIMock):
    """A mock of OpenAI's API, Azure OpenAI, or a compatible API.

    ::

        with OpenAIMock() as mock:
            mock.chat.completions.create.response = "Hello!"
            ...
            assert mock.chat.completions.create.call_count == 1

    See ``APIMock`` for which requests it answers, and ``Route.response`` for the answers.

    Args:
        base_url: the URL of the API. By default, the mock answers for OpenAI's URL, for the URL in the
            environment variable ``OPENAI_BASE_URL``, and for Azure's URLs: paths with
            ``/openai/deployments/``, and paths with ``/openai/`` on an Azure host or with an ``api-version``.
        state: any object for the response functions to share; by default a dict.

    The routes have the names of the client's methods, such as ``mock.chat.completions.create``. Those of
    ``chat``, ``completions`` and ``responses.create`` answer what the test sets. The others have default
    answers, from the objects in ``store``, which the client's requests and the test can change.
    """

    name = "mock"
    chat: Chat
    completions: Create
    responses: Responses
    embeddings: Create
    moderations: Create
    images: Images
    models: Models
    files: Files
    vector_stores: VectorStores
    beta: Beta

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        super().__init__(base_url=base_url, state=state)
        self._add_all(OPENAI_ENDPOINTS)
        self.beta.__dict__["chat"] = self.chat

    def path_of(self, url: Any) -> str | None:
        """The endpoint's path, such as ``/chat/completions``, or None if the URL belongs to another API."""
        bases = [self.base_url] if self.base_url else [OPENAI_URL, os.environ.get("OPENAI_BASE_URL")]
        path = path_below(bases, url)
        if path is None and self.base_url is None and _is_azure(url):
            path = url.path[url.path.index("/openai/") :]
        return None if path is None else _AZURE_PREFIX.sub("", path, count=1)

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of the error response to a request without a route."""
        return openai_error(error)


def _is_azure(url: Any) -> bool:
    if "/openai/deployments/" in url.path:
        return True
    return "/openai/" in url.path and ("api-version" in url.params or bool(_AZURE_HOST.fullmatch(url.host)))


@overload
def mock_openai(function: F, /) -> F: ...
@overload
def mock_openai(*, base_url: str | None = ..., state: Any = ...) -> MockDecorator[OpenAIMock]: ...
def mock_openai(function: Any = None, /, *, base_url: str | None = None, state: Any = None) -> Any:
    """Mock OpenAI's API while the decorated function, such as a test, runs.

    ::

        @mock_openai(state={"count": 0})
        def test_chat(mock_openai: OpenAIMock) -> None: ...

        with mock_openai() as mock: ...

    Args:
        function: a function, sync or async. Each call gets a new ``OpenAIMock``, as the argument
            ``mock_openai`` if the function has that parameter.
        base_url: the URL of the API; see ``OpenAIMock``.
        state: an object for the response functions to share. Each call gets a copy.
    """
    decorator = MockDecorator(OpenAIMock, parameter="mock_openai", base_url=base_url, state=state)
    return decorator if function is None else decorator(function)

"""The mock of OpenAI's API."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ssejet.testing._api_mock import APIMock, Resource, path_below
from ssejet.testing._decorator import MockDecorator
from ssejet.testing._endpoints import ChatCompletions, Completions, Responses, openai_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.testing._answers import MockError
    from ssejet.testing._route import Route

__all__ = ["OpenAIMock", "mock_openai"]

F = TypeVar("F", bound="Callable[..., Any]")

_BASE_URL = "https://api.openai.com/v1"
# The path of Azure's URLs has a deployment, a version, or neither.
_AZURE_PREFIX = re.compile(r"(/openai)?(/deployments/[^/]+|/v1)?(?=/)")
_AZURE_HOST = re.compile(r"(.*\.)?azure\.(com|us|cn)|.*\.azure-api\.(net|us|cn)")


class _Creating(Resource):
    create: Route


class _Chat(Resource):
    completions: _Creating


class OpenAIMock(APIMock):
    """A mock of OpenAI's API, of Azure's, or of one compatible with it.

    ::

        with OpenAIMock() as mock:
            mock.chat.completions.create.response = "Hello!"
            ...
            assert mock.chat.completions.create.call_count == 1

    See ``APIMock`` for what it does within its ``with`` block, and ``Route.response`` for the answers.

    Args:
        base_url: where the API is; by default OpenAI's own URL, that of the environment variable
            ``OPENAI_BASE_URL``, and Azure's: hosts of Azure, paths with ``/openai/deployments/``, and those
            with ``/openai/`` and an ``api-version``.
        state: anything that response functions may share; by default a dict.

    Attributes:
        chat: ``chat.completions.create`` is a ``Route``.
        completions: ``completions.create`` is a ``Route``.
        responses: ``responses.create`` is a ``Route``.
    """

    name = "mock"

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        super().__init__(base_url=base_url, state=state)
        completions = _Creating("mock.chat.completions", create=self._add(ChatCompletions()))
        self.chat: _Chat = _Chat("mock.chat", completions=completions)
        self.completions: _Creating = _Creating("mock.completions", create=self._add(Completions()))
        self.responses: _Creating = _Creating("mock.responses", create=self._add(Responses()))

    def path_of(self, url: Any) -> str | None:
        """The path of an endpoint, such as ``/chat/completions``; None if the URL is not of this API."""
        bases = [self.base_url] if self.base_url else [_BASE_URL, os.environ.get("OPENAI_BASE_URL")]
        path = path_below(bases, url)
        if path is None and self.base_url is None and _is_azure(url):
            path = url.path[url.path.index("/openai/") :]
        return None if path is None else _AZURE_PREFIX.sub("", path, count=1)

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of an error response if the request has no route."""
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
    """Decorate a test, or any function, so that OpenAI's API is mocked while it runs.

    ::

        @mock_openai(state={"count": 0})
        def test_chat(mock_openai: OpenAIMock) -> None: ...

        with mock_openai() as mock: ...

    Args:
        function: the function, async or not. If it has a parameter ``mock_openai``, it gets the
            ``OpenAIMock``, a new one for each call.
        base_url: where the API is; see ``OpenAIMock``.
        state: what response functions may share, copied for each call.
    """
    decorator = MockDecorator(OpenAIMock, parameter="mock_openai", base_url=base_url, state=state)
    return decorator if function is None else decorator(function)

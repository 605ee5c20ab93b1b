"""OpenAI's API, mocked."""

from __future__ import annotations

import copy
import functools
import inspect
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ssejet._dumps import dumps
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.testing.endpoints import ChatCompletions, Completions, Endpoint, Responses
from ssejet.testing.patching import patched_transports
from ssejet.testing.responses import error_response, is_response, library_of
from ssejet.testing.transport import MockTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ssejet.testing.calls import Call

__all__ = ["OpenAIMock", "Route", "mock_openai"]

F = TypeVar("F", bound="Callable[..., Any]")

_BASE_URL = "https://api.openai.com/v1"
_UNSET: Any = object()


class Route:
    """One endpoint of a mocked API.

    Attributes:
        calls: the requests to it so far, and what became of them.
    """

    def __init__(self, endpoint: Endpoint, mock: OpenAIMock) -> None:
        self.calls: list[Call] = []
        self._endpoint = endpoint
        self._mock = mock
        self._response: Any = _UNSET

    @property
    def response(self) -> Any:
        """What the endpoint answers.

        * a text: what the model says; a stream of it, if the request asks for one;
        * a dict or a model of any kind: the fields of the answer, added to the usual ones; or a stream;
        * an ``EventStream`` or ``AsyncEventStream``: the stream itself;
        * a response of httpx or httpx2, whichever the client uses;
        * a function that returns one of these. It gets the request; the route, if it has a parameter
          ``route``; and the mock's state, if it has a parameter ``state``. It may be async, if the client is.
        """
        if self._response is _UNSET:
            raise AttributeError(f"mock.{self._endpoint.name}.response is not set")
        return self._response

    @response.setter
    def response(self, response: Any) -> None:
        self._response = response

    @property
    def call_count(self) -> int:
        """How many requests there were."""
        return len(self.calls)

    @property
    def called(self) -> bool:
        """Whether there was any request."""
        return bool(self.calls)

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        self.calls.append(call)
        if self._response is _UNSET:
            name = f"mock.{self._endpoint.name}.response"
            return error_response(call.request, 400, f"{name} is not set: set it to what shall be answered")
        if not callable(self._response):
            return self._response
        parameters = inspect.signature(self._response).parameters
        offered = {"route": self, "state": self._mock.state}
        return self._response(call.request, **{name: offered[name] for name in offered if name in parameters})

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call."""
        if isinstance(answer, (EventStream, AsyncEventStream)) or is_response(answer):
            return answer
        is_text = isinstance(answer, str)
        fields = self._endpoint.from_text(answer) if is_text else json.loads(dumps(answer))
        body = call.json
        answer = self._endpoint.defaults(body) | fields
        if body.get("stream"):
            return EventStream(list(self._endpoint.stream(answer, body)), done=self._endpoint.done)
        return library_of(call.request).Response(200, json=answer)


class OpenAIMock(MockTransport):
    """OpenAI's API, or one compatible with it, mocked.

    Within its ``with`` block it answers, in place of the network, all requests below its base URL that
    clients of httpx and httpx2 send, and so those of the SDK, whichever of the two it uses. Other requests go
    their way. It is a transport as well, for a client of its own.

    ::

        with OpenAIMock() as mock:
            mock.chat.completions.create.response = "Hello!"
            ...
            assert mock.chat.completions.create.call_count == 1

    Args:
        base_url: where the API is.
        state: anything that functions may share.

    Attributes:
        chat: ``chat.completions.create`` is a ``Route``.
        completions: ``completions.create`` is a ``Route``.
        responses: ``responses.create`` is a ``Route``.
        calls: the requests so far, to whichever route, and what became of them.
        state: what was given, or a dict.
    """

    def __init__(self, *, base_url: str = _BASE_URL, state: Any = None) -> None:
        super().__init__(None)
        self.base_url = base_url
        self.state = {} if state is None else state
        self.chat = _Chat(self)
        self.completions = _Resource(Completions(), self)
        self.responses = _Resource(Responses(), self)
        self._active = ExitStack()

    def __enter__(self) -> Self:
        self._active.enter_context(patched_transports(self, self.owns))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._active.close()

    def owns(self, request: Any) -> bool:
        """Whether a request is for this API."""
        return f"{request.url}".startswith(self.base_url.rstrip("/") + "/")

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        method, path = self._endpoint_of(call.request)
        route = self._routes().get((method, path))
        if route is not None:
            return route.answer(call)
        known = ", ".join(map(" ".join, self._routes()))
        return error_response(call.request, 404, f"the mock has no {method} {path}; it has {known}")

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call."""
        route = self._routes().get(self._endpoint_of(call.request))
        return answer if route is None else route.complete(answer, call)

    def _endpoint_of(self, request: Any) -> tuple[str, str]:
        url = f"{request.url.copy_with(query=None)}"
        return request.method, url.removeprefix(self.base_url.rstrip("/"))

    def _routes(self) -> dict[tuple[str, str], Route]:
        resources = (self.chat.completions, self.completions, self.responses)
        return {("POST", resource.path): resource.create for resource in resources}


class _Resource:
    def __init__(self, endpoint: Endpoint, mock: OpenAIMock) -> None:
        self.path = endpoint.path
        self.create = Route(endpoint, mock)


class _Chat:
    def __init__(self, mock: OpenAIMock) -> None:
        self.completions = _Resource(ChatCompletions(), mock)


@overload
def mock_openai(function: F, /) -> F: ...
@overload
def mock_openai(*, base_url: str = ..., state: Any = ...) -> Callable[[F], F]: ...
def mock_openai(function: Any = None, /, *, base_url: str = _BASE_URL, state: Any = None) -> Any:
    """Decorate a test, or any function, so that OpenAI's API is mocked while it runs.

    ::

        @mock_openai(state={"count": 0})
        def test_chat(mock_openai: OpenAIMock) -> None: ...

    Args:
        function: the function, async or not. If it has a parameter ``mock_openai``, it gets the
            ``OpenAIMock``, a new one for each call.
        base_url: where the API is.
        state: what functions may share, copied for each call.
    """
    if function is None:
        return functools.partial(mock_openai, base_url=base_url, state=state)

    def mock_for(kwargs: dict[str, Any]) -> OpenAIMock:
        mock = OpenAIMock(base_url=base_url, state=copy.deepcopy(state))
        if "mock_openai" in signature.parameters:
            kwargs["mock_openai"] = mock
        return mock

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with mock_for(kwargs):
                return await function(*args, **kwargs)

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with mock_for(kwargs):
                return function(*args, **kwargs)

    signature = inspect.signature(function)
    others = [parameter for name, parameter in signature.parameters.items() if name != "mock_openai"]
    # pytest must not look for a fixture of this name.
    wrapper.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
    return wrapper

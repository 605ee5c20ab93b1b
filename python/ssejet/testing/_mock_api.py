"""What the mocks of all providers share: routes, where their requests go, and how a test gets a mock."""

from __future__ import annotations

import copy
import functools
import inspect
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ssejet._json import dumps
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.emit._closing import aclose, close
from ssejet.emit._item_encoder import DONE, ItemEncoder
from ssejet.testing._answers import MockError, StreamedAnswer
from ssejet.testing._calls import CallLog
from ssejet.testing._endpoints.base import Event
from ssejet.testing._http_responses import as_exception_of, is_response, library_of
from ssejet.testing._patching import activate, deactivate
from ssejet.testing._transport import MockTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from typing_extensions import Self

    from ssejet.testing._calls import Call
    from ssejet.testing._endpoints import Endpoint

__all__ = ["APIMock", "MockDecorator", "Resource", "Route"]

F = TypeVar("F", bound="Callable[..., Any]")
M = TypeVar("M", bound="APIMock")

_UNSET: Any = object()
_KINDS = (
    "a text, a dict or model with the answer's fields, an EventStream, a StreamedAnswer, a MockError, a "
    "response of httpx or httpx2, an exception, or a function that returns one of these"
)


class Route:
    """One endpoint of a mocked API; a mock makes its own.

    All counts are right from any number of threads and tasks. Inside a response function they are those of
    the calls that came before the one that it answers: ``route.call_count`` is 0 in the first call, and each
    of several calls at a time sees another number.
    """

    __slots__ = ("_endpoint", "_log", "_mock", "_offered", "_response")

    def __init__(self, endpoint: Endpoint, mock: APIMock) -> None:
        self._log = CallLog()
        self._endpoint = endpoint
        self._mock = mock
        self._response: Any = _UNSET
        self._offered: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Route {self._name}: {len(self.calls)} calls>"

    @property
    def response(self) -> Any:
        """What the endpoint answers.

        * a text: what the model says; a stream of it, if the request asks for one;
        * a dict or a model of any kind: the fields of the answer, added to the usual ones; or a stream;
        * an ``EventStream`` or ``AsyncEventStream``: the stream itself;
        * a ``StreamedAnswer``: an answer whose stream has errors, pings or cuts;
        * a ``MockError``: an error as the provider reports it;
        * a response of httpx or httpx2, whichever the client uses;
        * an exception: what the transport raises, such as ``httpx.ConnectError``;
        * a function that returns or raises one of these. It gets the request; the route, if it has a
          parameter ``route``; and the mock's state, if it has a parameter ``state``. It may be async, if the
          client is. ``route.call_count`` does not count the call that the function answers.

        Raises:
            AttributeError: it is read before it is set.
            TypeError: it is set to something else.
        """
        if self._response is _UNSET:
            raise AttributeError(f"{self._name}.response is not set")
        return self._response

    @response.setter
    def response(self, response: Any) -> None:
        offered: tuple[str, ...] = ()
        if not _is_answer(response):
            if isinstance(response, type) or not callable(response):
                raise TypeError(f"{self._name}.response is {_KINDS}; not {_described(response)}")
            offered = _offered_parameters(response, f"{self._name}.response")
        self._response, self._offered = response, offered

    @response.deleter
    def response(self) -> None:
        self._response, self._offered = _UNSET, ()

    @property
    def calls(self) -> list[Call]:
        """The requests to it so far, and what became of them."""
        return self._log.calls

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
        self._log.add(call)
        if self._response is _UNSET:
            return MockError(_mistake(f"{self._name}.response is not set: set it to {_KINDS}"), status=400)
        if _is_answer(self._response):
            return self._response
        offered = {"route": self, "state": self._mock.state}
        return self._response(call.request, **{name: offered[name] for name in self._offered})

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call.

        Raises:
            TypeError: it is no answer.
        """
        if not _is_answer(answer):
            close(answer)
            raise TypeError(
                f"the function of {self._name}.response returns {_KINDS}; not {_described(answer)}"
            )
        if isinstance(answer, BaseException):
            raise as_exception_of(library_of(call.request), answer, call.request)
        if is_response(answer):
            return answer
        if isinstance(answer, (EventStream, AsyncEventStream)):
            return _with_event_names(answer) if self._endpoint.names_events else answer
        if isinstance(answer, MockError):
            return self._error_response(answer, call)
        if isinstance(answer, StreamedAnswer):
            return self._streamed(answer, call)
        body = _body_of(call)
        fields = self._fields(answer, body)
        if body.get("stream"):
            return EventStream(list(self._endpoint.stream(fields, body)), done=self._endpoint.done)
        return library_of(call.request).Response(200, json=fields)

    @property
    def _name(self) -> str:
        return f"{self._mock.name}.{self._endpoint.name}"

    def _fields(self, answer: Any, body: dict[str, Any]) -> dict[str, Any]:
        given = self._endpoint.from_text(answer) if isinstance(answer, str) else json.loads(dumps(answer))
        if not isinstance(given, dict):
            raise TypeError(f"{self._name}.response is {_KINDS}; not {_described(answer)}")
        try:
            return self._endpoint.complete(given, body)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise TypeError(
                f"{self._name}.response has fields that are no answer of this API: {error}"
            ) from error

    def _streamed(self, streamed: StreamedAnswer, call: Call) -> Any:
        body = _body_of(call)
        error = MockError(streamed.error) if isinstance(streamed.error, str) else streamed.error
        if not body.get("stream"):
            return self.complete(streamed.answer if error is None else error, call)
        if not _has_fields(streamed.answer):
            raise TypeError(
                f"a StreamedAnswer has a text or the answer's fields, not {_described(streamed.answer)}"
            )
        items = list(self._endpoint.stream(self._fields(streamed.answer, body), body))
        done = self._endpoint.done
        if error is not None:
            after = len(items) // 2 if streamed.after is None else streamed.after
            items = [*items[:after], self._endpoint.stream_error(error, len(items[:after]))]
            done = None
        if streamed.ping_every:
            items = list(self._pinged(items, streamed.ping_every))
        return _RawEventStream(items, done=done, cut=streamed.cut, fail_after=streamed.fail_after)

    def _pinged(self, items: list[Any], every: int) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number and number % every == 0:
                yield self._endpoint.ping
            yield item

    def _error_response(self, error: MockError, call: Call) -> Any:
        return library_of(call.request).Response(
            error.status, json=self._endpoint.error_body(error), headers=dict(error.headers)
        )


class Resource:
    """A part of a mocked API, with its routes as attributes."""

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
    """A provider's API, or one compatible with it, mocked.

    Within its ``with`` block, or ``async with`` block, it answers, in place of the network, all requests to
    the API that clients of httpx and httpx2 send, and so those of the SDK, whichever of the two it uses.
    Other requests go their way. Of several such mocks, the one that was entered last in the same thread or
    task answers. It is a transport as well, for a client of its own.

    Attributes:
        calls: the requests so far, to whichever route, and what became of them.
        state: what functions share.
    """

    name: ClassVar[str]
    """What errors call the mock."""

    def __init__(self, *, base_url: str | None = None, state: Any = None) -> None:
        if base_url is not None and not isinstance(base_url, str):
            raise TypeError(f"base_url is a text, not {_described(base_url)}")
        super().__init__(None)
        self.base_url = base_url
        self.state: Any = {} if state is None else state
        self._routes: dict[tuple[str, str], Route] = {}

    def __enter__(self) -> Self:
        activate(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        deactivate(self)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__()

    @abstractmethod
    def path_of(self, url: Any) -> str | None:
        """The path of an endpoint, such as ``/chat/completions``; None if the URL is not of this API."""

    @abstractmethod
    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of an error response where no endpoint is concerned."""

    def owns(self, request: Any) -> bool:
        """Whether a request is for this API."""
        return self.path_of(request.url) is not None

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        route = self._route_of(call)
        if route is not None:
            return route.answer(call)
        known = ", ".join(map(" ".join, self._routes))
        path = self.path_of(call.request.url) or call.request.url.path
        message = _mistake(f"the mock has no {call.request.method} {path}; it has {known}")
        return MockError(message, status=404)

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call."""
        route = self._route_of(call)
        if route is None:
            return library_of(call.request).Response(answer.status, json=self.error_body(answer))
        return route.complete(answer, call)

    def _add(self, endpoint: Endpoint) -> Route:
        route = self._routes["POST", endpoint.path] = Route(endpoint, self)
        return route

    def _route_of(self, call: Call) -> Route | None:
        return self._routes.get((call.request.method, self.path_of(call.request.url) or ""))


class MockDecorator(Generic[M]):
    """Gives a function, or a ``with`` block, a mock.

    Args:
        make: makes a mock.
        state: what functions may share, copied for each mock.
    """

    def __init__(self, make: Callable[..., M], *, parameter: str, base_url: str | None, state: Any) -> None:
        self._make = functools.partial(make, base_url=base_url)
        self._parameter = parameter
        self._state = state
        self._entered: list[M] = []

    def __enter__(self) -> M:
        mock = self._new_mock()
        self._entered.append(mock)
        return mock.__enter__()

    def __exit__(self, *exc_info: object) -> None:
        self._entered.pop().__exit__()

    async def __aenter__(self) -> M:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__()

    def __call__(self, function: F) -> F:
        """Decorate a function, async or not, or a generator, async or not."""
        if isinstance(function, type) or not callable(function):
            given = _described(function)
            raise TypeError(f"@{self._parameter} decorates a function, not {given}; its options are keywords")
        wrapper: Any = functools.wraps(function)(self._wrapped(function))
        signature = inspect.signature(function)
        others = [each for name, each in signature.parameters.items() if name != self._parameter]
        # pytest must not look for a fixture of this name.
        wrapper.__signature__ = signature.replace(parameters=others)
        return wrapper  # type: ignore[no-any-return]

    def _wrapped(self, function: Any) -> Any:
        takes_mock = self._parameter in inspect.signature(function).parameters

        def begin(kwargs: dict[str, Any]) -> M:
            mock = self._new_mock()
            if takes_mock:
                kwargs[self._parameter] = mock
            return mock

        if inspect.isasyncgenfunction(function):

            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                with begin(kwargs):
                    generator = function(*args, **kwargs)
                    try:
                        async for item in generator:
                            yield item
                    finally:
                        await generator.aclose()

            return wrapper
        if inspect.isgeneratorfunction(function):

            def generator_wrapper(*args: Any, **kwargs: Any) -> Any:
                with begin(kwargs):
                    return (yield from function(*args, **kwargs))

            return generator_wrapper
        if inspect.iscoroutinefunction(function):

            async def coroutine_wrapper(*args: Any, **kwargs: Any) -> Any:
                with begin(kwargs):
                    return await function(*args, **kwargs)

            return coroutine_wrapper

        def plain_wrapper(*args: Any, **kwargs: Any) -> Any:
            with begin(kwargs):
                return function(*args, **kwargs)

        return plain_wrapper

    def _new_mock(self) -> M:
        return self._make(state=copy.deepcopy(self._state))


class _RawEventStream(EventStream[Any]):
    """An event stream whose items may be bytes that are events, or comments, already."""

    def _codec(self) -> Any:
        return _RawItemEncoder(self._options.done)


class _RawItemEncoder(ItemEncoder):
    def encode(self, item: Any) -> bytes:
        return item if isinstance(item, bytes) else super().encode(item)


def _with_event_names(stream: Any) -> Any:
    """A test's own stream as the provider sends it: with event types, and without a sentinel."""
    named = copy.copy(stream)
    if named._options.done is DONE:
        named._options = replace(named._options, done=None)
    if isinstance(stream, AsyncEventStream):
        named.agenerate = functools.partial(_named_async, stream.agenerate)
    else:
        named.generate = functools.partial(_named, stream.generate)
    return named


def _named(generate: Callable[[], Any]) -> Iterator[Any]:
    items = iter(generate())
    try:
        yield from map(_name_event, items)
    finally:
        close(items)


async def _named_async(generate: Callable[[], Any]) -> AsyncIterator[Any]:
    items = generate()
    try:
        if hasattr(items, "__aiter__"):
            async for item in items:
                yield _name_event(item)
        else:
            for item in items:
                yield _name_event(item)
    finally:
        close(items)
        await aclose(items)


def _name_event(item: Any) -> Any:
    kind = item.get("type") if isinstance(item, Mapping) else None
    return Event(kind, item) if isinstance(kind, str) else item


def _is_answer(answer: Any) -> bool:
    kinds = (EventStream, AsyncEventStream, StreamedAnswer, MockError, BaseException)
    return isinstance(answer, kinds) or is_response(answer) or _has_fields(answer)


def _has_fields(answer: Any) -> bool:
    if isinstance(answer, (str, Mapping)):
        return True
    cls = type(answer)
    is_model = hasattr(cls, "model_fields") or hasattr(cls, "__struct_fields__") or is_dataclass(cls)
    return is_model and not isinstance(answer, (StreamedAnswer, MockError))


def _described(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}: make an instance of it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "a generator: wrap it in an EventStream or AsyncEventStream"
    if value is None:
        return "None"
    return (
        f"{value!r:.40} ({type(value).__name__})" if isinstance(value, (int, bytes)) else type(value).__name__
    )


def _offered_parameters(function: Any, name: str) -> tuple[str, ...]:
    """Which of ``route`` and ``state`` a function takes."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return ()
    offered = tuple(each for each in ("route", "state") if each in signature.parameters)
    try:
        signature.bind(None, **dict.fromkeys(offered))
    except TypeError as error:
        raise TypeError(
            f"the function of {name} gets the request, and route and state if it has such parameters: {error}"
        ) from None
    return offered


def _body_of(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError as error:
        raise TypeError(f"the request's body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise TypeError(f"the request's body is no JSON object: {call.request.content[:40]!r}")
    return body


def _mistake(message: str) -> str:
    return f"ssejet.testing: {message}"

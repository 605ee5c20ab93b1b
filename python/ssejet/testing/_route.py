"""Routes: what an endpoint of a mocked API answers, and what it was asked."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ssejet._json import dumps, loads
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.emit._closing import close
from ssejet.testing._answers import KINDS, MockError, StreamedAnswer, describe, has_fields, is_answer
from ssejet.testing._calls import CallLog
from ssejet.testing._http_responses import as_exception_of, is_response, library_of
from ssejet.testing._streams import RawEventStream, with_event_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing._calls import Call
    from ssejet.testing._endpoints import Endpoint

__all__ = ["Route", "mistake"]

_UNSET: Any = object()


class _API(Protocol):
    """The mock that a route belongs to."""

    name: ClassVar[str]
    state: Any


class Route:
    """One endpoint of a mocked API. A mock makes its routes itself.

    The counts are right with any number of threads and tasks. Inside a response function, they do not include
    the call that it answers: ``route.call_count`` is 0 in the first call. Each of several calls at
    once sees another number.
    """

    __slots__ = ("_endpoint", "_log", "_mock", "_offered", "_response")

    def __init__(self, endpoint: Endpoint, mock: _API) -> None:
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

        * a text: what the model says, as a stream if the request asks for one;
        * a dict or a model of any kind: fields of the answer, to which the mock adds the usual others; or a
          stream of them;
        * an ``EventStream`` or ``AsyncEventStream``: the stream itself;
        * a ``StreamedAnswer``: an answer whose stream has errors, pings or cuts;
        * a ``MockError``: an error as the provider reports it;
        * a response of httpx or httpx2;
        * an exception: what the transport raises, such as ``httpx.ConnectError``;
        * a function that returns or raises one of these. It gets the request, and also the route and the
          mock's state if it has parameters ``route`` and ``state``. It may be async if the client is.

        Raises:
            AttributeError: it was read but never set.
            TypeError: it was set to something else.
        """
        if self._response is _UNSET:
            raise AttributeError(f"{self._name}.response is not set")
        return self._response

    @response.setter
    def response(self, response: Any) -> None:
        offered: tuple[str, ...] = ()
        if not is_answer(response):
            if isinstance(response, type) or not callable(response):
                raise TypeError(f"{self._name}.response is {KINDS}; not {describe(response)}")
            offered = _offered_parameters(response, f"{self._name}.response")
        self._response, self._offered = response, offered

    @response.deleter
    def response(self) -> None:
        self._response, self._offered = _UNSET, ()

    @property
    def calls(self) -> list[Call]:
        """The requests so far, with their answers."""
        return self._log.calls

    @property
    def call_count(self) -> int:
        """The number of requests so far."""
        return len(self.calls)

    @property
    def called(self) -> bool:
        """Whether there was a request."""
        return bool(self.calls)

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        self._log.add(call)
        if self._response is _UNSET:
            return MockError(mistake(f"{self._name}.response is not set: set it to {KINDS}"), status=400)
        if is_answer(self._response):
            return self._response
        offered = {"route": self, "state": self._mock.state}
        return self._response(call.request, **{name: offered[name] for name in self._offered})

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response or an event stream of the answer to a call.

        Raises:
            TypeError: it is not an answer.
        """
        if not is_answer(answer):
            close(answer)
            raise TypeError(f"the function of {self._name}.response returns {KINDS}; not {describe(answer)}")
        if isinstance(answer, BaseException):
            raise as_exception_of(library_of(call.request), answer, call.request)
        if is_response(answer):
            return answer
        if isinstance(answer, (EventStream, AsyncEventStream)):
            return with_event_names(answer) if self._endpoint.names_events else answer
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
        given = self._endpoint.from_text(answer) if isinstance(answer, str) else loads(dumps(answer))
        if not isinstance(given, dict):
            raise TypeError(f"{self._name}.response is {KINDS}; not {describe(answer)}")
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
        if not has_fields(streamed.answer):
            raise TypeError(
                f"a StreamedAnswer has a text or the answer's fields, not {describe(streamed.answer)}"
            )
        items = list(self._endpoint.stream(self._fields(streamed.answer, body), body))
        done = self._endpoint.done
        if error is not None:
            after = len(items) // 2 if streamed.after is None else streamed.after
            items = [*items[:after], self._endpoint.stream_error(error, len(items[:after]))]
            done = None
        if streamed.ping_every:
            items = list(self._pinged(items, streamed.ping_every))
        return RawEventStream(items, done=done, cut=streamed.cut, fail_after=streamed.fail_after)

    def _pinged(self, items: list[Any], every: int) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number and number % every == 0:
                yield self._endpoint.ping
            yield item

    def _error_response(self, error: MockError, call: Call) -> Any:
        return library_of(call.request).Response(
            error.status, json=self._endpoint.error_body(error), headers=dict(error.headers)
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
        raise TypeError(f"the request's body is not a JSON object: {call.request.content[:40]!r}")
    return body


def mistake(message: str) -> str:
    """The text of an error that is the test's fault, not the provider's."""
    return f"ssejet.testing: {message}"

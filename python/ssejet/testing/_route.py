"""Routes: what an endpoint of a mocked API answers, and what it was asked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ssejet._json import dumps, loads
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.emit._closing import close
from ssejet.testing._answers import KINDS, MockError, StreamedAnswer, describe, has_fields, is_answer
from ssejet.testing._calls import CallLog
from ssejet.testing._endpoints.base import Asked, RefusedError
from ssejet.testing._http_responses import as_exception_of, is_response, library_of
from ssejet.testing._multipart import parse_form
from ssejet.testing._streams import RawEventStream, with_event_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ssejet.testing._calls import Call
    from ssejet.testing._endpoints import Endpoint
    from ssejet.testing._store import StateStore

__all__ = ["Route", "accepted_arguments", "mistake"]

_UNSET: Any = object()


class _API(Protocol):
    """The mock that a route belongs to."""

    name: ClassVar[str]
    created_status: ClassVar[int]
    state: Any

    @property
    def store(self) -> StateStore:
        """The objects that the mock keeps."""


class Route:
    """One endpoint of a mocked API. A mock makes its routes itself.

    The counts are right with any number of threads and tasks. Inside a response function, they do not include
    the call that it answers: ``route.call_count`` is 0 in the first call. Each of several calls at
    once sees another number.
    """

    __slots__ = ("_in_turn", "_lock", "_log", "_mock", "_response", "endpoint")

    def __init__(self, endpoint: Endpoint, mock: _API) -> None:
        self._log = CallLog()
        self.endpoint: Endpoint = endpoint
        self._mock = mock
        self._response: Any = _UNSET
        self._in_turn: _InTurn | None = None
        self._lock = Lock()

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
        * bytes: a file, for ``files.content``;
        * a function that returns or raises one of these. It gets the request, and also what it has parameters
          for: ``route``, the mock's ``state``, its ``store``, and path parameters such as ``thread_id``. It
          may be async if the client is.

        Raises:
            AttributeError: it was read but never set.
            TypeError: it was set to something else.
        """
        if self._response is _UNSET:
            raise AttributeError(f"{self._name}.response is not set: set it before you read it")
        return self._response

    @response.setter
    def response(self, response: Any) -> None:
        self._check(response, f"{self._name}.response")
        self._response, self._in_turn = response, None

    @response.deleter
    def response(self) -> None:
        self._response, self._in_turn = _UNSET, None

    @property
    def responses(self) -> list[Any]:
        """The answers to one request after another: a list of what ``response`` may be.

        A request after the last answer, and answers that are left at the end of the mock's ``with`` block,
        are errors.
        """
        return [] if self._in_turn is None else list(self._in_turn.answers)

    @responses.setter
    def responses(self, responses: Iterable[Any]) -> None:
        self.set_responses(responses)

    def set_responses(self, responses: Iterable[Any], *, strict: bool = True) -> None:
        """Set ``responses``.

        Args:
            responses: the answers.
            strict: whether answers that are left at the end are an error.

        Raises:
            TypeError: it is one answer, not a list, or holds something that is no answer.
        """
        if isinstance(responses, (str, bytes, Mapping)):
            raise TypeError(f"{self._name}.responses is a list of answers, not one: set response instead")
        answers = list(responses)
        for place, answer in enumerate(answers):
            self._check(answer, f"{self._name}.responses[{place}]")
        self._response, self._in_turn = _UNSET, _InTurn(answers, strict=strict)

    @property
    def unused(self) -> str | None:
        """A sentence about the answers in ``responses`` that no request got; None if there are none."""
        turn = self._in_turn
        if turn is None or not turn.strict or turn.given >= len(turn.answers):
            return None
        count, total = len(turn.answers) - turn.given, len(turn.answers)
        return f"{count} of {total} answers in {self._name}.responses were never asked for"

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

    def answer(self, call: Call, path: dict[str, str]) -> Any:
        """The answer to a call, or an awaitable of it.

        Args:
            call: the call.
            path: its path parameters.
        """
        self._log.add(call)
        response = self._next_response()
        if isinstance(response, _Default) or self._is_answer(response):
            return response
        offered = {"route": self, "state": self._mock.state, "store": self._mock.store}
        return response(call.request, **accepted_arguments(response, offered | self._also_offered(), path))

    def complete(self, answer: Any, call: Call, path: dict[str, str]) -> Any:
        """Make a response or an event stream of the answer to a call.

        Args:
            answer: the answer.
            call: the call.
            path: its path parameters.

        Raises:
            TypeError: it is not an answer.
        """
        if isinstance(answer, _Default):
            answer = None
        elif not self._is_answer(answer):
            close(answer)
            raise TypeError(f"the function of {self._name}.response returns {KINDS}; not {describe(answer)}")
        if isinstance(answer, BaseException):
            raise as_exception_of(library_of(call.request), answer, call.request)
        if is_response(answer):
            return answer
        if isinstance(answer, (EventStream, AsyncEventStream)):
            return with_event_names(answer) if self.endpoint.names_events else answer
        if isinstance(answer, MockError):
            return self._error_response(answer, call)
        try:
            asked = _asked(call, path, self._mock.store)
            if isinstance(answer, StreamedAnswer):
                return self._streamed(answer, asked, call)
            return self._plain(answer, asked, call)
        except RefusedError as refusal:
            return self._error_response(refusal.error, call)

    def _next_response(self) -> Any:
        if self._in_turn is not None:
            with self._lock:
                place, self._in_turn.given = self._in_turn.given, self._in_turn.given + 1
            answers = self._in_turn.answers
            if place < len(answers):
                return answers[place]
            message = f"{self._name}.responses has {len(answers)} answers, but this is request {place + 1}"
            return MockError(mistake(message), status=400)
        if self._response is not _UNSET:
            return self._response
        if self.endpoint.has_default:
            return _Default()
        return MockError(mistake(f"{self._name}.response is not set: set it to {KINDS}"), status=400)

    def _plain(self, answer: Any, asked: Asked, call: Call) -> Any:
        fields = self._fields(answer, asked)
        if asked.streams or self.endpoint.always_streams:
            return EventStream(list(self.endpoint.events(fields, asked)), done=self.endpoint.done)
        status = self._mock.created_status if self.endpoint.creates else 200
        response = library_of(call.request).Response
        if isinstance(fields, bytes):
            return response(status, content=fields, headers={"content-type": "application/octet-stream"})
        return response(status, json=fields)

    def _also_offered(self) -> dict[str, Any]:
        """What else the functions of this route may have as parameters."""
        return {}

    def _is_answer(self, answer: Any) -> bool:
        return is_answer(answer) or (self.endpoint.takes_bytes and isinstance(answer, bytes))

    def _check(self, answer: Any, name: str) -> None:
        if self._is_answer(answer):
            return
        if isinstance(answer, type) or not callable(answer):
            raise TypeError(f"{name} is {KINDS}; not {describe(answer)}")
        offered = ["route", "state", "store", *self._also_offered(), *self.endpoint.pattern.groupindex]
        _check_function(answer, name, offered)

    @property
    def _name(self) -> str:
        return f"{self._mock.name}.{self.endpoint.name}"

    def _fields(self, answer: Any, asked: Asked) -> Any:
        given = answer if answer is None or isinstance(answer, (str, bytes)) else loads(dumps(answer))
        if given is not None and not isinstance(given, (str, bytes, dict)):
            raise TypeError(f"{self._name}.response is {KINDS}; not {describe(answer)}")
        try:
            return self.endpoint.answer(given, asked)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise TypeError(f"{self._name}.response does not fit the answers of this API: {error}") from error

    def _streamed(self, streamed: StreamedAnswer, asked: Asked, call: Call) -> Any:
        error = MockError(streamed.error) if isinstance(streamed.error, str) else streamed.error
        if not (asked.streams or self.endpoint.always_streams):
            return self.complete(streamed.answer if error is None else error, call, asked.path)
        if not has_fields(streamed.answer):
            raise TypeError(
                f"a StreamedAnswer has a text or the answer's fields, not {describe(streamed.answer)}"
            )
        items = list(self.endpoint.events(self._fields(streamed.answer, asked), asked))
        done: Any = self.endpoint.done
        if error is not None:
            after = len(items) // 2 if streamed.after is None else streamed.after
            items = [*items[:after], self.endpoint.stream_error(error, len(items[:after]))]
            done = None
        if streamed.ping_every:
            items = list(self._pinged(items, streamed.ping_every))
        return RawEventStream(items, done=done, cut=streamed.cut, fail_after=streamed.fail_after)

    def _pinged(self, items: list[Any], every: int) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number and number % every == 0:
                yield self.endpoint.ping
            yield item

    def _error_response(self, error: MockError, call: Call) -> Any:
        return library_of(call.request).Response(
            error.status, json=self.endpoint.error_body(error), headers=dict(error.headers)
        )


class _Default:
    """The endpoint's own answer."""


class _InTurn:
    """Answers for one request after another."""

    def __init__(self, answers: list[Any], *, strict: bool) -> None:
        self.answers = answers
        self.strict = strict
        self.given = 0


def accepted_arguments(function: Any, offered: dict[str, Any], path: dict[str, Any]) -> dict[str, Any]:
    """The offered arguments and path parameters that a function takes."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have none
        return {}
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    accepted = {name: value for name, value in (path | offered).items() if name in parameters}
    return path | accepted if takes_all else accepted


def _check_function(function: Any, name: str, offered: list[str]) -> None:
    """Check that a function needs no other argument than the request and those that are offered.

    Raises:
        TypeError: it needs another one.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(None, **accepted_arguments(function, dict.fromkeys(offered), {}))
    except TypeError as error:
        others = f"{', '.join(offered[:-1])} and {offered[-1]}"
        raise TypeError(
            f"the function of {name} gets the request, and {others} if it has such parameters: {error}"
        ) from None


def _asked(call: Call, path: dict[str, str], store: StateStore) -> Asked:
    """What a request asks for.

    Raises:
        TypeError: its body is neither a JSON object nor a form.
    """
    request = call.request
    query = dict(request.url.params)
    content_type = request.headers.get("content-type", "")
    if not request.content:
        return Asked({}, [], path, query, store)
    if content_type.startswith("multipart/form-data"):
        form = parse_form(content_type, request.content)
        return Asked(form.fields, form.files, path, query, store)
    return Asked(_body_of(call), [], path, query, store)


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

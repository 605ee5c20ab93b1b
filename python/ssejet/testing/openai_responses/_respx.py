"""The interface that respx gives routes and calls."""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ssejet.testing._answers import MockError, describe
from ssejet.testing._calls import Call, CallLog
from ssejet.testing._http_responses import as_exception_of, is_response, library_of
from ssejet.testing._route import accepted_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

__all__ = ["AllMockedAssertionError", "CallList", "RespxInterface", "RouterRoute"]


class AllMockedAssertionError(AssertionError):
    """A request has no route, and so would go to the network."""


class CallList(list[Call]):
    """Calls, with respx's attributes."""

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return bool(self)

    @property
    def call_count(self) -> int:
        """The number of calls."""
        return len(self)

    @property
    def last(self) -> Call:
        """The last call.

        Raises:
            IndexError: there was none.
        """
        return self[-1]

    def assert_called(self, msg: str | None = None) -> None:
        """Check that there was a call."""
        assert self, msg or "expected a call, but there was none"

    def assert_called_once(self, msg: str | None = None) -> None:
        """Check that there was one call."""
        assert len(self) == 1, msg or f"expected one call, but there were {len(self)}"

    def assert_not_called(self, msg: str | None = None) -> None:
        """Check that there was no call."""
        assert not self, msg or f"expected no call, but there were {len(self)}"


class RespxInterface:
    """What a route of respx has for answers."""

    passes: bool = False

    @abstractmethod
    def _answer_with(self, answer: Any) -> None:
        """Answer each request with a response, an exception, or what a function returns."""

    @abstractmethod
    def _answer_in_turn(self, answers: list[Any]) -> None:
        """Answer one request after another."""

    @property
    def side_effect(self) -> Any:
        """A function that answers, an exception, or a list of responses and exceptions in turn."""
        raise AttributeError("side_effect can only be set")

    @side_effect.setter
    def side_effect(self, effect: Any) -> None:
        if callable(effect) and not (isinstance(effect, type) and issubclass(effect, BaseException)):
            self._answer_with(effect)
        elif isinstance(effect, (BaseException, type)):
            self._answer_with(_exception(effect))
        else:
            self._answer_in_turn([_exception(each) for each in effect])

    @property
    def return_value(self) -> Any:
        """The response to all requests."""
        raise AttributeError("return_value can only be set")

    @return_value.setter
    def return_value(self, response: Any) -> None:
        self._answer_with(response)

    def mock(self, return_value: Any = None, *, side_effect: Any = None) -> Self:
        """Set ``return_value`` or ``side_effect``."""
        if side_effect is not None:
            self.side_effect = side_effect
        elif return_value is not None:
            self.return_value = return_value
        return self

    def respond(self, status_code: int = 200, **fields: Any) -> Self:
        """Answer with a response of httpx with these fields, such as ``json`` and ``headers``."""
        import httpx

        self.return_value = httpx.Response(status_code, **fields)
        return self

    def pass_through(self, value: bool = True) -> Self:
        """Send the requests to the network."""
        self.passes = value
        return self

    def __mod__(self, response: Any) -> Self:
        """Answer with a status, the fields of a response, or a response."""
        if isinstance(response, int):
            return self.respond(response)
        if isinstance(response, Mapping):
            return self.respond(**response)
        return self.mock(response)


_PATTERNS: dict[str, Callable[[Any, Any], bool]] = {
    "url": lambda url, wanted: _url(f"{url}") == _url(wanted),
    "url__eq": lambda url, wanted: _url(f"{url}") == _url(wanted),
    "url__startswith": lambda url, wanted: f"{url}".startswith(wanted),
    "url__regex": lambda url, wanted: re.search(wanted, f"{url}") is not None,
    "path": lambda url, wanted: bool(url.path == wanted),
    "path__startswith": lambda url, wanted: url.path.startswith(wanted),
    "path__regex": lambda url, wanted: re.search(wanted, url.path) is not None,
    "host": lambda url, wanted: bool(url.host == wanted),
    "scheme": lambda url, wanted: bool(url.scheme == wanted),
    "params": lambda url, wanted: dict(url.params).items() >= {k: f"{v}" for k, v in wanted.items()}.items(),
}


class RouterRoute(RespxInterface):
    """A route for requests that are not for OpenAI's API.

    Args:
        method: the HTTP method; None for any.
        patterns: what the URL must match: ``url``, ``url__startswith``, ``url__regex``, ``path``,
            ``path__startswith``, ``path__regex``, ``host``, ``scheme`` or ``params``.

    Raises:
        TypeError: a pattern has another name.
    """

    def __init__(self, method: str | None, patterns: Mapping[str, Any]) -> None:
        for name in patterns:
            if name not in _PATTERNS:
                raise TypeError(f"a route has no pattern {name!r}; it has {', '.join(_PATTERNS)}")
        self._method = method
        self._patterns = {
            ("url__regex" if name == "url" and isinstance(value, re.Pattern) else name): value
            for name, value in patterns.items()
        }
        self._log = CallLog()
        self._answers: list[Any] | None = None
        self._answer: Any = None

    def __repr__(self) -> str:
        return f"<Route {self._method or 'any method'} {self._patterns}>"

    @property
    def calls(self) -> CallList:
        """The requests so far, with their answers."""
        return CallList(self._log.calls)

    @property
    def call_count(self) -> int:
        """The number of requests so far."""
        return len(self._log.calls)

    @property
    def called(self) -> bool:
        """Whether there was a request."""
        return self.call_count > 0

    def matches(self, request: Any) -> bool:
        """Whether a request is for this route."""
        if self._method not in (None, request.method):
            return False
        return all(_PATTERNS[name](request.url, wanted) for name, wanted in self._patterns.items())

    def answer(self, call: Call) -> Any:
        """The answer to a call, or an awaitable of it."""
        self._log.add(call)
        answer = self._answer
        if self._answers is not None:
            count = len(self._log.calls)
            if count >= len(self._answers):
                return MockError(
                    f"{self!r} has {len(self._answers)} answers, but this is request {count + 1}"
                )
            answer = self._answers[count]
        if callable(answer):
            return answer(call.request, **accepted_arguments(answer, {"route": self}, {}))
        return answer

    def complete(self, answer: Any, call: Call) -> Any:
        """Make a response of the answer to a call.

        Raises:
            TypeError: it is not an answer.
        """
        if isinstance(answer, BaseException):
            raise as_exception_of(library_of(call.request), answer, call.request)
        if isinstance(answer, MockError):
            return library_of(call.request).Response(answer.status, text=answer.message)
        if answer is None:
            return library_of(call.request).Response(200)
        if not is_response(answer):
            raise TypeError(f"{self!r} answers with a response of httpx or httpx2, not {describe(answer)}")
        return answer

    def _answer_with(self, answer: Any) -> None:
        if not (callable(answer) or is_response(answer) or isinstance(answer, BaseException)):
            raise TypeError(f"{self!r} answers with a response of httpx or httpx2, not {describe(answer)}")
        self._answer, self._answers = answer, None

    def _answer_in_turn(self, answers: Iterable[Any]) -> None:
        self._answers = list(answers)


def _exception(effect: Any) -> Any:
    """An exception if this is an exception class, else the same object."""
    if not (isinstance(effect, type) and issubclass(effect, BaseException)):
        return effect
    required = [
        each
        for each in inspect.signature(effect).parameters.values()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    return effect("mocked") if required else effect()


def _url(url: str) -> str:
    """A URL with the path that it has in a request."""
    return url + "/" if re.fullmatch(r"https?://[^/?#]+", url) else url

"""What all endpoints share: the interface, ids, words, token counts and errors."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from ssejet._core import encode
from ssejet.testing._answers import MockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ssejet._core import ServerSentEvent
    from ssejet.testing._store import StateStore

__all__ = [
    "Asked",
    "Endpoint",
    "Event",
    "RefusedError",
    "StatelessEndpoint",
    "anthropic_error",
    "count_tokens",
    "integer",
    "invalid",
    "new_id",
    "openai_error",
    "pieces",
    "text_of_json",
    "unknown_field",
]

_numbers = count(1)
_piece = re.compile(r"\s*\S+|\s+$")

# The fields of requests and answers whose texts have tokens.
_TEXT_FIELDS = (
    "system", "instructions", "messages", "message", "prompt", "reasoning_content", "reasoning", "summary",
    "content", "text", "thinking", "refusal", "tool_calls", "function_call", "function", "custom", "name",
    "arguments", "input", "output",
)  # fmt: skip

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Event:
    """An item of a stream with an event type."""

    def __init__(self, event: str, data: dict[str, Any]) -> None:
        self.event = event
        self.data = data


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        body: the JSON object of the body, or the fields of the form; empty if there is no body.
        files: the uploaded files of a form: the names of the fields, the files' names and contents.
        path: the path parameters, such as ``thread_id``.
        query: the query parameters.
        store: the objects that the mock keeps.
    """

    body: dict[str, Any]
    files: list[tuple[str, str, bytes]]
    path: dict[str, str]
    query: dict[str, str]
    store: StateStore

    @property
    def streams(self) -> bool:
        """Whether the request asks for a stream: in its body, in a form, or in its query."""
        return self.body.get("stream") in (True, "true") or self.query.get("stream") == "true"


class RefusedError(Exception):
    """The endpoint refuses a request, as the API does: with this error."""

    def __init__(self, error: MockError) -> None:
        super().__init__(error.message)
        self.error = error


class Endpoint(ABC):
    """One endpoint: how it makes an answer of what a test sets, and cuts the answer into a stream.

    Attributes:
        name: its method in the SDK.
        method: its HTTP method.
        path: its path below the base URL. ``{thread_id}`` is a path parameter without a slash, and
            ``{model:path}`` one that may have slashes.
        has_default: whether it answers if a test sets nothing.
        creates: whether it creates something, for mocks that answer such requests with the status 201.
        takes_bytes: whether a test may set bytes as its answer.
        always_streams: whether it streams even if a request does not say so.
        done: the sentinel of its streams.
        names_events: whether its events have types.
        ping: what keeps a connection open: an item, or the bytes of a comment.
    """

    name: str
    path: str
    method: str = "POST"
    has_default: bool = False
    creates: bool = False
    takes_bytes: bool = False
    always_streams: bool = False
    done: str | ServerSentEvent | None = "[DONE]"
    names_events = False
    ping: Any = encode(None, comment="ping")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of its paths. Path parameters are groups."""
        pattern = re.escape(self.path).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", pattern)
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))

    @abstractmethod
    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The full answer: an object, or bytes for a file.

        Args:
            given: what the test sets: a text, bytes, or fields of the answer; None if it sets nothing.
            asked: the request.

        Raises:
            RefusedError: the API would answer with an error.
        """

    def events(self, answer: Any, asked: Asked) -> Iterable[Any]:
        """The items of the stream of an answer.

        Raises:
            TypeError: the endpoint never streams.
        """
        raise TypeError(f"the API does not stream mock.{self.name}: leave stream out")

    def error_body(self, error: MockError) -> dict[str, Any]:
        """The body of a response with an error status."""
        return openai_error(error)

    def stream_error(self, error: MockError, number: int) -> Any:
        """The item of a stream that reports an error.

        Args:
            error: the error.
            number: how many items come before it.
        """
        return self.error_body(error)


class StatelessEndpoint(Endpoint):
    """An endpoint whose answer depends only on the request's body.

    Attributes:
        fields: the fields that an answer may have, to find misspelled ones. Providers add other fields, so
            only a name that is similar to one of these is an error.
    """

    fields: tuple[str, ...] = ()

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The full answer."""
        fields = self.from_text(given) if isinstance(given, str) else {} if given is None else given
        if not isinstance(fields, dict):
            raise TypeError(f"mock.{self.name} answers with an object, not with bytes")
        for name in fields:
            if name not in self.fields and get_close_matches(name, self.fields, 1, 0.8):
                raise unknown_field(name, self.fields)
        return self.complete(fields, asked.body)

    def events(self, answer: Any, asked: Asked) -> Iterable[Any]:
        """The items of the stream of an answer."""
        return self.stream(answer, asked.body)

    def from_text(self, text: str) -> dict[str, Any]:
        """The fields of an answer with this text.

        Raises:
            TypeError: the endpoint's answers have no text.
        """
        raise TypeError(f"mock.{self.name} answers with fields, not with a text")

    @abstractmethod
    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer."""

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterable[Any]:
        """Cut an answer into the items of a stream.

        Raises:
            TypeError: the endpoint never streams.
        """
        raise TypeError(f"the API does not stream mock.{self.name}: leave stream out")


def unknown_field(name: str, known: Iterable[str]) -> TypeError:
    """The error for a field that answers do not have, with the similar name if there is one."""
    known = sorted(known)
    similar = get_close_matches(name, known, 1)
    advice = f"did you mean {similar[0]!r}?" if similar else f"it has {', '.join(known)}"
    return TypeError(f"the answer has no field {name!r}: {advice}")


def invalid(param: str, reason: str, code: str) -> RefusedError:
    """The error for a parameter that the API does not take."""
    return RefusedError(MockError(f"Invalid '{param}': {reason}.", status=400, param=param, code=code))


def integer(query: Mapping[str, str], name: str, default: int) -> int:
    """A parameter of a query.

    Raises:
        RefusedError: it is no integer.
    """
    text = query.get(name, f"{default}")
    if not re.fullmatch("-?[0-9]{1,18}", text):
        raise invalid(name, f"expected an integer, but got {text!r} instead", "invalid_type")
    return int(text)


def openai_error(error: MockError) -> dict[str, Any]:
    """An error as OpenAI's servers report it."""
    if error.status == 429:
        kind = "rate_limit_error"
    else:
        kind = "invalid_request_error" if error.status < 500 else "server_error"
    fields = {"type": error.type or kind, "param": error.param, "code": error.code}
    return {"error": {"message": error.message, **fields}}


def anthropic_error(error: MockError) -> dict[str, Any]:
    """An error as Anthropic's servers report it."""
    default = "invalid_request_error" if error.status < 500 else "api_error"
    kind = error.type or _ANTHROPIC_TYPES.get(error.status, default)
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def new_id(prefix: str) -> str:
    """An id that is unique in this process."""
    return f"{prefix}mock{next(_numbers)}"


def pieces(text: str) -> list[str]:
    """Cut a text into words, each with the space before it."""
    return _piece.findall(text)


def text_of_json(value: Any) -> str:
    """A text, or the JSON of anything else."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def count_tokens(value: Any) -> int:
    """How many tokens a request or an answer has: each word is one."""
    return sum(len(pieces(text)) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, dict):
        for name in _TEXT_FIELDS:
            member = value.get(name)
            is_json = name in ("arguments", "input") and isinstance(member, dict)
            yield from _texts(text_of_json(member) if is_json else member)

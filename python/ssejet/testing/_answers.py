"""The answers that a route can give, with errors and faulty streams in the provider's format."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any

from ssejet._pydantic import model_fields
from ssejet.emit import AsyncEventStream, EventStream
from ssejet.testing._http_responses import is_response

if TYPE_CHECKING:
    from random import Random

    from ssejet.emit import Failure

__all__ = ["KINDS", "MockError", "StreamedAnswer", "describe", "has_fields", "is_answer"]

KINDS = (
    "a string, a dict or model with the answer's fields, an EventStream, a StreamedAnswer, a MockError, an "
    "httpx or httpx2 response, an exception, or a function that returns one of these"
)


@dataclass(frozen=True)
class MockError:
    """An error from the API, in the provider's format.

    As a route's response, it is an HTTP error with a body. In a ``StreamedAnswer``, it is an event.

    Args:
        message: the text of the error.
        status: the HTTP status, from 400 to 599; not sent inside a stream.
        type: the provider's error type; by default the one for the status.
        code: the provider's error code, for providers with codes.
        param: the name of the wrong parameter, for providers that report it.
        headers: more response headers, such as ``{"retry-after": "1"}``.
    """

    message: str
    status: int = 500
    type: str | None = None
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError(f"status must be from 400 to 599, not {self.status!r}")


@dataclass(frozen=True)
class StreamedAnswer:
    """An answer whose stream has an error, pings, cuts or a broken connection.

    A request without ``stream`` gets the error, if you give one, else the answer.

    Args:
        answer: the answer: a string, or a dict or model with its fields.
        error: the error that ends the stream, or only its message.
        after: the number of events before the error; None for half of the events.
        ping_every: the number of events between two pings; 0 for no pings. Anthropic's pings are events,
            OpenAI's are comments.
        cut: the size in bytes of the pieces that the stream is sent in; see ``EventStream``.
        fail_after: when the connection breaks; see ``EventStream``.
    """

    answer: Any
    error: MockError | str | None = None
    after: int | None = None
    ping_every: int = 0
    cut: int | Random | None = None
    fail_after: int | Failure | None = None

    def __post_init__(self) -> None:
        if self.error is not None and not isinstance(self.error, (MockError, str)):
            raise TypeError(f"error must be a MockError or a message, not {type(self.error).__name__}")
        if self.after is not None and (self.error is None or self.after < 0):
            raise ValueError(
                "after is the number of events before the error: set error, and after to 0 or more"
            )
        if self.ping_every < 0:
            raise ValueError(f"ping_every must be 0 or more, not {self.ping_every!r}")


def is_answer(answer: Any) -> bool:
    """Whether a value is one of ``KINDS`` and not a function."""
    kinds = (EventStream, AsyncEventStream, StreamedAnswer, MockError, BaseException)
    return isinstance(answer, kinds) or is_response(answer) or has_fields(answer)


def has_fields(answer: Any) -> bool:
    """Whether a value can fill the fields of an answer: a string, a dict or a model."""
    if isinstance(answer, (str, Mapping)):
        return True
    cls = type(answer)
    is_model = model_fields(cls) is not None or hasattr(cls, "__struct_fields__") or is_dataclass(cls)
    return is_model and not isinstance(answer, (StreamedAnswer, MockError))


def describe(value: Any) -> str:
    """Describe a wrong value for an error message, with advice if possible."""
    if isinstance(value, type):
        return f"the class {value.__name__}: create an instance of it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "a generator: wrap it in an EventStream or AsyncEventStream"
    if value is None:
        return "None"
    return (
        f"{value!r:.40} ({type(value).__name__})" if isinstance(value, (int, bytes)) else type(value).__name__
    )

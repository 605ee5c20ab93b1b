"""What a route may answer; errors and disturbed streams look as the provider sends them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any

from ssejet.emit import AsyncEventStream, EventStream
from ssejet.testing._http_responses import is_response

if TYPE_CHECKING:
    from random import Random

    from ssejet.emit import Failure

__all__ = ["KINDS", "MockError", "StreamedAnswer", "described", "has_fields", "is_answer"]

KINDS = (
    "a text, a dict or model with the answer's fields, an EventStream, a StreamedAnswer, a MockError, a "
    "response of httpx or httpx2, an exception, or a function that returns one of these"
)


@dataclass(frozen=True)
class MockError:
    """An error that the API reports, in the provider's form.

    As a route's response it is an HTTP error status with a body; in a ``StreamedAnswer`` it is an event.

    Args:
        message: the text of the error.
        status: the HTTP status. An error inside a stream has none.
        type: the provider's type of error; by default that of the status.
        code: the provider's code, if it has codes.
        param: the wrong parameter, if the provider names it.
        headers: other headers, such as ``{"retry-after": "1"}``.
    """

    message: str
    status: int = 500
    type: str | None = None
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError(f"the status of an error is between 400 and 599, not {self.status!r}")


@dataclass(frozen=True)
class StreamedAnswer:
    """An answer whose stream has an error, pings or cuts.

    A request without ``stream`` gets the error, if there is one, else the answer.

    Args:
        answer: any other answer that a route takes: a text, or its fields.
        error: an error that the server sends inside the stream, which then ends; or the error's message.
        after: how many events come before the error; None for half of them.
        ping_every: how many events come between two pings, which look as the provider sends them: Anthropic's
            are events, OpenAI's are comments; 0 for no pings.
        cut: the size of the pieces in bytes; see ``EventStream``.
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
            raise TypeError(f"error is a MockError or its message, not {type(self.error).__name__}")
        if self.after is not None and (self.error is None or self.after < 0):
            raise ValueError("after is the number of events, 0 or more, before an error: give an error too")
        if self.ping_every < 0:
            raise ValueError(f"ping_every is a number of events, 0 or more; got {self.ping_every!r}")


def is_answer(answer: Any) -> bool:
    """Whether this is one of ``KINDS``, other than a function."""
    kinds = (EventStream, AsyncEventStream, StreamedAnswer, MockError, BaseException)
    return isinstance(answer, kinds) or is_response(answer) or has_fields(answer)


def has_fields(answer: Any) -> bool:
    """Whether this is a text, or has the fields of an answer."""
    if isinstance(answer, (str, Mapping)):
        return True
    cls = type(answer)
    is_model = hasattr(cls, "model_fields") or hasattr(cls, "__struct_fields__") or is_dataclass(cls)
    return is_model and not isinstance(answer, (StreamedAnswer, MockError))


def described(value: Any) -> str:
    """What an error calls a value that is not an answer, with advice if there is some."""
    if isinstance(value, type):
        return f"the class {value.__name__}: make an instance of it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "a generator: wrap it in an EventStream or AsyncEventStream"
    if value is None:
        return "None"
    return (
        f"{value!r:.40} ({type(value).__name__})" if isinstance(value, (int, bytes)) else type(value).__name__
    )

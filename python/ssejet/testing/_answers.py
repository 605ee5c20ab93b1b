"""Answers that a provider's mock renders in its own way: errors, and streams that are disturbed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from ssejet.emit import Failure

__all__ = ["MockError", "StreamedAnswer"]


@dataclass(frozen=True)
class MockError:
    """An error that the API reports, in the provider's own shape.

    As a route's response it is an HTTP status with a body; in a ``StreamedAnswer`` it is an event.

    Args:
        message: what it says.
        status: the HTTP status, if it comes before a stream.
        type: the provider's type of error; by default the one that belongs to the status.
        code: the provider's code, where it has codes.
        param: the parameter that is wrong, where the provider names it.
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
    """An answer whose stream is disturbed.

    A request that asks for no stream gets the error, if there is one, else the answer.

    Args:
        answer: any other answer that a route takes: a text, or its fields.
        error: an error that the server sends inside the stream, which then ends; a text is its message.
        after: how many events come before the error; None for half of those that there are.
        ping_every: after each so many events comes a ping, as the provider sends it: an event of Anthropic's,
            a comment of OpenAI's; 0 for none.
        cut: the size of the pieces in bytes; see ``EventStream``.
        fail_after: where the connection breaks; see ``EventStream``.
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

"""What all endpoints share: the interface, ids, words, token counts and errors."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any

from ssejet._core import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet.testing._answers import MockError

__all__ = [
    "Endpoint",
    "Event",
    "anthropic_error",
    "count_tokens",
    "new_id",
    "openai_error",
    "pieces",
    "text_of_json",
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


class Endpoint(ABC):
    """One endpoint: how it completes an answer, and cuts it into a stream.

    Attributes:
        name: its method in the SDK.
        path: its path below the base URL.
        done: the sentinel of its streams.
        names_events: whether its events have types.
        ping: what keeps a connection open: an item, or the bytes of a comment.
    """

    name: str
    path: str
    done: str | None = "[DONE]"
    names_events = False
    ping: Any = encode(None, comment="ping")

    @abstractmethod
    def from_text(self, text: str) -> dict[str, Any]:
        """The fields of an answer with this text."""

    @abstractmethod
    def defaults(self, body: dict[str, Any]) -> dict[str, Any]:
        """The fields that each answer to this request body has."""

    @abstractmethod
    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer."""

    @abstractmethod
    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """Cut an answer into the items of a stream."""

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

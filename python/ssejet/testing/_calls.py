"""The requests to a mock, and its answers."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ssejet._json import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssejet._http_types import HTTPRequest, HTTPResponse

__all__ = ["Call", "CallLog", "answering"]


@dataclass(eq=False)
class Call:
    """One request and its answer.

    Attributes:
        request: the request, an object of the client's library. Its body has been read.
        response: the response, of the same library; None before the mock answers.
    """

    request: HTTPRequest
    response: HTTPResponse | None = None

    @property
    def json(self) -> Any:
        """The request's body, decoded.

        Raises:
            json.JSONDecodeError: it is not JSON.
        """
        return loads(self.request.content)

    @property
    def closed(self) -> bool:
        """Whether the client has read the whole answer, or closed it."""
        return self.response is not None and bool(self.response.is_closed)


class CallLog:
    """Calls in the order in which they came, from any thread or task."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = Lock()

    def add(self, call: Call) -> None:
        """Add a call."""
        with self._lock:
            self._calls.append(call)

    @property
    def calls(self) -> list[Call]:
        """All calls. Inside a response function: those before the call that it answers."""
        current = _current.get()
        if current is None:
            return self._calls
        with self._lock:
            return self._calls[: self._calls.index(current)] if current in self._calls else self._calls


_current: ContextVar[Call | None] = ContextVar("ssejet_mock_call", default=None)


@contextmanager
def answering(call: Call) -> Iterator[None]:
    """Make this the call that is being answered, in this thread or task only."""
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)

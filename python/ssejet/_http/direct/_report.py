"""Tells whether a response is read directly, and if not why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ssejet._http.direct._httpcore import Connection, Kind, find, is_read_directly

__all__ = ["DirectReading", "direct_reading"]


@dataclass(frozen=True)
class DirectReading:
    """Whether a response is read directly from its socket. It is true if so, and prints as a sentence.

    Attributes:
        possible: whether it is.
        reason: why not; empty if it is.
    """

    possible: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.possible

    def __str__(self) -> str:
        return "read directly from the socket" if self.possible else f"read the ordinary way: {self.reason}"


def direct_reading(response: Any) -> DirectReading:
    """Tell whether the body of a response is read directly from its socket, now or when its reading begins.

    ::

        with client.stream("GET", url) as response:
            print(ssejet.direct_reading(response))  # read the ordinary way: the response came over HTTP/2

    Args:
        response: a response of any HTTP library.
    """
    if is_read_directly(response):
        return DirectReading(possible=True)
    kind: Kind = "async" if hasattr(getattr(response, "stream", None), "__aiter__") else "sync"
    found = find(response, kind)
    return DirectReading(possible=False, reason=found) if isinstance(found, str) else _report(found, kind)


def _report(connection: Connection, kind: Kind) -> DirectReading:
    if kind == "sync":
        from ssejet._http.direct._sync import unsupported
    else:
        from ssejet._http.direct._asyncio import unsupported
    reason = unsupported(connection)
    return DirectReading(possible=not reason, reason=reason or "")

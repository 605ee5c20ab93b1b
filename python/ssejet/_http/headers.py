"""Headers of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._media_type import EVENT_STREAM

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCEPT_ANSWER",
    "EVENT_STREAM_HEADERS",
    "UNSTORED_EVENT_STREAM_HEADERS",
    "names_of",
    "with_default_headers",
]

EVENT_STREAM_HEADERS: Mapping[str, str] = {"Accept": EVENT_STREAM, "Cache-Control": "no-cache"}
"""What a browser's ``EventSource`` sends."""

UNSTORED_EVENT_STREAM_HEADERS: Mapping[str, str] = {"Accept": EVENT_STREAM, "Cache-Control": "no-store"}
"""What the ``connect_sse`` of httpx-sse sends."""

ACCEPT_ANSWER: Mapping[bool, str] = {True: f"{EVENT_STREAM}, application/json", False: "application/json"}
"""``Accept`` of a request to an API, by whether it asks for a stream. An error always comes as JSON."""


def with_default_headers(headers: Any, defaults: Mapping[str, str]) -> list[tuple[Any, Any]]:
    """Copy headers of any form that httpx takes, and add the defaults that are missing."""
    if headers is None:
        given = []
    elif hasattr(headers, "raw"):  # httpx's own class, which may have several values for a name
        given = list(headers.raw)
    else:
        given = list(headers.items() if hasattr(headers, "items") else headers)
    names = names_of(given)
    return [(name, value) for name, value in defaults.items() if name.lower() not in names] + given


def names_of(headers: list[tuple[Any, Any]]) -> set[str]:
    """The names of headers, in lower case."""
    return {(name.decode("latin-1") if isinstance(name, bytes) else name).lower() for name, _ in headers}

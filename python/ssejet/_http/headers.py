"""Headers of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["names_of", "with_default_headers"]


def with_default_headers(headers: Any, defaults: Mapping[str, str]) -> list[tuple[Any, Any]]:
    """A copy of headers in any form that httpx takes, with the defaults where they are missing."""
    if headers is None:
        given = []
    elif hasattr(headers, "raw"):  # httpx's own, which may have several values for a name
        given = list(headers.raw)
    else:
        given = list(headers.items() if hasattr(headers, "items") else headers)
    names = names_of(given)
    return [(name, value) for name, value in defaults.items() if name.lower() not in names] + given


def names_of(headers: list[tuple[Any, Any]]) -> set[str]:
    """The headers' names in lower case."""
    return {(name.decode("latin-1") if isinstance(name, bytes) else name).lower() for name, _ in headers}

"""Keeping keys out of errors: some servers quote the one that they refuse."""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["redacted"]

_T = TypeVar("_T")

# Where requests carry keys: those of OpenAI and its kin, of Azure, of Anthropic.
_HEADERS = ("authorization", "api-key", "x-api-key")

# Shorter keys are no secrets, but words that servers without keys are given, such as "none".
_SHORTEST_SECRET = 8


def redacted(value: _T, request: Any) -> _T:
    """What a server said, without the keys of the request that it answered.

    Args:
        value: text, decoded JSON, or a body.
        request: of httpx or httpx2; others, and None, have no keys that are known here.
    """
    headers = getattr(request, "headers", None) or {}
    for name in _HEADERS:
        key = str(headers.get(name, "")).rpartition(" ")[2]  # after the scheme
        if len(key) >= _SHORTEST_SECRET:
            try:
                value = _hide(key, value)
            except RecursionError:
                # Nobody reads what is nested so deep, but it may hold the key.
                hidden: Any = "***"
                return hidden  # type: ignore[no-any-return]
    return value


def _hide(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if isinstance(value, bytes):
        return value.replace(key.encode(), b"***")
    if isinstance(value, dict):
        return {_hide(key, name): _hide(key, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_hide(key, each) for each in value]
    return value

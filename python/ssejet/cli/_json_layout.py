"""Formats JSON for reading: what fits stays on one line, and every value looks as it was sent."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["layout"]


class _Literal(str):
    """A number or constant as it was sent: ``1.0``, ``1e400`` and ``NaN`` do not change."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """An object's members, including repeated keys."""

    __slots__ = ()


def layout(text: str, width: int) -> str | None:
    """Format a JSON text in lines of about ``width`` characters.

    Returns:
        The formatted text, or None if ``text`` is not JSON.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_Members,
            parse_int=_Literal,
            parse_float=_Literal,
            parse_constant=_Literal,
        )
        return _fold(value, width, margin="", lead=0)
    except (ValueError, RecursionError):
        return None


def _fold(value: Any, width: int, *, margin: str, lead: int) -> str:
    """Format ``value``, which starts ``lead`` characters after the ``margin``."""
    flat = _flat(value)
    if len(margin) + lead + len(flat) <= width or not value or not isinstance(value, list):
        return flat
    deeper = margin + "  "
    if isinstance(value, _Members):
        keys = [f"{_scalar(key)}: " for key, _ in value]
        lines = [
            key + _fold(member, width, margin=deeper, lead=len(key))
            for key, (_, member) in zip(keys, value, strict=True)
        ]
        opening, closing = "{", "}"
    else:
        lines = [_fold(member, width, margin=deeper, lead=0) for member in value]
        opening, closing = "[", "]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(lines) + f"\n{margin}{closing}"


def _flat(value: Any) -> str:
    if isinstance(value, _Members):
        return "{" + ", ".join(f"{_scalar(key)}: {_flat(member)}" for key, member in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return _scalar(value)


def _scalar(value: str | bool | None) -> str:
    return value if isinstance(value, _Literal) else json.dumps(value, ensure_ascii=False)

"""Copies decoded JSON, and checks how deep it is nested."""

from __future__ import annotations

from typing import Any

__all__ = ["MAX_DEPTH", "copy_json", "is_too_deep"]


def copy_json(value: Any) -> Any:
    """Copy decoded JSON."""
    if isinstance(value, dict):
        return {
            name: copy_json(each) if isinstance(each, (dict, list)) else each for name, each in value.items()
        }
    return [copy_json(each) for each in value] if isinstance(value, list) else value


# How deep answers may be nested. Python's functions for copies and JSON reach their limit at about 1,000.
MAX_DEPTH = 200


def is_too_deep(value: Any) -> bool:
    """Whether decoded JSON is nested too deep to be copied and written again."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True

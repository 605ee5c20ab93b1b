"""Parses JSON texts that grow piece by piece, with the values that jiter gives in its partial mode."""

from __future__ import annotations

import re

from jiter import from_json

from ssejet._core import GrowingJSON

__all__ = ["growing_json"]

# What a string consists of. The second half of a surrogate pair belongs to the first.
_match_units = re.compile(
    r"(?:[^\\]+|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})*"
).match


def growing_json() -> GrowingJSON:
    """Make an empty text."""
    return GrowingJSON(from_json, _check_escapes)


def _check_escapes(text: str) -> int:
    """Check the beginning of a string, and give the length of its finished escapes, in bytes of UTF-8."""
    from_json(f'["{text}'.encode(), partial_mode=True)
    units = _match_units(text)
    return len(text[: units.end()].encode()) if units else 0

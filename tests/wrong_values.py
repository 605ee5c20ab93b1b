"""Changes a JSON value in each of its places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WRONG = [None, True, 0, 5, 1.5, 2**70, "", "5", "x", [], [None], [{}], {}, {"a": 1}, {"error": 1}]


def changed(value: Any) -> Iterator[Any]:
    """Copies of a value, with another value, another key, one more or one less in each place."""
    yield from WRONG
    if isinstance(value, dict):
        yield {**value, "unknown": {"a": [1]}}
        for key, member in value.items():
            rest = {other: kept for other, kept in value.items() if other != key}
            yield rest
            yield {**rest, re.sub("([A-Z])", lambda match: f"_{match[1].lower()}", key): member}
            yield {**value, key.upper(): member}
            yield from ({**value, key: other} for other in changed(member))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in changed(item))

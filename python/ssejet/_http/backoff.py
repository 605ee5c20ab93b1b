"""How long to wait before trying again."""

from __future__ import annotations

import re
from random import uniform
from typing import Any

__all__ = ["backoff", "retry_after"]

# Where growth starts when the first wait is none at all: seconds. That is about the longest first wait then,
# lest a server that asks for none, and breaks off each time, be asked thousands of times a second.
_LEAST_UNIT = 0.1

# How far the first attempts after a break are spread: a server that restarts has broken with all its clients
# at once.
_SPREAD = 1.1

# Every bound is passed by then, and floats have an end.
_MOST_DOUBLINGS = 64


def backoff(failures: int, *, unit: float, longest: float) -> float:
    """Seconds to wait before the next attempt: at random, from ``unit`` to a bound that doubles.

    Args:
        failures: attempts in a row that have failed.
        unit: the least to wait, in seconds.
        longest: where the bound stops growing, in seconds.
    """
    growth = 2.0 ** min(failures, _MOST_DOUBLINGS) if failures else _SPREAD
    bound = min(max(unit, _LEAST_UNIT) * growth, longest)
    return uniform(unit, max(unit, bound))


def retry_after(headers: Any) -> float | None:
    """Seconds that a response asks to wait, or None.

    Understood are ``Retry-After`` (RFC 9110, 10.2.3), in seconds or as a date, and OpenAI's
    ``retry-after-ms``.

    Args:
        headers: a mapping of header names to values.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return _seconds_until(value) if seconds is None and value is not None else seconds


# `float()` alone would also take underscores, digits of other scripts, exponents and "nan".
_is_number = re.compile(r"\s*[0-9]+(\.[0-9]*)?\s*", re.ASCII).fullmatch


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and _is_number(value) else None


def _seconds_until(date: str) -> float | None:
    from datetime import datetime, timezone
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return None
    # RFC 9110 has dates in GMT only, but some servers leave the zone out.
    then = then if then.tzinfo else then.replace(tzinfo=timezone.utc)
    return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())

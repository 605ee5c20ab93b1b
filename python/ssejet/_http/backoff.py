"""How long to wait before trying again."""

from __future__ import annotations

import re
from random import uniform
from typing import Any

__all__ = ["backoff", "retry_after"]

# The unit in seconds from which waits grow if the caller's is shorter. Otherwise a server that asks for no
# wait, and closes each connection at once, would get thousands of requests a second.
_MIN_UNIT = 0.1

# How far the first attempts are spread, as a factor: a server that restarts loses all its clients at once.
_SPREAD = 1.1

# After so many doublings every bound is reached. More would overflow a float.
_MAX_DOUBLINGS = 64


def backoff(failures: int, *, unit: float, longest: float) -> float:
    """Seconds to wait before the next attempt: a random number between ``unit`` and a bound that doubles.

    Args:
        failures: how many attempts in a row have failed.
        unit: the shortest wait, in seconds.
        longest: the largest bound, in seconds.
    """
    growth = 2.0 ** min(failures, _MAX_DOUBLINGS) if failures else _SPREAD
    bound = min(max(unit, _MIN_UNIT) * growth, longest)
    return uniform(unit, max(unit, bound))


def retry_after(headers: Any) -> float | None:
    """Seconds that a response asks the client to wait, or None.

    This reads ``Retry-After`` (RFC 9110, 10.2.3), in seconds or as a date, and OpenAI's ``retry-after-ms``.

    Args:
        headers: a mapping of header names to values.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return _seconds_until(value) if seconds is None and value is not None else seconds


# `float()` alone would also accept underscores, digits of other scripts, exponents and "nan".
_NUMBER = r"(?a)\s*[0-9]+(\.[0-9]*)?\s*"


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and re.fullmatch(_NUMBER, value) else None


def _seconds_until(date: str) -> float | None:
    from datetime import datetime, timezone
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return None
    # The dates of RFC 9110 are in GMT; some servers leave the zone out.
    then = then if then.tzinfo else then.replace(tzinfo=timezone.utc)
    return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())

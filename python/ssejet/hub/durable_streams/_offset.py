"""Positions in a stream as clients get them, and the cursors that keep caches from repeating an answer."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from ssejet.hub.durable_streams._exchange import refuse

__all__ = ["START", "TAIL", "Offset", "next_cursor", "parse_offset"]

_OFFSET = re.compile(r"([0-9]{16})_([0-9a-f]{1,32})", re.ASCII)
_CURSOR = re.compile(r"[0-9]{1,15}", re.ASCII)

# The protocol counts intervals from this time on: 2024-10-09, 00:00 UTC.
_FIRST_INTERVAL = 1_728_432_000
_INTERVAL = 20
_LARGEST_STEP = 3600


class Offset(NamedTuple):
    """A position in a stream.

    Attributes:
        position: the number of messages before it, with those that were dropped.
        incarnation: names the log. A stream that is deleted and made again gets another one.
    """

    position: int
    incarnation: str

    def __str__(self) -> str:
        return f"{self.position:016d}_{self.incarnation}"


START = Offset(0, "")
"""The beginning of a stream, whatever its name."""

TAIL = Offset(-1, "")
"""The end of a stream at the time of the request."""


def parse_offset(text: str) -> Offset:
    """Read an offset that a client sent.

    Raises:
        RequestError: it is none.
    """
    if text == "-1":
        return START
    if text == "now":
        return TAIL
    match = _OFFSET.fullmatch(text)
    if match is None:
        refuse(400, "invalid-offset", "offset must be -1, now, or a Stream-Next-Offset of this server")
    return Offset(int(match[1]), match[2])


def next_cursor(given: str, now: float) -> str:
    """Return the cursor of an answer.

    Args:
        given: the cursor of the client; ``""`` for none.
        now: the time, in seconds since 1970.
    """
    interval = int(now - _FIRST_INTERVAL) // _INTERVAL
    if _CURSOR.fullmatch(given) and int(given) >= interval:
        return str(int(given) + random.randint(1, _LARGEST_STEP))
    return str(interval)

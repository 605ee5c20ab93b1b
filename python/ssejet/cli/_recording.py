"""Reads recorded streams and plays them at their recorded pace.

A recording is an ordinary event stream. A comment ``: @1.234`` before an event is its time, in seconds since
the request; the comment itself is not sent.
"""

from __future__ import annotations

import asyncio
import re
import time
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

__all__ = ["Frame", "load", "load_bytes", "parse", "replay"]

_STAMP = re.compile(rb"^: @(\d+(?:\.\d+)?)\n", re.MULTILINE)


class Frame(NamedTuple):
    """The data of one write of the server, ``at`` seconds after the request."""

    at: float
    data: bytes


def load(name: str) -> list[Frame]:
    """Load a recording that comes with the package."""
    return parse(load_bytes(name))


def load_bytes(name: str) -> bytes:
    """Load the bytes of a recording that comes with the package, with its time stamps."""
    return files("ssejet.cli").joinpath("recordings", f"{name}.sse").read_bytes()


def parse(recording: bytes) -> list[Frame]:
    """Split a recording at its time stamps; data before the first one has time 0."""
    head, *rest = _STAMP.split(recording)
    frames = [Frame(float(at), data) for at, data in zip(rest[::2], rest[1::2], strict=True)]
    return [Frame(0.0, head), *frames] if head else frames


async def replay(frames: Sequence[Frame], *, pace: float = 1.0) -> AsyncGenerator[bytes, None]:
    """Yield each frame at its time, ``pace`` times as fast as recorded; ``inf`` never waits."""
    start = time.monotonic()
    for frame in frames:
        # Measured from the start, so that delays of the loop do not add up.
        await asyncio.sleep(max(0.0, frame.at / pace - (time.monotonic() - start)))
        yield frame.data

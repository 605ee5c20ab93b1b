"""Playbacks that tell a test who listens."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssejet.cli._playback import Playback
from ssejet.cli._recording import Frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

NEVER = 1e6
GAP = 0.01


@dataclass(frozen=True)
class Watched(Playback):
    """Counts its listeners."""

    listeners: list[int] = field(default_factory=list)
    """Those that began, and those that left, as -1."""

    @property
    def listening(self) -> int:
        return sum(self.listeners)

    async def play(self, *, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        self.listeners.append(1)
        try:
            async with aclosing(super().play(after=after)) as playing:
                async for numbered in playing:
                    yield numbered
        finally:
            self.listeners.append(-1)


def chat(*words: str, ends: bool = True, gap: float = GAP) -> Watched:
    """A chat completion of these words, which ends, or falls silent after the last one."""
    frames = [
        # A browser drops what it has not handed out yet when the connection breaks.
        Frame(place * gap, _event({"choices": [{"delta": {"content": word}}]}))
        for place, word in enumerate(words)
    ]
    frames.append(Frame(len(words) * gap if ends else NEVER, b"data: [DONE]\n\n"))
    return Watched("test.sse", frames)


def anthropic(*words: str) -> Watched:
    """A message of these words, as Anthropic sends it."""
    start = b"event: message_start\n" + _event({"type": "message_start"})
    deltas = [
        b"event: content_block_delta\n" + _event({"type": "content_block_delta", "delta": {"text": word}})
        for word in words
    ]
    return Watched("test.sse", [Frame(0.0, data) for data in (start, *deltas)])


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"

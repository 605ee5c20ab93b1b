"""Answers that count, and what their followers get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ssejet import ServerSentEvent
    from ssejet.hub import AsyncHub


def numbers(until: int, pause: float = 0.0) -> Callable[[], AsyncIterator[int]]:
    """A source of numbers, with so many seconds before each."""

    async def source() -> AsyncIterator[int]:
        for number in range(until):
            await anyio.sleep(pause)
            yield number

    return source


async def everything(hub: AsyncHub, key: str, last_event_id: str = "") -> list[ServerSentEvent]:
    """What a follower gets, up to the end."""
    return [event async for event in hub.follow(key, last_event_id=last_event_id)]


async def data(hub: AsyncHub, key: str, last_event_id: str = "") -> list[str]:
    """The data of what a follower gets, up to the end."""
    return [event.data for event in await everything(hub, key, last_event_id)]


def counted(until: int) -> list[str]:
    """The data of all numbers and of the end."""
    return [*map(str, range(until)), '{"reason":"finished"}']

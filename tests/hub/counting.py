"""Answers that count, and what their followers get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ssejet import ServerSentEvent
    from ssejet.hub import AsyncHub

PAUSE = 0.005


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


class Answer:
    """An answer that counts until it is told to end, with a follower."""

    def __init__(self) -> None:
        self.events: list[ServerSentEvent] = []
        self._sent = 0
        self._is_over = False

    async def numbers(self) -> AsyncIterator[int]:
        """The source."""
        while not self._is_over:
            await anyio.sleep(PAUSE)
            self._sent += 1
            yield self._sent - 1

    async def follow(self, hub: AsyncHub) -> None:
        """Follow the answer of ``key``."""
        async for event in hub.follow("key"):
            self.events.append(event)

    async def wait_for(self, more: int) -> None:
        """Wait until the follower has got so many events that the source has not made yet."""
        number = self._sent + more
        while not any(event.data == str(number) for event in reversed(self.events)):  # noqa: ASYNC110
            await anyio.sleep(PAUSE)

    async def outlive_a_failover(
        self, hub: AsyncHub, other: AsyncHub, isolate: Callable[[], None], fail_over: Callable[[], None]
    ) -> None:
        """Have the answer made by a hub, and followed by another one, while a replica takes over.

        Args:
            hub: runs the producer.
            other: has the follower.
            isolate: lets the replica get nothing more.
            fail_over: lets it take the place of its server.
        """
        await hub.start("key", self.numbers)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.follow, other)
            await self.wait_for(20)
            isolate()
            await self.wait_for(20)
            fail_over()
            await self.wait_for(20)
            self.end()
        self.check()

    def end(self) -> None:
        """End the answer."""
        self._is_over = True

    def check(self) -> None:
        """What the follower got is continuous, except for gaps."""
        check_continuity(self.events, self._sent)


def check_continuity(events: list[ServerSentEvent], until: int) -> None:
    """Between gaps, numbers follow each other; a gap says when they do not. No id comes twice."""
    assert any(event.event == "gap" for event in events)
    assert events[-1].data == '{"reason":"finished"}'
    ids = [event.id for event in events if event.event != "gap"]
    assert len(set(ids)) == len(ids)
    previous: int | None = None
    for event in events[:-1]:
        if event.event == "gap":
            previous = None
        else:
            assert previous is None or int(event.data) == previous + 1
            previous = int(event.data)
    assert previous == until - 1

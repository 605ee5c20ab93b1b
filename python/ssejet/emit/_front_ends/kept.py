"""Answers for front ends that a hub keeps, so that pages can resume them."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable
    from typing import Protocol

    from ssejet import ServerSentEvent
    from ssejet.emit import AsyncEventStream
    from ssejet.emit.starlette import EventStreamResponse

    class KeepingHub(Protocol):
        """What is needed of ``ssejet.hub.AsyncHub``, which is built on this package."""

        async def start(self, key: str, source: Callable[[], Any]) -> bool:
            """Start the producer of a log."""

        async def stop(self, key: str) -> None:
            """Ask the producer to end."""

        async def delete(self, key: str) -> None:
            """Remove a log."""

        async def status(self, key: str) -> str:
            """Return the state of a log."""

        def follow(self, key: str) -> AsyncIterable[ServerSentEvent]:
            """Yield the events of a log."""


__all__ = ["clear", "event_response", "source_of"]

# In seconds, as for the responses of a hub.
_SEND_TIMEOUT = 30.0

# How many seconds a producer may take to stop, and how many pass between two looks at its log.
_STOPPING_TIME = 2.0
_POLL_INTERVAL = 0.02


def source_of(
    events: Callable[[], Any], convert: Callable[[Any], AsyncEventStream[Any]]
) -> Callable[[], Awaitable[AsyncEventStream[Any]]]:
    """Make the source of a log: the events of models, converted once for all followers.

    Args:
        events: returns the events, or an awaitable of them.
        convert: makes the stream in the front end's protocol.
    """
    if not callable(events):
        raise TypeError(
            f"events must be a function that returns the events, not {type(events).__name__}, because only "
            "the first of all callers asks the model: pass lambda: …"
        )

    async def source() -> AsyncEventStream[Any]:
        found = events()
        # Streams of SDKs can be awaited and iterated; a call that makes one can only be awaited.
        if isawaitable(found) and not hasattr(found, "__aiter__"):
            found = await found
        return convert(found)

    return source


async def clear(hub: KeepingHub, key: str) -> None:
    """Stop and delete a log, so that its key is free. Its followers see its end."""
    if await hub.status(key) == "live":
        await hub.stop(key)
        with anyio.move_on_after(_STOPPING_TIME):
            while await hub.status(key) == "live":  # noqa: ASYNC110 - the producer may be in another process
                await anyio.sleep(_POLL_INTERVAL)
    await hub.delete(key)


def event_response(stream: AsyncEventStream[Any], headers: dict[str, str]) -> EventStreamResponse:
    """Make the response of a follower. Its source is the log, so it may end whenever the client leaves."""
    from ssejet.emit.starlette import EventStreamResponse

    return EventStreamResponse(stream, headers=headers, send_timeout=_SEND_TIMEOUT)

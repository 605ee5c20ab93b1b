from typing import Literal, assert_type

from ssejet import ServerSentEvent
from ssejet.emit.starlette import EventStreamResponse
from ssejet.hub import AsyncHub, Hub


async def use_async(request: object) -> EventStreamResponse:
    async with AsyncHub("redis://localhost") as hub:
        assert_type(await hub.start("key", lambda: ["a"]), bool)
        assert_type(await hub.relay("key", object()), bool)
        assert_type(await hub.publish("key", {"a": 1}, event="x"), str)
        assert_type(await hub.status("key"), Literal["missing", "live", "finished", "abandoned"])
        async for event in hub.follow("key", last_event_id="id"):
            assert_type(event, ServerSentEvent)
        return hub.response("key", request, heartbeat=5.0)


def use_in_threads() -> None:
    with Hub() as hub:
        assert_type(hub.start("key", lambda: ["a"]), bool)
        assert_type(hub.publish("key", "a"), str)
        for event in hub.follow("key"):
            assert_type(event, ServerSentEvent)

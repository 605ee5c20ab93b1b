"""Event streams as responses of Starlette and Flask."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import assert_type

from ssejet import encode
from ssejet.emit import AsyncEventStream, EncodedEvent, EventStream, ag_ui, ai_sdk
from ssejet.emit.flask import event_stream_response
from ssejet.emit.sse_starlette import EventSourceResponse, ServerSentEvent
from ssejet.emit.starlette import EventStreamResponse, browser_module
from ssejet.hub import AsyncHub


@dataclass
class Tick:
    number: int


async def ticks() -> AsyncIterator[Tick]:
    yield Tick(1)


async def events() -> AsyncIterator[ServerSentEvent | dict[str, Any]]:
    yield ServerSentEvent("text", event="tick", id="1", retry=1000)
    yield {"data": "text", "event": "tick"}


async def send(request: Request) -> EventStreamResponse:
    if request.method == "POST":
        return EventStreamResponse(ticks(), heartbeat=5, send_timeout=30.0, on_shutdown=Tick(0))
    return EventStreamResponse([Tick(1), EncodedEvent(encode("text"))], 200, {"X-A": "b"}, done=None)


async def send_wrong(request: Request) -> Response:
    EventStreamResponse(ticks(), heart_beat=5)  # error: heart_beat
    EventStreamResponse(ticks(), heartbeat="5")  # error: heartbeat
    EventStreamResponse(Tick(1))  # error: Tick
    EncodedEvent("text")  # error: str|bytes
    return EventStreamResponse(ticks())


async def send_as_sse_starlette(request: Request) -> EventSourceResponse:
    response = EventSourceResponse(
        events(), ping=15, sep="\n", ping_message_factory=lambda: ServerSentEvent("p")
    )
    assert_type(response.ping_interval, int | float)
    EventSourceResponse(events(), pings=3)  # error: pings
    return response


async def send_to_front_ends(request: Request) -> EventStreamResponse:
    if request.method == "POST":
        run = ag_ui.astream(ticks(), thread_id="t", run_id="r")
        ag_ui.stream([])  # error: thread_id
        return EventStreamResponse(run)
    message: AsyncEventStream[Any] = ai_sdk.astream(ticks(), message_id="m", metadata={"user": 7})
    ai_sdk.stream([ai_sdk.ToolOutput("call_1", {"degrees": 7})], dynamic_tools=True)
    ai_sdk.stream([], dynamic=True)  # error: dynamic
    return EventStreamResponse(message, headers=ai_sdk.HEADERS)


routes = [Route("/send", send), Route("/sse", send_as_sse_starlette), Route("/ssejet.js", browser_module)]
app = Starlette(routes=routes)


def respond() -> flask.Response:
    return event_stream_response(map(Tick, range(3)), heartbeat=None)


def respond_wrong() -> flask.Response:
    return event_stream_response(ticks())  # error: AsyncIterator


def streams() -> Iterator[bytes]:
    assert_type(EventStream([1]), EventStream[int])
    assert_type(EventStream([Tick(1)], done=None, cut=3), EventStream[Tick])
    assert_type(AsyncEventStream(ticks()), AsyncEventStream[Tick])
    assert_type(AsyncEventStream([1]), AsyncEventStream[int])
    EventStream(ticks())  # error: AsyncIterator
    EventStream([1], on_error="ignore")  # error: ignore|on_error
    yield from EventStream([1])


class Greeting(EventStream[str]):
    def generate(self) -> Iterator[str]:
        yield "hello"


class WrongGreeting(EventStream[str]):
    def generate(self) -> Iterator[int]:  # error: generate
        yield 1


async def keep_for_front_ends(hub: AsyncHub, request: Request) -> None:
    run = await request.json()
    assert_type(await ai_sdk.answer(hub, "c", ticks, message_id="m", dynamic_tools=True), EventStreamResponse)
    assert_type(await ai_sdk.resume(hub, "c"), Response)
    assert_type(await ag_ui.answer(hub, "r", run, ticks, on_error="raise"), EventStreamResponse)
    await ai_sdk.answer(hub, "c", ticks())  # error: AsyncIterator|Callable
    await ai_sdk.answer(hub, "c", ticks, heartbeat=1.0)  # error: heartbeat
    await ag_ui.answer(hub, "r", events=ticks)  # error: run


async def iterate() -> None:
    async for piece in AsyncEventStream(ticks()):
        assert_type(piece, bytes)
    for piece in Greeting():
        assert_type(piece, bytes)

"""Event sources, subscriptions and relays."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
from typing_extensions import assert_type

import ssejet
from ssejet import (
    AsyncSubscription,
    Decoder,
    EventSource,
    ServerSentEvent,
    SSEError,
    StreamMetrics,
    Subscription,
    aconnect_sse,
    asubscribe,
    connect_sse,
    subscribe,
)
from ssejet.emit import AsyncEventStream, EventStream, arelay, relay, resume_headers


def source(client: httpx.Client, response: httpx.Response) -> Iterator[str]:
    events = EventSource(response, decoder=Decoder(last_event_id="7"))
    assert_type(events.response.status_code, int)
    assert_type(events.decoder.last_event_id, str)
    for event in events:
        assert_type(event, ServerSentEvent)
        match event:
            case ServerSentEvent(event="ping"):
                continue
            case ServerSentEvent(kind, data, id, retry):
                assert_type(kind, str | None)
                assert_type(data, str)
                assert_type(id, str | None)
                assert_type(retry, int | None)
                yield data
        event.type  # error: type
        event.data = "x"  # error: data
    with connect_sse(client, "GET", "http://127.0.0.1", headers={"A": "b"}) as opened:
        assert_type(opened, EventSource)
        assert_type(list(opened.iter_sse()), list[ServerSentEvent])


async def asource(client: httpx.AsyncClient) -> None:
    async with aconnect_sse(client, "GET", "http://127.0.0.1") as events:
        async for event in events.aiter_sse():
            assert_type(event, ServerSentEvent)
    with connect_sse(client, "GET", "http://127.0.0.1") as wrong:  # error: AsyncClient
        wrong.decoder


def report(error: SSEError, delay: float) -> None: ...


def follow() -> None:
    with subscribe("http://127.0.0.1", headers={"A": "b"}, max_attempts=3, idle_timeout=30.0) as events:
        assert_type(events, Subscription)
        for event in events:
            assert_type(event, ServerSentEvent)
        assert_type(events.metrics, StreamMetrics)
        assert_type(events.last_event_id, str)
        events.response.status_code  # error: None|Optional
    subscribe("http://127.0.0.1", max_attempt=3)  # error: max_attempt
    subscribe("http://127.0.0.1", max_attempts="3")  # error: str|Literal


async def afollow() -> None:
    async with asubscribe("http://127.0.0.1") as events:
        assert_type(events, AsyncSubscription)
        async for event in events:
            assert_type(event.id, str | None)
        for _ in events:  # error: iterable|__iter__
            pass


def only_answers(event: ServerSentEvent) -> dict[str, Any] | None:
    return {"text": event.data} if event.event == "message" else None


def pass_on(response: httpx.Response, headers: dict[str, str]) -> Iterator[bytes]:
    assert_type(relay(response), EventStream[bytes])
    assert_type(resume_headers(headers), dict[bytes, bytes])
    relay(response, transform=str.upper)  # error: transform|str
    yield from relay(response, transform=only_answers, heartbeat=None, on_error="raise")


async def apass_on(response: httpx.Response) -> AsyncIterator[bytes]:
    assert_type(arelay(response), AsyncEventStream[bytes])
    async for piece in arelay(response, verbatim=True):
        yield piece


ssejet.Streams  # error: Streams
ssejet.subscribe("http://127.0.0.1").close()

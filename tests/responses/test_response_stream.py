"""Streams of responses, sync and async, over a server on the loopback interface and over lists of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from response_builders import EVERY_KIND, answer, bytes_of, completed, created, decoded, delta, events_of

from drivers import NO_TLS
from ssejet import APIError, Stream, TruncatedStreamError
from ssejet.responses import AsyncResponseStream, ResponseStream, ResponseStreamEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from servers import Server

STREAMED = answer(*EVERY_KIND)


class Read:
    """What reading a stream gave: the events, the error, and what a function made of the stream."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: Any = None
        self.stream: Any = None
        self.final: Any = None


async def _aiter(events: list[Any]) -> AsyncIterator[Any]:
    for event in events:
        await anyio.lowlevel.checkpoint()
        yield event


def read_sync(events: list[Any], prepare: Callable[[Any], Any] = lambda _: None, **options: Any) -> Read:
    read = Read()
    with ResponseStream(events, **options) as read.stream:
        prepare(read.stream)
        try:
            for event in read.stream:
                read.events.append(event)
            read.final = read.stream.get_final_response()
        except Exception as error:
            read.error = error
    return read


def read_async(events: list[Any], prepare: Callable[[Any], Any] = lambda _: None, **options: Any) -> Read:
    read = Read()

    async def main() -> None:
        async with AsyncResponseStream(_aiter(events), **options) as read.stream:
            prepare(read.stream)
            try:
                async for event in read.stream:
                    read.events.append(event)
                read.final = await read.stream.get_final_response()
            except Exception as error:
                read.error = error

    anyio.run(main)
    return read


@pytest.fixture(params=[read_sync, read_async], ids=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_stream_gives_the_events_and_the_response(read: Any) -> None:
    outcome = read(decoded(*events_of(STREAMED)))
    assert [event.to_dict() for event in outcome.events] == events_of(STREAMED)
    assert outcome.final.to_dict() == STREAMED


def test_a_source_may_give_dicts(read: Any) -> None:
    assert read(events_of(STREAMED)).final.to_dict() == STREAMED


def test_callbacks_get_the_fields_that_they_name(read: Any) -> None:
    calls: list[Any] = []

    def prepare(stream: Any) -> None:
        stream.on("response.output_text.delta", lambda delta, snapshot: calls.append((delta, snapshot)))
        stream.on("response.completed", lambda response: calls.append(response.status))
        stream.on("response.created", lambda event: calls.append(event.type))

    read(decoded(created(), delta("a"), delta("b"), completed()), prepare)
    assert calls == ["response.created", ("a", "a"), ("b", "ab"), "completed"]


def test_a_callback_for_an_event_that_does_not_exist_is_refused() -> None:
    stream = ResponseStream([])
    with pytest.raises(ValueError, match=r"response\.output_txt\.delta"):
        stream.on("response.output_txt.delta", lambda: None)
    with pytest.raises(TypeError, match="'text'"):
        stream.on("response.output_text.delta", lambda text: None)

    async def callback(delta: str) -> None:
        """Awaited nowhere."""

    with pytest.raises(TypeError, match="AsyncResponseStream"):
        stream.on("response.output_text.delta", callback)


def test_a_stream_that_ends_early_raises_and_keeps_what_had_arrived(read: Any) -> None:
    outcome = read(decoded(created(), delta("half")))
    assert isinstance(outcome.error, TruncatedStreamError)
    assert "response.completed" in str(outcome.error)
    assert "[DONE]" not in str(outcome.error)
    assert outcome.error.partial.output_text == "half"
    assert [event.type for event in outcome.events] == ["response.created", "response.output_text.delta"]


def test_a_stream_that_may_end_early_gives_what_came(read: Any) -> None:
    outcome = read(decoded(created(), delta("half")), require_finish=False)
    assert outcome.final.output_text == "half"
    assert outcome.final.status == "in_progress"


def test_a_failed_response_raises_and_keeps_what_had_arrived(read: Any) -> None:
    failed = {"type": "response.failed", "response": {"id": "resp_1", "error": {"code": "c", "message": "m"}}}
    outcome = read(decoded(created(), delta("half"), failed))
    assert isinstance(outcome.error, APIError)
    assert (outcome.error.code, outcome.error.message) == ("c", "m")
    assert outcome.error.partial.output_text == "half"


def test_events_up_to_a_number_count_for_the_response_but_are_not_given(read: Any) -> None:
    events = [delta("a", sequence_number=4), delta("b", sequence_number=5), completed()]
    outcome = read(decoded(*events), starting_after=4)
    assert [event.type for event in outcome.events] == ["response.output_text.delta", "response.completed"]
    assert outcome.events[0].snapshot == "ab"


def test_text_deltas_gives_the_answer_only() -> None:
    assert "".join(ResponseStream(events_of(STREAMED)).text_deltas()) == '{"city": "Rome", "days": [1, 2]}'


def test_a_stream_over_a_server_closes_its_response(server: Server) -> None:
    body = bytes_of(events_of(STREAMED))
    url = server.answer(body).url
    with httpx.Client(verify=NO_TLS) as client, client.stream("GET", url) as response:
        stream = ResponseStream(Stream(response, cast_to=ResponseStreamEvent))
        assert stream.get_final_response().to_dict() == STREAMED
        assert response.is_closed
        assert stream.metrics is not None
        assert stream.response is response

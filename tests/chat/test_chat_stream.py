"""The drivers of chat streams: what they pass on, what they add, how they end."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest
from agreement import their_chunk
from chunk_builders import call, calls, chunk, says

from drivers import NO_TLS, FakeResponse
from servers import Then
from ssejet import APIConnectionError, APIError, AsyncStream, Stream, TruncatedStreamError
from ssejet.chat import (
    AsyncChatCompletionStream,
    ChatCompletionChunk,
    ChatCompletionStream,
    ContentDeltaEvent,
    FunctionToolCallArgumentsDoneEvent,
)
from ssejet.errors import StreamError
from ssejet.messages import AsyncMessageStream, MessageStream
from ssejet.metrics import StreamMetrics
from ssejet.responses import AsyncResponseStream, ResponseStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from servers import Server

HELLO = [chunk(says("Hel", role="assistant")), chunk(says("lo")), chunk(says(finish="stop"))]


def sse(*chunks: ChatCompletionChunk, done: bool = True) -> bytes:
    text = "".join(f"data: {each.to_json()}\n\n" for each in chunks)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


class Closable(list[Any]):
    """A source that knows how often it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


# Iterating


def test_all_events_are_passed_on(reader: Any) -> None:
    events = reader.events(reader.open(HELLO))
    assert [event.type for event in events] == [
        *["chunk", "content.delta"] * 2,
        *["chunk", "content.done"],
    ]


def test_another_loop_goes_on_with_the_next_event_of_the_same_chunk(reader: Any) -> None:
    stream = reader.open(HELLO)
    events = [*reader.events(stream, limit=3), *reader.events(stream, limit=2), *reader.events(stream)]
    assert [event.type for event in events] == [event.type for event in reader.events(reader.open(HELLO))]
    assert reader.events(stream) == []


def test_next_gives_the_next_event() -> None:
    stream = ChatCompletionStream(HELLO)
    assert next(stream).type == "chunk"
    assert next(stream).type == "content.delta"


def test_text_deltas_are_the_text_alone(reader: Any) -> None:
    assert reader.texts(reader.open(HELLO)) == ["Hel", "lo"]


def test_the_final_completion_is_that_of_the_whole_stream(reader: Any) -> None:
    stream = reader.open(HELLO)
    reader.events(stream, limit=1)
    assert stream.current_completion_snapshot.choices[0].message.content == "Hel"
    completion = reader.call(stream, "get_final_completion")
    assert completion.choices[0].message.content == "Hello"
    assert stream.current_completion_snapshot == completion


def test_until_done_gives_the_stream(reader: Any) -> None:
    stream = reader.open(HELLO)
    assert reader.call(stream, "until_done") is stream
    assert stream.current_completion_snapshot.choices[0].finish_reason == "stop"


def test_objects_that_are_not_chunks_give_no_events(reader: Any) -> None:
    # As Azure's asynchronous content filter sends them.
    note = {
        "id": "",
        "object": "",
        "model": "",
        "created": 0,
        "choices": [{"index": 0, "content_filter_results": {}}],
    }
    source = [note, ChatCompletionChunk.from_dict(note), *HELLO]
    completion = reader.call(reader.open(source), "get_final_completion")
    assert (completion.id, completion.choices[0].message.content) == ("chatcmpl-1", "Hello")


def test_chunks_without_an_object_type_are_chunks(reader: Any) -> None:
    # As GLM sends them; openai-python's streams pass them over.
    source = [each.to_dict() for each in HELLO]
    for each in source:
        del each["object"]
    for made in (dict, ChatCompletionChunk.from_dict, their_chunk):
        stream = reader.open(map(made, source))
        assert reader.call(stream, "get_final_completion").choices[0].message.content == "Hello"


def test_a_call_that_came_with_the_finish_reason_ends_with_the_stream(reader: Any) -> None:
    stream = reader.open([calls(call("{}", name="f", index=0), finish="tool_calls")])
    assert isinstance(reader.events(stream)[-1], FunctionToolCallArgumentsDoneEvent)


# Ending


def test_a_stream_that_ends_before_its_finish_reason_can_be_an_error(reader: Any) -> None:
    assert len(reader.events(reader.open(HELLO[:2]))) == 4
    for chunks in ([], HELLO[:2], [chunk(says("a", finish="stop"), says("b", index=1))]):
        stream = reader.open(chunks, require_finish=True)
        with pytest.raises(TruncatedStreamError, match="before the answer had a finish reason") as caught:
            reader.events(stream)
        assert (caught.value.partial is None) == (not chunks)
    assert reader.events(reader.open(HELLO, require_finish=True))


def test_an_error_of_the_source_carries_what_had_arrived(reader: Any) -> None:
    def source() -> Iterator[Any]:
        yield from HELLO[:2]
        raise APIError("overloaded")

    stream = reader.open(source())
    with pytest.raises(APIError, match="overloaded") as caught:
        reader.events(stream)
    assert caught.value.partial.choices[0].message.content == "Hello"
    assert reader.events(stream) == []


def test_an_error_before_the_first_chunk_carries_nothing(reader: Any) -> None:
    def source() -> Iterator[Any]:
        raise APIError("overloaded")
        yield

    with pytest.raises(APIError) as caught:
        reader.events(reader.open(source()))
    assert caught.value.partial is None


def test_an_error_of_ssejet_carries_what_had_arrived(reader: Any) -> None:
    ambiguous = [*(calls(call("{", name=name)) for name in ("f", "g")), calls(call("}"))]
    stream = reader.open([chunk(says("a")), *ambiguous, chunk(says("b"))])
    with pytest.raises(StreamError, match="has no index") as caught:
        reader.events(stream)
    message = caught.value.partial.choices[0].message
    assert (message.content, len(message.tool_calls)) == ("a", 2)
    assert reader.events(stream) == []


def test_an_error_that_carries_something_already_keeps_it(reader: Any) -> None:
    def source() -> Iterator[Any]:
        yield HELLO[0]
        raise APIError("overloaded", partial="more")

    with pytest.raises(APIError) as caught:
        reader.events(reader.open(source()))
    assert caught.value.partial == "more"


def test_other_errors_are_passed_on(reader: Any) -> None:
    def source() -> Iterator[Any]:
        yield HELLO[0]
        raise LookupError

    with pytest.raises(LookupError):
        reader.events(reader.open(source()))


def test_closing_closes_the_source() -> None:
    source = Closable(HELLO)
    with ChatCompletionStream(source) as stream:
        next(stream)
    assert source.closed == 1


@pytest.mark.parametrize("name", ["close", "aclose"])
async def test_closing_closes_an_async_source(name: str) -> None:
    class Source:
        closed = 0

        async def __aiter__(self) -> AsyncIterator[Any]:
            return
            yield

        async def close(self) -> None:
            self.closed += 1

    class ClosedAtOnce(Closable):
        __aiter__ = Source.__aiter__

    source = Source()
    if name == "aclose":
        Source.aclose = Source.close  # type: ignore[attr-defined]
    async with AsyncChatCompletionStream(source):
        pass
    assert source.closed == 1
    closable = ClosedAtOnce()
    await AsyncChatCompletionStream(closable).close()
    assert closable.closed == 1


def test_a_source_that_cannot_be_closed_is_left_alone(reader: Any) -> None:
    reader.call(reader.open(HELLO), "close" if reader.__class__.__name__ == "SyncReader" else "aclose")


def test_a_stream_without_references_is_freed_at_once() -> None:
    class Source(list[Any]):
        gone = 0

        def __del__(self) -> None:
            Source.gone += 1

    gc.disable()
    try:
        stream = ChatCompletionStream(Source(HELLO))
        next(stream)
        del stream
        assert Source.gone == 1
    finally:
        gc.enable()


# Callbacks


def test_a_callback_gets_the_fields_that_it_names(reader: Any) -> None:
    seen: list[Any] = []
    stream = reader.open(HELLO)
    same = stream.on("content.delta", lambda delta, snapshot: seen.append((delta, snapshot)))
    stream.on(
        "content.done", lambda *, content, parsed=None, flush=True: seen.append((content, parsed, flush))
    )
    stream.on("content.delta", lambda event: seen.append(type(event)))
    stream.on(
        "content.delta",
        lambda delta, event, choice_index: seen.append((delta, event.delta, choice_index)),
    )
    stream.on("content.done", lambda: seen.append("done"))
    assert same is stream
    reader.call(stream, "until_done")
    assert seen == [
        ("Hel", "Hel"),
        ContentDeltaEvent,
        ("Hel", "Hel", 0),
        ("lo", "Hello"),
        ContentDeltaEvent,
        ("lo", "lo", 0),
        ("Hello", None, True),
        "done",
    ]


def test_a_callback_without_names_gets_the_event(reader: Any) -> None:
    seen: list[Any] = []
    stream = (
        reader.open(HELLO)
        .on("content.delta", seen.append)
        .on("content.done", lambda *args: seen.extend(args))
    )
    reader.call(stream, "until_done")
    assert [event.type for event in seen] == ["content.delta", "content.delta", "content.done"]


def test_callbacks_run_before_the_event_is_given() -> None:
    seen: list[str] = []
    stream = ChatCompletionStream(HELLO).on("content.delta", lambda delta: seen.append(f"callback {delta}"))
    for text in stream.text_deltas():
        seen.append(f"loop {text}")  # noqa: PERF401
    assert seen == ["callback Hel", "loop Hel", "callback lo", "loop lo"]


def test_a_callback_that_is_registered_between_the_events_of_a_chunk_gets_the_later_ones(reader: Any) -> None:
    stream = reader.open(HELLO)
    seen: list[Any] = []
    [first] = reader.events(stream, limit=1)
    assert first.type == "chunk"
    stream.on("content.delta", lambda delta: seen.append(delta))
    stream.on("chunk", seen.append)
    events = [first, *reader.events(stream)]
    assert [event.type for event in events] == [event.type for event in reader.events(reader.open(HELLO))]
    assert [each for each in seen if isinstance(each, str)] == ["Hel", "lo"]
    assert [each for each in seen if not isinstance(each, str)] == [
        event for event in events[1:] if event.type == "chunk"
    ]


@pytest.mark.parametrize("error", [KeyError("a"), StreamError("a")], ids=["its own", "ssejet's"])
def test_after_the_exception_of_a_callback_a_loop_goes_on_with_the_next_event(
    reader: Any, error: Exception
) -> None:
    def fail(delta: str) -> None:
        if delta == "Hel":
            raise error

    stream = reader.open(HELLO).on("content.delta", fail)
    with pytest.raises(type(error)) as caught:
        reader.events(stream)
    if isinstance(error, StreamError):
        assert caught.value.partial.choices[0].message.content == "Hel"
    assert [event.delta for event in reader.events(stream) if event.type == "content.delta"] == ["lo"]
    assert reader.call(stream, "get_final_completion").choices[0].message.content == "Hello"


async def test_async_callbacks_are_awaited() -> None:
    seen: list[str] = []

    async def slow(delta: str) -> None:
        await asyncio.sleep(0)
        seen.append(delta)

    async def source() -> Any:
        for each in HELLO:
            yield each

    stream = (
        AsyncChatCompletionStream(source())
        .on("content.delta", slow)
        .on("content.delta", lambda delta: seen.append(delta))
    )
    await stream.until_done()
    assert seen == ["Hel", "Hel", "lo", "lo"]


def test_the_sync_class_refuses_async_callbacks() -> None:
    async def slow(delta: str) -> None: ...

    with pytest.raises(TypeError, match="AsyncChatCompletionStream"):
        ChatCompletionStream([]).on("content.delta", slow)


@pytest.mark.parametrize("wrong", [None, 5, httpx.Response(200)])
@pytest.mark.parametrize("protocol", [ChatCompletionStream, ResponseStream, MessageStream])
def test_a_source_that_is_not_iterable_is_refused_at_once(protocol: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"such as Stream\(.*, not {type(wrong).__name__}"):
        protocol(wrong)


@pytest.mark.parametrize("protocol", [AsyncChatCompletionStream, AsyncResponseStream, AsyncMessageStream])
def test_a_source_without_async_is_refused_by_the_async_class(protocol: Any) -> None:
    with pytest.raises(TypeError, match=r"takes an iterable with __aiter__\(\), such as AsyncStream"):
        protocol([])


@pytest.mark.parametrize(
    ("event_type", "callback", "error", "message"),
    [
        (
            "content.delte",
            print,
            ValueError,
            "no event has the type 'content.delte'; the types are chunk, content.delta",
        ),
        (
            "chunk",
            lambda delta: None,
            TypeError,
            "can ask for chunk, event, snapshot, type; this one asks for 'delta'",
        ),
        ("content.delta", lambda to_dict: None, TypeError, "asks for 'to_dict'"),
    ],
)
def test_a_callback_that_cannot_be_called_is_refused_at_once(
    event_type: str, callback: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ChatCompletionStream([]).on(event_type, callback)


# Sources


def test_a_stream_of_ssejet_is_a_source_whose_metrics_and_response_are_shown() -> None:
    response = FakeResponse([sse(*HELLO)])
    with ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk)) as stream:
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == "Hello"
    assert stream.response is response
    assert isinstance(stream.metrics, StreamMetrics)
    assert stream.metrics.events == 4
    assert ChatCompletionStream([]).metrics is None
    assert ChatCompletionStream([]).response is None


async def test_an_async_stream_of_ssejet_is_a_source() -> None:
    response = FakeResponse([sse(*HELLO)])
    async with AsyncChatCompletionStream(AsyncStream(response, cast_to=ChatCompletionChunk)) as stream:
        assert (await stream.get_final_completion()).choices[0].message.content == "Hello"
    assert response.is_closed


def test_an_error_inside_the_stream_is_raised_with_what_had_arrived(server: Server) -> None:
    body = sse(*HELLO[:2], done=False) + b'data: {"error": {"message": "overloaded", "code": 529}}\n\n'
    with httpx.stream("GET", server.answer(body).url, verify=NO_TLS) as response:
        stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
        with pytest.raises(APIError, match="overloaded") as caught:
            stream.until_done()
    assert caught.value.code == 529
    assert caught.value.partial.choices[0].message.content == "Hello"


def test_a_connection_that_breaks_leaves_what_had_arrived(server: Server) -> None:
    with httpx2.stream(
        "GET", server.answer(sse(*HELLO[:2], done=False), Then.DROP).url, verify=NO_TLS
    ) as response:
        stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
        with pytest.raises(APIConnectionError) as caught:
            stream.until_done()
    assert caught.value.partial.choices[0].message.content == "Hello"


def test_openai_pythons_streams_are_sources() -> None:
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=sse(*HELLO)
        )
    )
    client = openai.OpenAI(
        api_key="none", base_url="http://openai.invalid/v1", http_client=httpx2.Client(transport=transport)
    )
    source = client.chat.completions.create(model="m", messages=[], stream=True)
    with ChatCompletionStream(source) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hello"
    assert source.response.is_closed


async def test_openai_pythons_async_streams_are_sources() -> None:
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=sse(*HELLO)
        )
    )
    client = openai.AsyncOpenAI(
        api_key="none",
        base_url="http://openai.invalid/v1",
        http_client=httpx2.AsyncClient(transport=transport),
    )
    source = await client.chat.completions.create(model="m", messages=[], stream=True)
    async with AsyncChatCompletionStream(source) as stream:
        assert (await stream.get_final_completion()).choices[0].message.content == "Hello"
    assert source.response.is_closed

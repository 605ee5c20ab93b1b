"""The types of what chat events have parsed."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from ssejet import AsyncClient, Client
from ssejet.chat import (
    ChatCompletionChunk,
    ChatCompletionStream,
    ChatCompletionStreamEvent,
    ChatCompletionStreamState,
    ChunkEvent,
    ContentDeltaEvent,
    ContentDoneEvent,
)


@dataclass
class Answer:
    value: int


def with_a_format(client: Client) -> None:
    with client.chat.completions.stream(model="m", messages=[], response_format=Answer) as stream:
        for event in stream:
            if event.type == "content.done":
                assert_type(event.parsed, Answer | None)
                event.parsed.value  # error: None
                if event.parsed is not None:
                    assert_type(event.parsed.value, int)
                    event.parsed.values  # error: values
            elif event.type == "content.delta":
                assert_type(event.parsed, object)
                event.parsed.value  # error: value
            elif event.type == "chunk":
                assert_type(event.snapshot.choices[0].message.parsed, Answer | None)


def without_a_format(client: Client) -> None:
    with client.chat.completions.stream(model="m", messages=[]) as stream:
        for event in stream:
            if isinstance(event, ContentDoneEvent):
                assert_type(event.parsed, None)
        assert_type(stream.get_final_completion().choices[0].message.parsed, None)


def with_a_schema(client: Client, schema: dict[str, Any]) -> None:
    with client.chat.completions.stream(model="m", messages=[], response_format=schema) as stream:
        for event in stream:
            if event.type == "content.done":
                assert_type(event.parsed, None)


async def awaited(client: AsyncClient) -> None:
    async with client.chat.completions.stream(model="m", messages=[], response_format=Answer) as stream:
        async for event in stream:
            if event.type == "content.done":
                assert_type(event.parsed, Answer | None)
    async with client.chat.completions.stream(model="m", messages=[]) as plain:
        async for each in plain:
            if each.type == "content.done":
                assert_type(each.parsed, None)


def of_any_source(chunks: list[ChatCompletionChunk]) -> None:
    for event in ChatCompletionStream(chunks, response_format=Answer):
        if event.type == "content.done":
            assert_type(event.parsed, Answer | None)
    plain = ChatCompletionStream(chunks)
    assert_type(plain, ChatCompletionStream[None])
    assert_type(ChatCompletionStreamState(response_format=Answer), ChatCompletionStreamState[Answer])
    assert_type(ChatCompletionStreamState(), ChatCompletionStreamState[None])


def show(event: ChatCompletionStreamEvent[Answer]) -> str:
    match event:
        case ContentDeltaEvent(delta=new, snapshot=text):
            assert_type(new, str)
            return text
        case ContentDoneEvent(parsed=parsed):
            assert_type(parsed, Answer | None)
        case ChunkEvent(chunk=chunk):
            assert_type(chunk, ChatCompletionChunk)
        case _:
            pass
    return ""


def of_any_kind(event: ChatCompletionStreamEvent) -> None:
    if event.type == "refusal.done":
        assert_type(event.refusal, str)

"""Chat streams and clients."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from ssejet import AsyncClient, Client, asubscribe, subscribe
from ssejet.chat import ChatCompletion, ChatCompletionChunk, ChoiceDelta, ParsedChatCompletion
from ssejet.client._token_streams import TokenStream


@dataclass
class Answer:
    value: int


def chat(client: Client, messages: list[dict[str, Any]]) -> None:
    chunks = client.chat.completions.create(model="m", messages=messages, stream=True)
    assert_type(chunks, TokenStream[ChatCompletionChunk])
    for chunk in chunks:
        delta = chunk.choices[0].delta
        assert_type(delta, ChoiceDelta)
        assert_type(delta.content, str | None)
        assert_type(delta.reasoning, str | None)
        delta.contents  # error: contents
        for call in delta.tool_calls or []:
            assert_type(call.index, int | None)
    whole = client.chat.completions.create(model="m", messages=messages)
    assert_type(whole, ChatCompletion)
    assert_type(whole.choices[0].message.content, str | None)
    whole.choices[0].message.text  # error: text
    with client.chat.completions.stream(model="m", messages=messages, response_format=Answer) as stream:
        for event in stream:
            match event.type:
                case "content.delta":
                    assert_type(event.delta, str)
                    event.deltas  # error: deltas
                case "chunk":
                    assert_type(event.chunk, ChatCompletionChunk)
                case "content.dome":  # pyright error: never be matched
                    pass
                case _:
                    pass
        completion = stream.get_final_completion()
        assert_type(completion.choices[0].message.parsed, Answer | None)
    parsed = client.chat.completions.parse(model="m", messages=messages, response_format=Answer)
    assert_type(parsed, ParsedChatCompletion[Answer])
    assert_type(parsed.choices[0].message.parsed, Answer | None)
    calling = client.chat.completions.parse(model="m", messages=messages, tools=[Answer])
    assert_type(calling, ParsedChatCompletion[None])
    client.chat.completions.create(messages=messages)  # error: model|create


async def achat(client: AsyncClient, messages: list[dict[str, Any]]) -> None:
    whole = await client.chat.completions.create(model="m", messages=messages)
    assert_type(whole, ChatCompletion)
    parsed = await client.chat.completions.parse(model="m", messages=messages, response_format=Answer)
    assert_type(parsed.choices[0].message.parsed, Answer | None)
    async for chunk in await client.chat.completions.create(model="m", messages=messages, stream=True):
        assert_type(chunk.choices[0].delta.content, str | None)
    async with asubscribe("http://127.0.0.1/events") as events:
        async for event in events:
            assert_type(event.data, str)


def follow() -> None:
    with subscribe("http://127.0.0.1/events") as events:
        for event in events:
            assert_type(event.retry, int | None)

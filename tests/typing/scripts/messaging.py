"""The types of ssejet.messages, and of the clients' Messages API."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from ssejet import AsyncClient, Client, TokenMetrics, responses
from ssejet.messages import (
    AsyncMessageStream,
    Message,
    MessageStream,
    MessageStreamEvent,
    MessageStreamState,
    ParsedMessage,
    ParsedTextBlock,
    RawContentBlockDeltaEvent,
    RawMessageStreamEvent,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ToolUseBlock,
    from_chat,
    to_chat,
)


@dataclass
class Answer:
    value: int


MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def create(client: Client) -> None:
    message = client.messages.create(model="m", max_tokens=10, messages=MESSAGES, betas=["a"], top_k=3)
    assert_type(message, Message)
    assert_type(message.text, str)
    for block in message.content:
        if isinstance(block, TextBlock):
            assert_type(block.text, str)
        elif block.type == "thinking":
            assert_type(block, ThinkingBlock)
            block.text  # error: text
        elif block.type == "tool_use":
            assert_type(block, ToolUseBlock)
    with client.messages.create(model="m", max_tokens=10, messages=MESSAGES, stream=True) as stream:
        assert_type(stream.metrics, TokenMetrics)
        for event in stream:
            if isinstance(event, RawContentBlockDeltaEvent) and isinstance(event.delta, TextDelta):
                assert_type(event.delta.text, str)
    client.messages.create(model="m", messages=MESSAGES)  # error: max_tokens|No overload
    client.messages.create(model="m", max_tokens="10", messages=MESSAGES)  # error: max_tokens|No overload


def with_a_format(client: Client) -> None:
    with client.messages.stream(model="m", max_tokens=10, messages=MESSAGES, output_format=Answer) as stream:
        for event in stream:
            if event.type == "text":
                assert_type(event.text, str)
                assert_type(event.snapshot, str)
            elif event.type == "input_json":
                assert_type(event.partial_json, str)
            elif event.type == "message_stop":
                assert_type(event.message, ParsedMessage[Answer])
            elif event.type == "content_block_stop" and isinstance(event.content_block, ParsedTextBlock):
                assert_type(event.index, int)
        assert_type(stream.get_final_message().parsed_output, Answer | None)
        assert_type(stream.metrics, TokenMetrics)
    parsed = client.messages.parse(model="m", max_tokens=10, messages=MESSAGES, output_format=Answer)
    assert_type(parsed, ParsedMessage[Answer])


def without_a_format(client: Client) -> None:
    stream = client.messages.stream(model="m", max_tokens=10, messages=MESSAGES)
    assert_type(stream.get_final_message(), ParsedMessage[None])
    assert_type(stream.get_final_text(), str)
    for text in stream.text_stream:
        assert_type(text, str)


async def asynchronous(client: AsyncClient) -> None:
    message = await client.messages.create(model="m", max_tokens=10, messages=MESSAGES)
    assert_type(message, Message)
    async with client.messages.stream(
        model="m", max_tokens=10, messages=MESSAGES, output_format=Answer
    ) as stream:
        async for text in stream.text_stream:
            assert_type(text, str)
        assert_type(await stream.get_final_message(), ParsedMessage[Answer])
    parsed = await client.messages.parse(model="m", max_tokens=10, messages=MESSAGES, output_format=Answer)
    assert_type(parsed.parsed_output, Answer | None)


def providers() -> None:
    assert_type(Client.for_provider("ollama", timeout=3), Client)
    assert_type(AsyncClient.for_provider("groq", api_key="a"), AsyncClient)
    Client.for_provider("ollama", time_out=3)  # error: time_out


def conversations(client: Client) -> None:
    request = from_chat(MESSAGES, tools=[Answer])
    client.messages.create(model="m", max_tokens=10, **request)
    client.chat.completions.create(model="m", **to_chat(request["messages"]))
    from_chat(MESSAGES, unmatched="ignore")  # error: unmatched|ignore
    response = client.responses.create(model="m", **responses.from_chat(MESSAGES, tools=[Answer]))
    client.chat.completions.create(model="m", **responses.to_chat(response.output, tool_choice="auto"))
    client.messages.create(model="m", max_tokens=10, **responses.to_messages(response.output))
    assert_type(responses.from_messages(MESSAGES), responses.ResponsesRequest)
    responses.to_chat(3)  # error: 3|int


def by_hand(source: list[RawMessageStreamEvent]) -> list[MessageStreamEvent[Answer]]:
    assert_type(MessageStream(source), MessageStream[None])
    assert_type(MessageStream(source, output_format=Answer), MessageStream[Answer])
    assert_type(AsyncMessageStream(source, output_format=Answer), AsyncMessageStream[Answer])
    state = MessageStreamState(output_format=Answer)
    return [event for each in source for event in state.handle_event(each)]

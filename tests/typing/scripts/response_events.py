"""The types of responses, and of what their events have parsed."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from ssejet import AsyncClient, Client, Stream
from ssejet.responses import (
    ParsedResponse,
    Response,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseStream,
    ResponseStreamEvent,
    ResponseStreamState,
    ResponseTextDeltaEvent,
    UnknownResponseEvent,
)


@dataclass
class Answer:
    value: int


def with_a_format(client: Client) -> None:
    with client.responses.stream(model="m", input="Hi!", text_format=Answer) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                assert_type(event.delta, str)
                assert_type(event.snapshot, str)
                assert_type(event.parsed, object)
                event.parsed.value  # error: value
            elif event.type == "response.output_text.done":
                assert_type(event.parsed, Answer | None)
                event.parsed.value  # error: None
            elif event.type == "response.completed":
                assert_type(event.response.output_parsed, Answer | None)
            elif isinstance(event, UnknownResponseEvent):
                assert_type(event.extra, dict[str, Any])
        response = stream.get_final_response()
        assert_type(response, ParsedResponse[Answer])
        assert_type(response.output_parsed, Answer | None)
        if response.output_parsed is not None:
            response.output_parsed.values  # error: values


def without_a_format(client: Client) -> None:
    stream = client.responses.stream(model="m", input="Hi!")
    stream.on("response.output_text.delta", print).until_done()
    assert_type(stream.get_final_response().output_parsed, None)
    assert_type(stream.metrics.tokens, int)


async def awaited(client: AsyncClient) -> None:
    async with await client.responses.stream(model="m", input="Hi!", text_format=Answer) as stream:
        async for event in stream:
            if isinstance(event, ResponseTextDeltaEvent):
                assert_type(event.snapshot, str)
    assert_type(await stream.get_final_response(), ParsedResponse[Answer])
    assert_type(await client.responses.retrieve("resp_1"), Response)
    response = await client.responses.parse(model="m", input="Hi!", text_format=Answer)
    assert_type(response.output_parsed, Answer | None)


def parsed(client: Client) -> None:
    response = client.responses.parse(model="m", input="Hi!", text_format=Answer)
    assert_type(response, ParsedResponse[Answer])
    assert_type(response.output_parsed, Answer | None)
    assert_type(client.responses.parse(model="m", input="Hi!", tools=[Answer]), ParsedResponse[None])


def created(client: Client) -> None:
    response = client.responses.create(model="m", input="Hi!")
    assert_type(response, Response)
    for item in response.output:
        if isinstance(item, ResponseOutputMessage):
            for part in item.content:
                if isinstance(part, ResponseOutputText):
                    assert_type(part.text, str)
        elif item.type == "function_call":
            assert_type(item.arguments, str)
    client.responses.create(model="m", input=response.to_input())
    for event in client.responses.create(model="m", input="Hi!", stream=True, background=True):
        if event.type == "response.function_call_arguments.delta":
            assert_type(event.delta, str)
    for event in client.responses.retrieve("resp_1", stream=True, starting_after=3):
        assert_type(event.sequence_number, int | None)
    assert_type(client.responses.cancel("resp_1"), Response)


def of_another_client(response: Any) -> None:
    stream = ResponseStream(Stream(response, cast_to=ResponseStreamEvent), text_format=Answer)
    assert_type(stream.get_final_response(), ParsedResponse[Answer])
    state = ResponseStreamState(text_format=Answer)
    assert_type(state.current_response_snapshot, ParsedResponse[Answer])

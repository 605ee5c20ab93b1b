"""openai-python's ``chat.completions.stream()`` on accelerated clients, against stock ones."""

from __future__ import annotations

import asyncio
import copy
import json
import warnings
from typing import Any

import openai._types
import pydantic
import pytest
from conversations import TOOLS, chunks
from hypothesis import given
from hypothesis import strategies as st
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from same import differences
from sdks import FakeServer, event

import ssejet
from ssejet.swap.openai._chat import LinearState

# What older versions call it.
omit: Any = getattr(openai._types, "omit", openai.NOT_GIVEN)


class Weather(pydantic.BaseModel):
    city: str
    temperature: float = 0


FORMATS = [omit, omit, Weather, {"type": "json_object"}]
TOOL_SETS = [omit, TOOLS, TOOLS, [openai.pydantic_function_tool(Weather, name="weather")]]


class Side:
    """One of two states that take the same chunks in, and what came of it."""

    def __init__(self, state: ChatCompletionStreamState[Any]) -> None:
        self.state = state
        self.events: list[Any] = []
        self.messages: list[Any] = []

    def take(self, chunk: dict[str, Any]) -> Any:
        """The events of a chunk, or the error."""
        item: Any = construct_type(type_=ChatCompletionChunk, value=copy.deepcopy(chunk))
        try:
            events = list(self.state.handle_chunk(item))
        except Exception as error:
            return error
        self.events += events
        self.messages += [choice.message for choice in self.state.current_completion_snapshot.choices]
        return events

    def final(self) -> Any:
        try:
            return self.state.get_final_completion()
        except Exception as error:
            return error


@given(
    random=st.randoms(use_true_random=False),
    response_format=st.sampled_from(FORMATS),
    tools=st.sampled_from(TOOL_SETS),
)
def test_events_and_snapshots_equal_openais_chunk_by_chunk(
    random: Any, response_format: Any, tools: Any
) -> None:
    def state() -> ChatCompletionStreamState[Any]:
        return ChatCompletionStreamState(response_format=response_format, input_tools=tools)

    stock, ours = Side(state()), Side(LinearState.of(state()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic's, when openai-python dumps what is not as it should be
        for chunk in chunks(random):
            expected = stock.take(chunk)
            assert differences(ours.take(chunk), expected) == []
            if isinstance(expected, Exception):
                break
        else:
            assert differences(ours.final(), stock.final()) == []
        # What was kept from before is as it was then, or as openai-python changed it since.
        assert differences(ours.events, stock.events) == []
        assert differences(ours.messages, stock.messages) == []


def chunk(index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": None, "logprobs": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def fragment(arguments: str) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": 0, "function": {"arguments": arguments}}])


CALL = {"index": 0, "id": "i", "type": "function", "function": {"name": "weather", "arguments": ""}}
USUAL = {
    "text": (omit, omit, [chunk(role="assistant", content="")], chunk(content="a")),
    "refusal": (omit, omit, [chunk(role="assistant", refusal="")], chunk(refusal="a")),
    "reasoning": (omit, omit, [chunk(role="assistant", reasoning_content="")], chunk(reasoning_content="a")),
    "text in JSON": (Weather, omit, [chunk(role="assistant", content='{"city": "')], chunk(content="a")),
    "JSON": (Weather, omit, [chunk(role="assistant", content='{"x": [')], chunk(content="1, ")),
    "tool call": (
        omit,
        TOOLS,
        [chunk(role="assistant", tool_calls=[CALL]), fragment('{"x": [')],
        fragment("1,"),
    ),
    "choices": (
        omit,
        omit,
        [chunk(role="a", content=""), chunk(1, role="a", content="")],
        chunk(1, content="a"),
    ),
    "usage": (omit, omit, [chunk(role="assistant", content="")], {**chunk(), "choices": []}),
}


@pytest.mark.parametrize("name", USUAL)
def test_usual_chunks_are_not_openais_to_take_in(name: str, monkeypatch: Any) -> None:
    response_format, tools, first, then = USUAL[name]
    state = LinearState.of(ChatCompletionStreamState(response_format=response_format, input_tools=tools))
    left = 0
    stock = ChatCompletionStreamState.handle_chunk

    def count(self: Any, item: Any) -> Any:
        nonlocal left
        left += 1
        return stock(self, item)

    monkeypatch.setattr(ChatCompletionStreamState, "handle_chunk", count)
    for data in [*first, *[then] * 50]:
        state.handle_chunk(construct_type(type_=ChatCompletionChunk, value=data))  # type: ignore[arg-type]
    # openai-python has them until each part of the message was there once, and once more.
    assert left <= len(first) + 2


def test_a_choice_without_a_message_fails_as_it_does_without_us() -> None:
    stock, ours = Side(ChatCompletionStreamState()), Side(LinearState.of(ChatCompletionStreamState()))
    choices = [choice for index in (-1, 1) for choice in chunk(index, role="assistant")["choices"]]
    stock.take({**chunk(), "choices": choices})
    ours.take({**chunk(), "choices": choices})
    error = stock.take(chunk(0, content="a"))
    assert isinstance(error, AttributeError)
    assert differences(ours.take(chunk(0, content="a")), error) == []


BODY = [
    event(json.dumps(data))
    for data in [
        chunk(role="assistant", content=""),
        *[chunk(content=piece) for piece in ('{"ci', 'ty": ', '"Łód', 'ź", "tem', 'perature": 1', "2}")],
        {**chunk(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk(), "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
    ]
] + [b"data: [DONE]\n\n"]


async def read_async(stream: Any) -> tuple[list[Any], Any]:
    async with stream as events:
        return [item.model_copy(deep=True) async for item in events], await events.get_final_completion()


def read(client: Any, mode: str) -> tuple[list[Any], Any]:
    stream = client.chat.completions.stream(model="m", messages=[], response_format=Weather)
    if mode == "async":
        return asyncio.run(read_async(stream))
    with stream as events:
        return [item.model_copy(deep=True) for item in events], events.get_final_completion()


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("beta", [False, True])
def test_the_helper_of_an_accelerated_client_gives_openais_events(mode: str, beta: bool) -> None:
    stock = FakeServer(BODY).client("openai", mode)
    fast = ssejet.accelerate(stock).with_options(timeout=3)
    expected_events, expected = read(stock.beta, mode)
    if not beta and not hasattr(stock.chat.completions, "stream"):
        pytest.skip("this version has it in `client.beta` only")
    events, completion = read(fast.beta if beta else fast, mode)
    assert len(events) == 17
    assert differences(events, expected_events) == []
    assert completion.choices[0].message.parsed == Weather(city="Łódź", temperature=12)
    assert differences(completion, expected) == []


def test_the_helper_of_an_accelerated_client_uses_our_state_and_that_of_others_does_not() -> None:
    stock = FakeServer(BODY).client("openai", "sync")
    fast = ssejet.accelerate(stock)
    with fast.beta.chat.completions.stream(model="m", messages=[]) as stream:
        assert type(stream._state) is LinearState
    with stock.beta.chat.completions.stream(model="m", messages=[]) as stream:
        assert type(stream._state) is ChatCompletionStreamState


def test_a_state_of_another_class_is_left_as_it_is() -> None:
    class Mine(ChatCompletionStreamState[Any]):
        pass

    state = Mine()
    assert LinearState.of(state) is state

"""Streams in the shapes that providers document, from the bytes to the completion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ssejet import Decoder
from ssejet.chat import ChatCompletionChunk, ChatCompletionStreamState

if TYPE_CHECKING:
    from drivers import AsyncDriver, SyncDriver
    from servers import Server

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.sse"))


def play(name: str) -> tuple[list[Any], Any]:
    """The events that a fixture gives, and its completion."""
    decoder = Decoder()
    events = [*decoder.feed((FIXTURES / f"{name}.sse").read_bytes()), *decoder.finish()]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    given = [
        event
        for each in events
        if each.data != "[DONE]"
        for event in state.handle_chunk(ChatCompletionChunk.from_json(each.data))
    ]
    assert state.finish() == []
    return given, state.get_final_completion()


def sequence(events: list[Any]) -> list[str]:
    """The types of the events, runs of one type counted once."""
    types = [event.type for event in events if event.type != "chunk"]
    return [kind for kind, before in zip(types, [None, *types], strict=False) if kind != before]


def test_every_fixture_is_tested() -> None:
    assert NAMES == ["deepseek_reasoning", "glm_thinking", "glm_tools", "qwen_thinking", "qwen_tools"]


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_read_by_every_client(
    name: str, server: Server, driver: SyncDriver | AsyncDriver
) -> None:
    answer = server.answer((FIXTURES / f"{name}.sse").read_bytes())
    [outcome] = driver.read(answer.url, cast_to=ChatCompletionChunk, require_done=True)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in outcome.result():
        state.handle_chunk(chunk)
    assert state.get_final_completion() == play(name)[1]


def test_deepseek_thinks_then_answers() -> None:
    events, completion = play("deepseek_reasoning")
    assert sequence(events) == ["reasoning.delta", "reasoning.done", "content.delta", "content.done"]
    [choice] = completion.choices
    assert choice.message.reasoning_content == "The larger is 9.8."
    assert choice.message.content == "9.8 > 9.11"
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert completion.usage.completion_tokens_details.reasoning_tokens == 6
    assert completion.to_dict()["usage"]["prompt_cache_miss_tokens"] == 18


def test_qwen_thinks_then_answers() -> None:
    events, completion = play("qwen_thinking")
    assert sequence(events) == ["reasoning.delta", "reasoning.done", "content.delta", "content.done"]
    [choice] = completion.choices
    assert choice.message.reasoning == "用户在问候。"
    assert choice.message.content == "你好！"
    assert completion.usage.total_tokens == 17


def test_qwen_repeats_an_empty_id_with_each_fragment_of_a_call() -> None:
    events, completion = play("qwen_tools")
    assert sequence(events)[-2:] == ["tool_calls.function.arguments.done", "tool_calls.done"]
    [choice] = completion.choices
    assert [
        (call.index, call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls
    ] == [
        (0, "call_4f1b7a2c9d8e4b6f9a3c21", "get_current_weather", '{"location": "杭州市"}'),
        (1, "call_83d0c5e6f7a84b9c8d1e42", "get_current_weather", '{"location": "上海市"}'),
    ]
    assert choice.message.to_param()["tool_calls"][0] == {
        "id": "call_4f1b7a2c9d8e4b6f9a3c21",
        "type": "function",
        "function": {"name": "get_current_weather", "arguments": '{"location": "杭州市"}'},
    }


def test_glm_repeats_the_role_and_leaves_out_the_object_type() -> None:
    _, completion = play("glm_thinking")
    [choice] = completion.choices
    assert choice.message.role == "assistant"
    assert choice.message.reasoning_content == "\nSay it in Portuguese."
    assert choice.message.content == "\nOlá!"
    assert completion.object == "chat.completion"
    assert completion.usage.prompt_tokens_details.cached_tokens == 4


def test_glm_sends_each_call_whole_in_a_chunk() -> None:
    events, completion = play("glm_tools")
    [choice] = completion.choices
    assert [call.function.arguments for call in choice.message.tool_calls] == [
        '{"city":"北京"}',
        '{"city":"东京"}',
    ]
    assert [event.arguments for event in events if event.type == "tool_calls.done"] == [
        '{"city":"北京"}',
        '{"city":"东京"}',
    ]
    assert choice.finish_reason == "tool_calls"

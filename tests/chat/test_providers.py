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
    return [*given, *state.finish()], state.get_final_completion()


def sequence(events: list[Any]) -> list[str]:
    """The types of the events, runs of one type counted once."""
    types = [event.type for event in events if event.type != "chunk"]
    return [kind for kind, before in zip(types, [None, *types], strict=False) if kind != before]


def test_every_fixture_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in NAMES if f'play("{name}")' not in source] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_read_by_every_client(
    name: str, server: Server, driver: SyncDriver | AsyncDriver
) -> None:
    body = (FIXTURES / f"{name}.sse").read_bytes()
    answer = server.answer(body)
    [outcome] = driver.read(answer.url, cast_to=ChatCompletionChunk, require_done=b"[DONE]" in body)
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


def test_azure_begins_with_its_filter_results() -> None:
    _, completion = play("azure_filter")
    [choice] = completion.choices
    assert (completion.id, completion.model) == ("chatcmpl-AZ1", "gpt-4o-mini-2024-07-18")
    assert choice.message.to_param() == {"role": "assistant", "content": "Hi!"}
    assert completion.extra["prompt_filter_results"][0]["prompt_index"] == 0
    assert choice.extra["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert completion.usage.total_tokens == 10


def test_gemini_leaves_out_the_index_of_calls_and_signs_their_thoughts() -> None:
    _, completion = play("gemini_tools")
    [choice] = completion.choices
    assert [call.function.arguments for call in choice.message.tool_calls] == [
        '{"city":"Rome"}',
        '{"city":"Oslo"}',
    ]
    first, second = choice.message.to_param()["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": "EjQKMgEM"}}
    assert "extra_content" not in second


def test_groq_names_the_channel_of_each_delta_and_has_usage_of_its_own() -> None:
    _, completion = play("groq_reasoning")
    [choice] = completion.choices
    assert (choice.message.reasoning, choice.message.content) == ("Say hi.", "Hi!")
    assert choice.message.extra == {"channel": "analysis"}
    assert completion.usage.total_tokens == 84
    assert completion.extra["x_groq"]["seed"] == 7


def test_mistral_thinks_in_parts_of_the_content() -> None:
    events, completion = play("mistral_thinking")
    # The first content is empty.
    assert sequence(events)[1:4] == ["reasoning.delta", "reasoning.done", "content.delta"]
    [choice] = completion.choices
    assert (choice.message.reasoning, choice.message.content) == ("Two words.", "Bonjour !")
    [call] = choice.message.tool_calls
    assert (call.id, call.function.arguments) == ("D681PevKs", '{"city": "Lyon"}')
    assert [part["type"] for part in choice.message.to_param()["content"]] == ["thinking", "text"]


def test_moonshot_has_the_usage_in_the_choice() -> None:
    _, completion = play("moonshot_reasoning")
    [choice] = completion.choices
    assert (choice.message.reasoning_content, choice.message.content) == ("One word.", "Hi")
    assert completion.usage.total_tokens == 14


def test_openrouter_keeps_the_signature_of_reasoning() -> None:
    _, completion = play("openrouter_reasoning")
    [choice] = completion.choices
    [detail] = choice.message.to_param()["reasoning_details"]
    assert (detail["text"], detail["signature"]) == ("Greet", "c2ln")
    assert (choice.message.content, choice.extra) == ("Hi!", {"native_finish_reason": "end_turn"})
    assert completion.usage.extra["cost"] == 0.00012


def test_perplexity_repeats_the_message_so_far_beside_each_delta() -> None:
    events, completion = play("perplexity_citations")
    assert [event.delta for event in events if event.type == "content.delta"] == ["It", " is", "[1]"]
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("It is[1]", "stop")
    assert completion.extra["citations"] == ["https://example.org/a"]
    assert completion.usage.total_tokens == 8

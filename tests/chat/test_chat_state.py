"""What ChatCompletionStreamState makes of chunks beyond what openai-python makes of them."""

from __future__ import annotations

import json
import pickle
from typing import Any

import httpx
import pytest
from agreement import their_chunk
from chunk_builders import call, calls, chunk, says
from hypothesis import given
from hypothesis import strategies as st

from ssejet import Stream
from ssejet.chat import (
    ChatCompletionAudio,
    ChatCompletionChunk,
    ChatCompletionStream,
    ChatCompletionStreamState,
    ChunkEvent,
    ContentDeltaEvent,
    ContentDoneEvent,
    FunctionCall,
    FunctionToolCallArgumentsDoneEvent,
    ParsedFunction,
    ToolCallDeltaEvent,
    ToolCallDoneEvent,
)
from ssejet.chat._events import EVENT_TYPES, Event
from ssejet.chat._models import Custom, ParsedFunctionToolCall
from ssejet.errors import (
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    StreamError,
    TruncatedStreamError,
)

STRICT_TOOL = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}


def run(*chunks: Any, **options: Any) -> tuple[list[Any], ChatCompletionStreamState[Any]]:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState(**options)
    return [event for each in chunks for event in state.handle_chunk(each)], state


def types(events: list[Any]) -> list[str]:
    return [event.type for event in events if event.type != "chunk"]


def tool_calls(state: ChatCompletionStreamState[Any]) -> list[tuple[int, str, str, str]]:
    [choice] = state.current_completion_snapshot.choices
    return [
        (each.index, each.id, each.function.name, each.function.arguments)
        for each in choice.message.tool_calls or []
        if each.function is not None
    ]


# Choices


def test_a_chunk_without_choices_gives_a_chunk_event() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    events, state = run(chunk(), chunk(says("a")), chunk(usage=usage))
    assert [event.type for event in events] == ["chunk", "chunk", "content.delta", "chunk"]
    completion = state.get_final_completion()
    assert completion.usage is not None
    assert completion.usage.total_tokens == 3


@pytest.mark.parametrize(
    "choice",
    [{"index": 0}, {"index": 0, "delta": None}, {"index": 0, "delta": {}}, {}],
    ids=["delta missing", "delta null", "delta empty", "everything missing"],
)
def test_a_choice_without_a_delta_does_no_harm(choice: dict[str, Any]) -> None:
    for first in (choice, says("")):
        events, state = run(*map(chunk, (first, choice, says("a"), choice, says(finish="stop"))))
        assert types(events)[-2:] == ["content.delta", "content.done"]
        assert state.get_final_completion().choices[0].message.content == "a"


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_choices_may_come_in_any_order(first: list[int], then: list[int]) -> None:
    events, state = run(
        chunk(*(says(f"{index}", index=index) for index in first)),
        *(chunk(says("!", index=index, finish="stop")) for index in then),
    )
    completion = state.get_final_completion()
    assert [(choice.index, choice.message.content) for choice in completion.choices] == [
        (index, f"{index}!") for index in range(4)
    ]
    deltas = [(event.choice_index, event.snapshot) for event in events if event.type == "content.delta"]
    assert deltas == [(index, f"{index}") for index in first] + [(index, f"{index}!") for index in then]
    assert [event.choice_index for event in events if isinstance(event, ContentDoneEvent)] == then


def test_the_role_is_taken_once() -> None:
    _, state = run(*(chunk(says("a", role=role)) for role in ("assistant", "assistant", "")))
    assert state.get_final_completion().choices[0].message.role == "assistant"


def test_log_probabilities_of_a_choice_that_begins_late_are_not_doubled() -> None:
    token = {"token": "a", "logprob": -1.0}
    late = {**says("a", index=1), "logprobs": {"content": [token]}}
    events, state = run(chunk(says("x")), chunk(late), chunk(late))
    [_, choice] = state.get_final_completion().choices
    assert choice.logprobs is not None
    assert [each.token for each in choice.logprobs.content or []] == ["a", "a"]
    snapshots = [event.snapshot for event in events if event.type == "logprobs.content.delta"]
    assert [len(snapshot) for snapshot in snapshots] == [1, 2]


# Chunks of others


def test_chunks_of_openai_python_and_dicts_are_taken_as_they_are() -> None:
    data = chunk(says("a"), provider="p").to_dict()
    for given_chunk in (data, their_chunk(data)):
        events, state = run(given_chunk)
        assert isinstance(events[0], ChunkEvent)
        assert events[0].chunk is given_chunk
        assert state.get_final_completion().extra == {"provider": "p"}


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a ChatCompletionChunk .* got object"):
        run(object())
    with pytest.raises(StreamError, match="must be an object, but str came"):
        run("data: {}")


# Snapshots and events


def test_an_event_keeps_its_value_however_late_it_is_read() -> None:
    chunks = [chunk(says(each, reasoning=each)) for each in ("a", "b", "c")]
    events, _ = run(*chunks)
    for kind in ("content.delta", "reasoning.delta"):
        assert [event.snapshot for event in events if event.type == kind] == ["a", "ab", "abc"]


@pytest.mark.parametrize("event_class", EVENT_TYPES.values())
def test_an_event_has_the_fields_that_it_lists_and_no_others(event_class: type[Event]) -> None:
    public = {name for name in dir(event_class) if not name.startswith("_")}
    of_all = {"type", "fields", "to_dict", "to_json"}
    of_choices = set() if event_class is ChunkEvent else {"choice_index"}
    assert public == of_all | of_choices | set(event_class.fields)


def test_a_chunk_event_shows_the_newest_snapshot() -> None:
    events, state = run(chunk(says("a")), chunk(says("b")))
    assert events[0].snapshot == events[2].snapshot == state.current_completion_snapshot


def test_the_snapshot_is_empty_before_the_first_chunk() -> None:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    assert state.current_completion_snapshot.choices == []
    with pytest.raises(TruncatedStreamError, match="before its first chunk"):
        state.get_final_completion()


@pytest.mark.parametrize("as_text", [False, True])
def test_the_error_of_a_stream_without_a_chunk_shows_what_came_instead(as_text: bool) -> None:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for other in ({"type": "ping"}, {"result": "Hello", "n": 10**30, "rest": "x" * 1000}):
        item = ChatCompletionChunk.from_json(json.dumps(other)) if as_text else other
        assert state.handle_chunk(item) == []
    with pytest.raises(
        TruncatedStreamError, match=r"not a chunk, as it has no choices: .*Hello.*x…$"
    ) as caught:
        state.get_final_completion()
    assert len(str(caught.value)) < 400


def test_what_came_in_place_of_chunks_is_shown_without_the_key_of_the_request() -> None:
    request = httpx.Request("POST", "http://x", headers={"Authorization": "Bearer sk-very-secret"})
    response = httpx.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=b'data: {"echo": "sk-very-secret"}\n\ndata: [DONE]\n\n',
        request=request,
    )
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
    with pytest.raises(TruncatedStreamError, match=r'{"echo": "\*\*\*"}'):
        stream.get_final_completion()


def test_snapshots_are_not_changed_by_later_chunks() -> None:
    token = {"token": "a", "logprob": -1.0}
    part = {**says("a", tool_calls=[call("x", name="f", index=0)]), "logprobs": {"content": [token]}}
    _, state = run(chunk(part))
    snapshot = state.current_completion_snapshot
    before = pickle.dumps(snapshot)
    state.handle_chunk(chunk(part))
    assert pickle.dumps(snapshot) == before


def test_events_can_be_matched_and_turned_into_dicts() -> None:
    events, _ = run(chunk(says("a")), chunk(says("b", finish="stop")))
    match events[3]:
        case ContentDeltaEvent(delta=delta, snapshot=snapshot):
            assert (delta, snapshot) == ("b", "ab")
        case _:
            pytest.fail("no ContentDeltaEvent")
    assert events[3].to_dict() == {"type": "content.delta", "delta": "b", "snapshot": "ab", "parsed": None}
    assert repr(events[4]) == "ContentDoneEvent(content='ab', parsed=None)"
    assert events[0].to_dict()["snapshot"]["choices"][0]["message"] == {"content": "ab"}


def test_the_completion_has_the_fields_that_the_server_added() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_cache_hit_tokens": 1}
    _, state = run(chunk(says("a"), provider="p", obfuscation="xx"), chunk(usage=usage))
    completion = state.get_final_completion()
    assert completion.extra == {"provider": "p"}
    assert completion.to_dict()["usage"] == usage
    assert "obfuscation" not in completion.to_dict()
    assert pickle.loads(pickle.dumps(completion)) == completion


# Reasoning


@pytest.mark.parametrize("names", [["reasoning"], ["reasoning_content"], ["reasoning", "reasoning_content"]])
def test_reasoning_is_one_text_under_either_name(names: list[str]) -> None:
    def thinks(text: str) -> dict[str, Any]:
        return says(content="", **dict.fromkeys(names, text))

    events, state = run(chunk(thinks("a")), chunk(thinks("b")), chunk(says("c")), chunk(says(finish="stop")))
    assert [event.to_dict() for event in events if event.type.startswith("reasoning")] == [
        {"type": "reasoning.delta", "delta": "a", "snapshot": "a"},
        {"type": "reasoning.delta", "delta": "b", "snapshot": "ab"},
        {"type": "reasoning.done", "reasoning": "ab"},
    ]
    assert types(events).index("reasoning.done") < types(events).index("content.done")
    message = state.get_final_completion().choices[0].message
    assert message.reasoning == message.reasoning_content == "ab"
    assert {name: message.to_dict().get(name) for name in names} == dict.fromkeys(names, "ab")


def test_reasoning_ends_with_the_answer_a_refusal_a_call_or_the_stream() -> None:
    thinks = chunk(says(reasoning="a"))
    tool_call = call("", name="f", index=0)
    for following in (says("b"), says(refusal="b"), says(tool_calls=[tool_call]), says(finish="stop")):
        events, _ = run(thinks, chunk(following))
        assert types(events)[:2] == ["reasoning.delta", "reasoning.done"]


def test_empty_texts_do_not_end_reasoning() -> None:
    thinks = chunk(says(content="", refusal="", reasoning="a"))
    events, _ = run(thinks, thinks)
    assert "reasoning.done" not in types(events)


def test_reasoning_may_begin_again() -> None:
    parts: list[dict[str, Any]] = [
        {"reasoning": "a"},
        {"content": "b"},
        {"reasoning": "c"},
        {"finish": "stop"},
    ]
    events, _ = run(*(chunk(says(**part)) for part in parts))
    assert [event.reasoning for event in events if event.type == "reasoning.done"] == ["a", "ac"]


# Tool calls


def test_tool_calls_give_delta_and_done_events() -> None:
    events, state = run(
        calls(call("", name="f", index=0, id="c0", type="function")),
        calls(call('{"a":', index=0)),
        calls(call("1}", index=0)),
        calls(call("{}", name="g", index=1, id="c1", type="function")),
        chunk(says(finish="tool_calls")),
        input_tools=[STRICT_TOOL],
    )
    delta = ["tool_calls.function.arguments.delta", "tool_calls.delta"]
    done = ["tool_calls.function.arguments.done", "tool_calls.done"]
    assert types(events) == [*delta, *delta, *delta, *delta, *done, *done]
    deltas = [event.to_dict() for event in events if isinstance(event, ToolCallDeltaEvent)]
    assert deltas[2] == {
        "type": "tool_calls.delta",
        "delta": "1}",
        "snapshot": '{"a":1}',
        "index": 0,
        "id": "c0",
        "name": "f",
    }
    ended = [event for event in events if isinstance(event, ToolCallDoneEvent)]
    assert [(event.index, event.id, event.name, event.arguments) for event in ended] == [
        (0, "c0", "f", '{"a":1}'),
        (1, "c1", "g", "{}"),
    ]
    assert ended[0].parsed_function == ParsedFunction(
        name="f", arguments='{"a":1}', parsed_arguments={"a": 1}
    )
    assert ended[1].parsed_function == ParsedFunction(name="g", arguments="{}", parsed_arguments=None)
    assert tool_calls(state) == [(0, "c0", "f", '{"a":1}'), (1, "c1", "g", "{}")]


def test_id_and_name_may_be_repeated_with_each_fragment() -> None:
    events, state = run(
        *(
            calls(call(fragment, name=f"f{index}", index=index, id=f"c{index}", type="function"))
            for index in (0, 1)
            for fragment in ("", '{"a":', "1}")
        )
    )
    assert tool_calls(state) == [(0, "c0", "f0", '{"a":1}'), (1, "c1", "f1", '{"a":1}')]
    assert {event.name for event in events if event.type == "tool_calls.delta"} == {"f0", "f1"}


def test_the_first_id_and_the_first_name_count() -> None:
    _, state = run(calls(call("{", name="f", index=0, id="x")), calls(call("}", name="g", index=0, id="y")))
    assert tool_calls(state) == [(0, "x", "f", "{}")]


def test_calls_may_begin_in_any_order() -> None:
    _, state = run(calls(call("{}", name="g", index=1)), calls(call("{}", name="f", index=0)))
    assert tool_calls(state) == [(0, "", "f", "{}"), (1, "", "g", "{}")]


def test_a_type_that_is_missing_or_turns_null_means_a_function() -> None:
    events, state = run(
        calls({**call("{", name="f", index=0), "type": None}), calls({**call("}", index=0), "type": None})
    )
    assert types(events)[::2] == ["tool_calls.function.arguments.delta"] * 2
    assert state.get_final_completion().choices[0].message.tool_calls == [
        ParsedFunctionToolCall(type="function", function=ParsedFunction(name="f", arguments="{}"))
    ]


def test_a_fragment_may_lack_the_function() -> None:
    fragments = (call("{}", name="f", index=0), {"index": 0}, {"index": 0, "function": None})
    events, state = run(*map(calls, fragments))
    assert types(events)[::2] == ["tool_calls.function.arguments.delta"] * 3
    assert tool_calls(state) == [(0, "", "f", "{}")]


def test_a_call_may_come_whole_in_one_chunk() -> None:
    for finish in (None, "tool_calls"):
        events, state = run(
            calls(
                call('{"a":1}', name="f", index=0, id="c0", type="function"),
                call('{"a":2}', name="f", index=1, id="c1", type="function"),
                finish=finish,
            ),
            *([] if finish else [chunk(says(finish="tool_calls"))]),
            input_tools=[STRICT_TOOL],
        )
        events += state.finish()
        done = [event for event in events if isinstance(event, FunctionToolCallArgumentsDoneEvent)]
        assert [event.parsed_arguments for event in done] == [{"a": 1}, {"a": 2}]
        assert [event.index for event in events if isinstance(event, ToolCallDoneEvent)] == [0, 1]
        assert state.finish() == []


@pytest.mark.parametrize("tool", [STRICT_TOOL, {"type": "function", "function": {"name": "f"}}], ids=str)
def test_calls_may_be_interleaved(tool: Any) -> None:
    events, state = run(
        calls(call("", name="f", index=0, id="c0"), call("", name="f", index=1, id="c1")),
        *(
            calls(call(fragment, index=index))
            for fragments in ([('{"a":', 0), ('{"b":', 1)], [("1", 0), ("2", 1)], [("}", 0), ("}", 1)])
            for fragment, index in fragments
        ),
        chunk(says(finish="tool_calls")),
        input_tools=[tool],
    )
    assert tool_calls(state) == [(0, "c0", "f", '{"a":1}'), (1, "c1", "f", '{"b":2}')]
    done = [event for event in events if isinstance(event, ToolCallDoneEvent)]
    assert [(event.index, event.arguments) for event in done] == [(0, '{"a":1}'), (1, '{"b":2}')]
    their_done = [event for event in events if isinstance(event, FunctionToolCallArgumentsDoneEvent)]
    assert sorted(event.index for event in their_done) == [0, 1]
    if tool is STRICT_TOOL:
        assert [event.parsed_arguments for event in their_done] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("arguments", ['{"a":', "[]x"], ids=["unfinished", "invalid"])
def test_a_strict_call_that_is_left_unfinished_ends_with_the_choice(arguments: str) -> None:
    events, state = run(
        calls(call(arguments, name="f", index=0)),
        calls(call("{}", name="f", index=1)),
        chunk(says(finish="tool_calls")),
        input_tools=[STRICT_TOOL],
    )
    done = [event for event in events if isinstance(event, FunctionToolCallArgumentsDoneEvent)]
    assert [(event.index, event.arguments) for event in done] == [(0, arguments), (1, "{}")]
    with pytest.raises(ValueError, match="line 1"):
        _ = done[0].parsed_arguments
    assert done[1].parsed_arguments == {}
    assert tool_calls(state) == [(0, "", "f", arguments), (1, "", "f", "{}")]


def test_calls_that_all_have_the_same_index_are_told_apart_by_their_ids() -> None:
    _, state = run(
        calls(call('{"a":1}', name="f", index=0, id="c0")),
        calls(call('{"b":', name="g", index=0, id="c1")),
        calls(call("2}", index=0)),
        calls(call("{}", name="g", index=0, id="c2"), call("", name="g", index=0, id="c2")),
    )
    assert tool_calls(state) == [(0, "c0", "f", '{"a":1}'), (1, "c1", "g", '{"b":2}'), (2, "c2", "g", "{}")]


def test_an_id_that_changes_within_a_call_does_not_split_it() -> None:
    fragments = (
        call('{"a":', name="f", index=0, id="x"),
        call("1}", name="f", index=0, id="y"),
        call("\n", index=0, id="z"),
    )
    _, state = run(*map(calls, fragments))
    assert tool_calls(state) == [(0, "x", "f", '{"a":1}\n')]


def test_calls_of_custom_tools_give_our_events_and_are_in_the_completion() -> None:
    events, state = run(
        calls({"index": 0, "id": "c0", "type": "custom", "custom": {"name": "sql", "input": "select"}}),
        calls({"index": 0, "custom": {"input": " 1"}}),
        chunk(says(finish="tool_calls")),
    )
    assert types(events) == ["tool_calls.delta", "tool_calls.delta", "tool_calls.done"]
    assert (events[-1].arguments, events[-1].parsed_function) == ("select 1", None)
    assert state.get_final_completion().choices[0].message.tool_calls == [
        ParsedFunctionToolCall(id="c0", type="custom", custom=Custom(name="sql", input="select 1"))
    ]


# Tool calls without an index


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        pytest.param([call("{", name="f"), call("}")], [("", "f", "{}")], id="one call"),
        pytest.param(
            [call("{", name="f", id="a"), call("}", id="a")], [("a", "f", "{}")], id="an id repeated"
        ),
        pytest.param([call("{}", name="f"), call("x")], [("", "f", "{}x")], id="one call, whatever follows"),
        pytest.param(
            [call("{", name="f", id="a"), call("[", name="f", id="b"), call("}", id="a"), call("]", id="b")],
            [("a", "f", "{}"), ("b", "f", "[]")],
            id="ids repeated, interleaved",
        ),
        pytest.param(
            [call("{}", name="f", id="a"), call("{", name="f", id="b"), call("}")],
            [("a", "f", "{}"), ("b", "f", "{}")],
            id="a new id and name begin a call",
        ),
        pytest.param([call("{", name="f"), call("}", name="f")], [("", "f", "{}")], id="a name repeated"),
        pytest.param(
            [call("{}", name="f"), call("{}", name="f")],
            [("", "f", "{}"), ("", "f", "{}")],
            id="a name used again",
        ),
        pytest.param(
            [call("{", name="f"), call("{", name="g"), call("}", name="f"), call("}", name="g")],
            [("", "f", "{}"), ("", "g", "{}")],
            id="names repeated, interleaved",
        ),
        pytest.param(
            [call("{}", name="f"), call("{", name="g"), call("}")],
            [("", "f", "{}"), ("", "g", "{}")],
            id="only one call is unfinished",
        ),
        pytest.param(
            [call("{", name="f"), call("}", id="a")], [("a", "f", "{}")], id="an id that comes late"
        ),
        pytest.param(
            [call("{", id="a"), call("}", name="f")], [("a", "f", "{}")], id="a name that comes late"
        ),
        pytest.param(
            [call("{", name="f", id="a"), call("}", id="b")],
            [("a", "f", "{}")],
            id="another id, but only one call is unfinished",
        ),
        pytest.param(
            [call("{}", name="f"), call("{}", name="g"), call(" ")],
            [("", "f", "{}"), ("", "g", "{} ")],
            id="nothing new goes to the last call",
        ),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one chunk", "one by one"])
def test_a_missing_index_is_inferred(
    fragments: list[dict[str, Any]], expected: list[tuple[str, str, str]], together: bool
) -> None:
    _, state = run(*([calls(*fragments)] if together else map(calls, fragments)))
    assert tool_calls(state) == [(index, *each) for index, each in enumerate(expected)]


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param([call("{", name="f"), call("{", name="g"), call("}")], id="two calls are unfinished"),
        pytest.param(
            [call("{", name="f", id="a"), call("{", name="f", id="b"), call("}", name="f")],
            id="two of a name",
        ),
        pytest.param([call("{}", name="f"), call("{}", name="g"), call("x")], id="all calls are finished"),
    ],
)
def test_a_missing_index_that_could_be_several_is_an_error(fragments: list[dict[str, Any]]) -> None:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for fragment in fragments[:-1]:
        state.handle_chunk(calls(fragment))
    before = tool_calls(state)
    with pytest.raises(StreamError, match=r"has no index.*0 .*f.*must send an index"):
        state.handle_chunk(calls(fragments[-1]))
    assert tool_calls(state) == before


# What few servers send


def test_audio_is_put_together() -> None:
    parts: list[dict[str, Any]] = [
        {"id": "au", "transcript": "Hel"},
        {"id": "au", "data": "AA"},
        {"data": "BB", "transcript": "lo", "expires_at": 7},
        {"expires_at": 9},
        {"data": None},
    ]
    _, state = run(*(chunk(says(audio=part)) for part in parts))
    audio = state.get_final_completion().choices[0].message.audio
    assert audio == ChatCompletionAudio(id="au", data="AABB", transcript="Hello", expires_at=9)


def test_annotations_are_collected() -> None:
    def cites(url: str) -> dict[str, Any]:
        return says(annotations=[{"type": "url_citation", "url_citation": {"url": url}}])

    _, state = run(chunk(cites("a")), chunk(cites("b")))
    first = state.current_completion_snapshot.choices[0].message.annotations
    state.handle_chunk(chunk(cites("c")))
    for each, urls in (
        (first, ["a", "b"]),
        (state.get_final_completion().choices[0].message.annotations, ["a", "b", "c"]),
    ):
        assert [note.url_citation.url for note in each or [] if note.url_citation] == urls


def test_a_function_call_of_the_old_kind_is_put_together() -> None:
    _, state = run(
        chunk(says(function_call={"name": "f", "arguments": "{"})),
        chunk(says(function_call={"name": "f", "arguments": "}"})),
    )
    message = state.get_final_completion().choices[0].message
    assert message.function_call == FunctionCall(name="f", arguments="{}")


# Answers that were cut


@pytest.mark.parametrize(
    ("reason", "error"),
    [("length", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)],
)
def test_an_answer_cut_short_is_an_error_if_it_was_to_be_parsed(reason: str, error: type[Any]) -> None:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState(input_tools=[STRICT_TOOL])
    state.handle_chunk(chunk(says("a")))
    with pytest.raises(error) as caught:
        state.handle_chunk(chunk(says("b", finish=reason), usage={"total_tokens": 3}))
    for completion in (caught.value.completion, state.current_completion_snapshot):
        assert completion.choices[0].message.content == "ab"
        assert completion.choices[0].finish_reason == reason
        assert completion.usage.total_tokens == 3


def test_an_answer_cut_short_in_its_first_chunk_is_an_error_at_the_end() -> None:
    events, state = run(chunk(says("a", finish="length")), input_tools=[STRICT_TOOL])
    assert types(events) == ["content.delta", "content.done"]
    with pytest.raises(LengthFinishReasonError):
        state.get_final_completion()


def test_an_answer_cut_short_is_an_error_at_the_end_in_any_case() -> None:
    events, state = run(chunk(says("a")), chunk(says("b", finish="length")))
    assert types(events) == ["content.delta", "content.delta", "content.done"]
    with pytest.raises(LengthFinishReasonError) as caught:
        state.get_final_completion()
    assert caught.value.completion.choices[0].message.content == "ab"


def test_an_unknown_finish_reason_ends_a_choice_like_any_other() -> None:
    events, state = run(chunk(says("a")), chunk(says(finish="eos_token")))
    assert types(events) == ["content.delta", "content.done"]
    assert state.get_final_completion().choices[0].finish_reason == "eos_token"


# Sizes


def test_a_long_stream_is_gathered_without_being_copied() -> None:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    piece = "x" * 1000
    events: list[Any] = []
    for _ in range(2000):
        events += state.handle_chunk(ChatCompletionChunk.from_dict(chunk(says(piece)).to_dict()))
    # Two megabytes. No snapshot was read yet, so the events hold only the pieces.
    assert all(event.delta is piece for event in events if isinstance(event, ContentDeltaEvent))
    assert len(events[-1].snapshot) == 2_000_000
    assert len(events[3].snapshot) == 2_000

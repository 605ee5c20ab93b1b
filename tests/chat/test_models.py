"""The models: what they read, what they tolerate, what they keep, what they write."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from chunk_strategies import chunk_sequences
from hypothesis import given
from hypothesis import strategies as st

from ssejet.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
    ChoiceLogprobs,
    Completion,
    CompletionTokensDetails,
    CompletionUsage,
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
)

CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1763683200,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 1,
            "delta": {
                "role": "assistant",
                "content": "Hi",
                "tool_calls": [
                    {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
                ],
            },
            "logprobs": {
                "content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}],
                "refusal": None,
            },
            "finish_reason": None,
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}


def read(value: Any) -> ChatCompletionChunk:
    return ChatCompletionChunk.from_json(json.dumps(value))


# What they read


def test_a_documented_chunk_is_read_into_its_fields() -> None:
    chunk = read(CHUNK)
    [choice] = chunk.choices
    assert (chunk.id, chunk.created, chunk.model) == ("chatcmpl-1", 1763683200, "m")
    assert chunk.object == "chat.completion.chunk"
    assert (choice.index, choice.finish_reason) == (1, None)
    assert choice.delta == ChoiceDelta(
        role="assistant",
        content="Hi",
        tool_calls=[
            ChoiceDeltaToolCall(
                index=0, id="c", type="function", function=ChoiceDeltaToolCallFunction(name="f", arguments="")
            )
        ],
    )
    assert isinstance(choice.logprobs, ChoiceLogprobs)
    assert choice.logprobs.content is not None
    assert choice.logprobs.content[0].bytes == [72, 105]
    assert chunk.usage == CompletionUsage(
        prompt_tokens=1,
        completion_tokens=2,
        total_tokens=3,
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=1),
    )


def test_bytes_are_read_as_utf_8() -> None:
    assert ChatCompletionChunk.from_json('{"id": "é"}'.encode()).id == "é"


def test_a_completion_of_the_older_endpoint_is_read() -> None:
    completion = Completion.from_json(
        '{"id": "cmpl-1", "object": "text_completion", "choices": [{"index": 0, "text": "Hi", "logprobs":'
        ' {"tokens": ["Hi"], "token_logprobs": [null], "top_logprobs": [{"Hi": -0.5}], "text_offset": [0]},'
        ' "finish_reason": "stop"}]}'
    )
    [choice] = completion.choices
    assert (choice.text, choice.finish_reason) == ("Hi", "stop")
    assert choice.logprobs is not None
    assert choice.logprobs.top_logprobs == [{"Hi": -0.5}]


def test_a_whole_chat_completion_is_read() -> None:
    completion = ChatCompletion.from_json(
        '{"choices": [{"message": {"role": "assistant", "content": null, "annotations": [{"type":'
        ' "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}],'
        ' "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]}'
    )
    message = completion.choices[0].message
    assert message.tool_calls is not None
    assert message.tool_calls[0].function is not None
    assert message.tool_calls[0].function.arguments == "{}"
    assert message.annotations is not None
    assert message.annotations[0].url_citation is not None
    assert message.annotations[0].url_citation.url == "u"


def test_msgspec_reads_the_models_on_its_own() -> None:
    assert msgspec.json.decode(json.dumps(CHUNK), type=ChatCompletionChunk) == read(CHUNK)


# What they tolerate


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param({}, ChatCompletionChunk(), id="nothing"),
        pytest.param(dict.fromkeys(CHUNK), ChatCompletionChunk(), id="everything null"),
        pytest.param({"choices": [{}]}, ChatCompletionChunk(choices=[Choice()]), id="an empty choice"),
        pytest.param(
            {"choices": [{"delta": None}]}, ChatCompletionChunk(choices=[Choice()]), id="a null delta"
        ),
        pytest.param({"choices": [None]}, ChatCompletionChunk(), id="a null choice"),
        pytest.param({"choices": {}}, ChatCompletionChunk(), id="choices of a wrong type"),
        pytest.param(
            {"choices": [{"index": None, "finish_reason": "eos"}]},
            ChatCompletionChunk(choices=[Choice(finish_reason="eos")]),
            id="an unknown finish reason, a null index",
        ),
        pytest.param(
            {"choices": [{"delta": {"content": [{"type": "text"}], "role": "critic"}}]},
            ChatCompletionChunk(choices=[Choice(delta=ChoiceDelta(role="critic"))]),
            id="content of a wrong type, beside an unknown role",
        ),
        pytest.param(
            {"choices": [{"delta": {"tool_calls": [{"index": "1", "function": None}, None]}}]},
            ChatCompletionChunk(
                choices=[Choice(delta=ChoiceDelta(tool_calls=[ChoiceDeltaToolCall(index=1)]))]
            ),
            id="an index in quotes, a null function, a null tool call",
        ),
        pytest.param({"created": 1.75, "id": 7}, ChatCompletionChunk(created=1, id="7"), id="other numbers"),
        pytest.param({"created": "soon"}, ChatCompletionChunk(), id="a number that is none"),
        pytest.param(
            {"usage": {"prompt_tokens": None, "total_tokens": 2.0, "cost": 1}},
            ChatCompletionChunk(usage=CompletionUsage(total_tokens=2)),
            id="null token counts",
        ),
    ],
)
def test_what_does_not_fit_becomes_the_default(sent: Any, expected: ChatCompletionChunk) -> None:
    assert read(sent) == expected
    assert ChatCompletionChunk.from_dict(sent) == expected


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" * 30])
def test_json_that_only_python_reads_is_read(number: str) -> None:
    chunk = ChatCompletionChunk.from_json(f'{{"id": "a", "created": {number}, "choices": [{{"index": 1}}]}}')
    assert (chunk.id, chunk.choices[0].index) == ("a", 1)


def test_a_lone_surrogate_is_read() -> None:
    chunk = ChatCompletionChunk.from_json(r'{"choices": [{"delta": {"content": "\ud83d"}}]}')
    assert chunk.choices[0].delta.content == "\ud83d"
    assert json.loads(chunk.to_json(indent=1)) == chunk.to_dict()


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "1"])
def test_json_that_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="object"):
        ChatCompletionChunk.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "{'id': 1}", '{"id": 1} x'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        ChatCompletionChunk.from_json(text)


_names = st.sampled_from(
    ["choices", "delta", "index", "tool_calls", "function", "content", "usage", "logprobs", "id"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(CHUNK)), _json))
def test_a_chunk_is_made_of_any_object(sent: Any) -> None:
    chunk = ChatCompletionChunk.from_dict(sent)
    assert all(isinstance(choice.delta, ChoiceDelta) for choice in chunk.choices)
    assert all(isinstance(choice.index, int) for choice in chunk.choices)


# What they keep


def test_fields_that_a_server_adds_are_reachable() -> None:
    sent = {**CHUNK, "provider": "p", "choices": [{"delta": {"content": "a", "mood": "good"}}]}
    chunk = read(sent)
    assert chunk.extra == {"provider": "p"}
    assert chunk.to_dict() == sent
    assert ChatCompletionChunk.from_dict(sent).extra == {"provider": "p"}


def test_a_models_to_json_gives_the_text_as_it_came() -> None:
    text = '{ "id":"a",\t"new": 1.0 }'
    chunk = ChatCompletionChunk.from_json(text)
    assert chunk.to_json() == text
    assert chunk.to_json(indent=2) == '{\n  "id": "a",\n  "new": 1.0\n}'


@given(chunk_sequences())
def test_a_models_to_dict_gives_what_was_sent(chunks: list[dict[str, Any]]) -> None:
    assert [read(chunk).to_dict() for chunk in chunks] == chunks


def _pickled(chunk: ChatCompletionChunk) -> Any:
    return pickle.loads(pickle.dumps(chunk))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _pickled])
@pytest.mark.parametrize("sent", [CHUNK, {"provider": "p"}])
def test_copies_keep_what_was_sent(copied: Any, sent: dict[str, Any]) -> None:
    for chunk in (read(sent), ChatCompletionChunk.from_dict(sent)):
        assert copied(chunk) == chunk
        assert copied(chunk).to_dict() == sent
    assert copied(ChatCompletionChunk(id="a")) == ChatCompletionChunk(id="a")


def test_what_was_sent_takes_no_part_in_comparisons() -> None:
    assert read({"id": "a", "provider": "p"}) == ChatCompletionChunk(id="a")


def test_models_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        read(CHUNK).id = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        ChoiceDelta().reasoning = "other"  # type: ignore[misc]


def test_a_changed_copy_forgets_what_was_sent() -> None:
    chunk = msgspec.structs.replace(read({"id": "a", "provider": "p"}), id="b")
    assert chunk.to_dict()["id"] == "b"
    assert chunk.extra == {}


# What they write


def test_a_model_made_by_hand_writes_what_is_not_null() -> None:
    chunk = ChatCompletionChunk(id="a", choices=[Choice(delta=ChoiceDelta(content="b"))])
    assert chunk.to_dict() == {
        "id": "a",
        "choices": [{"index": 0, "delta": {"content": "b"}}],
        "created": 0,
        "model": "",
        "object": "chat.completion.chunk",
    }
    assert read(json.loads(chunk.to_json())) == chunk


def test_msgspec_writes_the_fields_alone() -> None:
    written = msgspec.json.decode(msgspec.json.encode(read({"id": "a", "provider": "p"})))
    assert set(written) == set(ChatCompletionChunk.__struct_fields__)


def test_a_repr_leaves_out_defaults() -> None:
    assert repr(ChoiceDelta(content="a")) == "ChoiceDelta(content='a')"
    assert eval(repr(ChoiceDelta(content="a"))) == ChoiceDelta(content="a")


# Reasoning, which has two names


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("model", [ChoiceDelta, ChatCompletionMessage, ParsedChatCompletionMessage])
def test_reasoning_is_read_by_either_name_and_written_by_the_one_it_came_with(model: Any, name: str) -> None:
    for made in (model.from_dict({name: "hm"}), model(**{name: "hm"})):
        assert made.reasoning == made.reasoning_content == "hm"
        assert made.to_dict() == {name: "hm"}
        assert made == model(**{name: "hm"})


def test_reasoning_sent_by_both_names_is_read_by_each() -> None:
    delta = ChoiceDelta(reasoning="a", reasoning_content="b")
    assert (delta.reasoning, delta.reasoning_content) == ("a", "b")
    assert ChoiceDelta().reasoning is None


# Messages for the next request


def test_a_message_becomes_a_parameter_without_what_only_responses_hold() -> None:
    message = (
        ParsedChatCompletion.from_dict(
            {
                "choices": [
                    {
                        "message": {
                            "content": "Hi",
                            "reasoning_content": "hm",
                            "parsed": {"a": 1},
                            "audio": {"id": "au", "data": "AAAA"},
                            "tool_calls": [
                                {
                                    "index": 0,
                                    "id": "c",
                                    "type": "function",
                                    "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}},
                                },
                                {
                                    "index": 1,
                                    "id": "d",
                                    "type": "custom",
                                    "custom": {"name": "g", "input": "x"},
                                },
                            ],
                        }
                    }
                ]
            }
        )
        .choices[0]
        .message
    )
    assert message.to_param() == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": "hm",
        "audio": {"id": "au"},
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "d", "type": "custom", "custom": {"name": "g", "input": "x"}},
        ],
    }


def test_a_refusal_and_a_function_call_are_parameters_too() -> None:
    message = ChatCompletionMessage.from_dict(
        {"role": "assistant", "refusal": "No.", "function_call": {"name": "f", "arguments": "{}"}}
    )
    assert message.to_param() == {
        "role": "assistant",
        "refusal": "No.",
        "function_call": {"name": "f", "arguments": "{}"},
    }

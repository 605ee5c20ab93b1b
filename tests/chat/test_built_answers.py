"""Answers built directly from texts of known shapes are equal to those that msgspec decodes."""

from __future__ import annotations

import gc
import json
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssejet import ServerSentEvent, StreamMachine
from ssejet._core import AnswerBuilder, Assembler
from ssejet.chat import ChatCompletion, ChatCompletionChunk, Choice, ChoiceDelta, Completion
from ssejet.messages import RawMessageStreamEvent
from ssejet.responses import ResponseEvent, ResponseStreamEvent

if TYPE_CHECKING:
    from ssejet.chat._base import Response

CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1763683200,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "delta": {
                "role": "assistant",
                "content": "Hé",
                "reasoning": None,
                "tool_calls": [
                    {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
                ],
            },
            "logprobs": {
                "content": [{"token": "H", "logprob": -0.5, "bytes": [72], "top_logprobs": []}],
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
    "obfuscation": "x",
}
COMPLETION = {"id": "c", "choices": [{"index": 0, "text": "Hi", "logprobs": None}], "usage": None}


def exact(value: Any) -> Any:
    """A value with all its types and slots, so that equal results have equal parts."""
    if isinstance(value, list):
        return [exact(each) for each in value]
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.astuple(value)
        return type(value), [exact(field) for field in fields], exact(getattr(value, "_sent", "unset"))
    return type(value), repr(value)


def type_of(text: str) -> str:
    """The type of the event that has this text."""
    found = re.search(r'"type": ?"([a-z_.]+)"', text)
    return found.group(1) if found else "message"


def results(machine: StreamMachine[Any], text: str) -> Any:
    machine._enqueue([ServerSentEvent(event=type_of(text), data=text)])
    try:
        return [(exact(item), item.to_dict(), item.extra) for item in machine.items()]
    except Exception as error:
        return type(error), str(error)


def both_ways(model: Any, *texts: str) -> None:
    """Check that a stream gives the same items with and without building."""
    building, decoding, learning = (StreamMachine[Any](cast_to=model) for _ in range(3))
    assert building._cast.answer is not None
    assert building._cast.answer.build is not None
    for machine in (decoding, learning):
        assert machine._cast.answer is not None
        machine._cast.answer.build = None
    for text in texts:
        results(learning, text)  # what an answer keeps of its text depends on whether the shape is known
        assert results(building, text) == results(decoding, text)


MESSAGE_EVENT: Any = RawMessageStreamEvent


def builder_of(model: Any, *known: Any) -> AnswerBuilder:
    """A builder that knows the shapes of some JSON values."""
    builder = model.builder()
    assert builder is not None
    for value in known:
        model.from_json(json.dumps(value))
    return builder


def is_built(builder: AnswerBuilder, text: str, *, event_type: str | None = "message") -> bool:
    event = ServerSentEvent(event=event_type, data=text)
    result = builder.build(event)
    assert result is event or result._sent is text
    return result is not event


paths = st.lists(st.integers(0, 12), max_size=6)
odd_values = st.sampled_from(
    [
        None,
        True,
        0,
        -0.0,
        1,
        2**63,
        -(2**70),
        1.5,
        1e300,
        "",
        "error",
        "\ud800",
        "é😀",
        "0",
        [],
        {},
        [1],
        {"a": 1},
    ]
) | st.text(max_size=6)


def replaced(value: Any, path: list[int], new: Any) -> Any:
    """A copy of a value in which a part is another."""
    if not path or not value or not isinstance(value, (dict, list)):
        return new
    key = list(value)[path[0] % len(value)] if isinstance(value, dict) else path[0] % len(value)
    copied = value.copy()
    copied[key] = replaced(value[key], path[1:], new)
    return copied


@st.composite
def chunks(draw: st.DrawFn) -> Any:
    chunk: Any = CHUNK
    for _ in range(draw(st.integers(0, 3))):
        chunk = replaced(chunk, draw(paths), draw(odd_values))
    return chunk


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The JSON of a chunk, in places with other characters."""
    layout = draw(st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (1, (",", ": "))]))
    text = json.dumps(
        draw(chunks()), indent=layout[0], separators=layout[1], ensure_ascii=draw(st.booleans())
    )
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        size = draw(st.integers(0, 3))
        new = draw(
            st.sampled_from(
                ["", '"', "\\", "{", "}", "]", ",", ":", "0", "-", ".5", "e9", "\\u00e9", "\x01", " "]
            )
        )
        text = text[:place] + new + text[place + size :]
    return text


@given(st.lists(texts(), min_size=1, max_size=4))
@example(['{"choices":[{"index":0}],"created":12}', '{"choices":[{"index":0}],"created":123}'])
@example(['{"created":12,"choices":[{"index":1}]}', '{"created":123,"choices":[{"index":1}]}'])
@example(['{"id":"a","id":"b","choices":[{"index":1}]}'])
@example(['{"id":"\\ud83d\\ude00","choices":[{"index":1}]}', '{"id":"\\ud83d","choices":[{"index":1}]}'])
def test_any_text_gives_what_it_gives_through_msgspec(stream: list[str]) -> None:
    both_ways(ChatCompletionChunk, *stream, *stream)


@given(st.lists(chunks(), min_size=1, max_size=3))
def test_other_answers_are_the_same_too(answers: list[Any]) -> None:
    stream = [json.dumps(answer) for answer in (*answers, COMPLETION)] * 2
    both_ways(Completion, *stream)
    both_ways(ChatCompletion, *stream)


RESPONSE_EVENTS: list[dict[str, Any]] = [
    {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hé",
        "logprobs": [],
        "obfuscation": "x",
    },
    {
        "item_id": "fc",
        "output_index": 1,
        "type": "response.function_call_arguments.delta",
        "delta": "{",
        "sequence_number": 5,
    },
    {
        "type": "response.output_text.done",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "text": "Hé",
    },
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1"}},
    {"type": "response.created", "response": {"id": "r", "output": []}},
    {"type": "response.output_text.delta", "delta": "x", "logprobs": [{"token": "x", "logprob": -1}]},
    {"type": "error", "message": "no", "code": None},
    {"type": "response.unknown", "delta": "a"},
]
MESSAGE_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hé"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {"index": 1, "type": "content_block_delta", "delta": {"thinking": "a", "type": "thinking_delta"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "text": "a"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
    {"type": "ping"},
    {"type": "error", "error": {"type": "overloaded_error", "message": "no"}},
]


@given(st.sampled_from(["responses", "messages"]), st.data())
def test_any_event_is_what_it_is_through_msgspec(protocol: str, data: st.DataObject) -> None:
    events = RESPONSE_EVENTS if protocol == "responses" else MESSAGE_EVENTS
    stream = []
    for _ in range(data.draw(st.integers(1, 6))):
        event: Any = data.draw(st.sampled_from(events))
        for _ in range(data.draw(st.sampled_from([0, 0, 0, 1, 2]))):
            event = replaced(event, data.draw(paths), data.draw(odd_values))
        stream.append(json.dumps(event, separators=data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))))
    model = ResponseStreamEvent if protocol == "responses" else RawMessageStreamEvent
    both_ways(model, *stream, *stream)


@pytest.mark.parametrize("event", [*RESPONSE_EVENTS[:2], *MESSAGE_EVENTS[2:5]], ids=json.dumps)
def test_the_usual_events_are_built(event: Any) -> None:
    builder = builder_of(ResponseEvent) if event in RESPONSE_EVENTS else builder_of(MESSAGE_EVENT, event)
    text = json.dumps(event)
    for _ in range(3):
        assert is_built(builder, text, event_type=event["type"])
        assert is_built(builder, text)
    assert not is_built(builder, text, event_type="error")


def test_the_opening_of_events_is_shortened_to_what_they_share() -> None:
    builder = builder_of(ResponseEvent)
    first, second, third, last = (
        builder.build(ServerSentEvent(data=json.dumps({**RESPONSE_EVENTS[0], "delta": text, **more})))
        for text, more in (("a", {}), ("b", {}), ("c", {}), ("d", {"item_id": "msg_2"}))
    )
    # The first one may have another object than streams before it.
    assert second.item_id is third.item_id
    assert [each.delta for each in (first, second, third, last)] == ["a", "b", "c", "d"]
    assert last.item_id == "msg_2"


@pytest.mark.parametrize(("model", "answer"), [(ChatCompletionChunk, CHUNK), (Completion, COMPLETION)])
def test_a_text_of_a_known_shape_is_built(model: type[Response], answer: Any) -> None:
    text = json.dumps(answer)
    builder = builder_of(model, answer)
    event = ServerSentEvent(data=text)
    for _ in range(3):
        built = builder.build(event)
        assert exact(built) == exact(model.from_json(text))


def test_values_of_the_opening_are_shared_until_they_change() -> None:
    builder = builder_of(ChatCompletionChunk, CHUNK)
    other = {**CHUNK, "id": "chatcmpl-2"}
    # The first one may have another object than streams before it.
    _, one, two, three = (
        builder.build(ServerSentEvent(data=json.dumps(each))) for each in (CHUNK, CHUNK, CHUNK, other)
    )
    assert one.model is two.model
    assert one.choices is not two.choices
    assert (one.id, two.id, three.id) == ("chatcmpl-1", "chatcmpl-1", "chatcmpl-2")


UNUSUAL = {
    "an unknown field": '{"choices":[{"index":1}],"x":1}',
    "a repeated key": '{"choices":[{"index":1,"index":2}]}',
    "no choices": '{"choices":[]}',
    "an error": '{"error":{},"choices":[{"index":1}]}',
    "an integer beyond 64 bits": '{"choices":[{"index":12345678901234567890}]}',
    "a float for an integer": '{"choices":[{"index":1.0}]}',
    "a lone surrogate": '{"choices":[{"finish_reason":"\ud800"}]}',
    "an escaped lone surrogate": '{"choices":[{"finish_reason":"\\ud800"}]}',
    "an infinite number": '{"choices":[{"logprobs":{"content":[{"logprob":1e999}]}}]}',
    "null for a list": '{"choices":null}',
    "text after the end": '{"choices":[{"index":1}]}}',
    "a cut": '{"choices":[{"index":1}]',
    "the sentinel": "[DONE]",
    "nothing": "",
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_unusual_text_is_left_to_msgspec(text: str) -> None:
    class Fresh(ChatCompletionChunk, frozen=True):  # knows no shapes of other tests
        pass

    ordinary = [{"choices": [{"index": 1}]}, {"choices": [{"finish_reason": "stop"}]}]
    assert not is_built(builder_of(Fresh, *ordinary), text)


@pytest.mark.parametrize("event_type", ["error", "thread.run", "chunk", ""])
def test_an_event_of_another_type_is_left_to_the_machine(event_type: str) -> None:
    text = json.dumps(CHUNK)
    builder = builder_of(ChatCompletionChunk, CHUNK)
    assert is_built(builder, text)
    assert is_built(builder, text, event_type=None)
    assert not is_built(builder, text, event_type=event_type)


def test_after_many_unusual_texts_an_ordinary_one_is_built_again() -> None:
    builder = builder_of(ChatCompletionChunk, CHUNK)
    ordinary, unusual = json.dumps(CHUNK), UNUSUAL["an unknown field"]
    assert not any(is_built(builder, unusual) for _ in range(50))
    assert any(is_built(builder, ordinary) for _ in range(16))
    assert all(is_built(builder, ordinary) for _ in range(50))


def test_what_is_no_event_is_given_back() -> None:
    builder = builder_of(ChatCompletionChunk, CHUNK)
    for value in (None, "text", object()):
        assert builder.build(value) is value  # type: ignore[arg-type]


class WithMethod(ChatCompletionChunk, frozen=True):
    def words(self) -> list[str]:
        return (self.choices[0].delta.content or "").split()


class WithField(ChatCompletionChunk, frozen=True):
    provider: str = "none"


class Tracked(ChatCompletionChunk, frozen=True, gc=True):
    pass


class Checked(ChatCompletionChunk, frozen=True):
    def __post_init__(self) -> None:
        raise ValueError("checked")


@pytest.mark.parametrize("model", [WithMethod, WithField])
def test_subclasses_are_built(model: Any) -> None:
    text = json.dumps({**CHUNK, **({"provider": "x"} if model is WithField else {})})
    builder = builder_of(model, json.loads(text))
    built = builder.build(ServerSentEvent(data=text))
    assert type(built) is model
    assert exact(built) == exact(model.from_json(text))


@pytest.mark.parametrize("model", [Tracked, Checked])
def test_subclasses_whose_instances_are_more_than_fields_are_not(model: Any) -> None:
    assert model.builder() is None


def test_a_plan_of_other_slots_than_those_of_the_class_is_refused() -> None:
    slot: Any = Choice.index
    other: Any = ChoiceDelta.role
    sent: Any = Choice._sent
    for slots, source in (
        ([slot], sent),
        ([slot, slot, slot, slot], sent),
        ([other], sent),
        ([slot], slot),
        ([1], sent),
    ):
        fields = [(each, "index", ("int",), ("value", 0)) for each in slots]
        with pytest.raises(TypeError, match="no Struct of these slots only"):
            Assembler(("struct", Choice, fields, source), [])


def test_building_leaks_nothing() -> None:
    builder = builder_of(ChatCompletionChunk, CHUNK)
    text = json.dumps(CHUNK)
    event = ServerSentEvent(data=text)
    cut = ServerSentEvent(data=text[:-1])
    builder.build(event)
    counts = [sys.getrefcount(each) for each in (None, text, ChatCompletionChunk, Choice, ChoiceDelta)]
    for _ in range(100):
        builder.build(event)
        builder.build(cut)
    after = [sys.getrefcount(each) for each in (None, text, ChatCompletionChunk, Choice, ChoiceDelta)]
    assert all(abs(new - old) < 50 for old, new in zip(counts, after, strict=True))
    gc.collect()


def test_threads_may_share_a_builder() -> None:
    builder = builder_of(ChatCompletionChunk, CHUNK)
    events = [ServerSentEvent(data=json.dumps({**CHUNK, "id": str(number)})) for number in range(200)]
    failures: list[Any] = []

    def build() -> None:
        for event in events:
            built = builder.build(event)
            if built is not event and built.id != json.loads(event.data)["id"]:
                failures.append(built)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

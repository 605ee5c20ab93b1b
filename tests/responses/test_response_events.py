"""Events of the Responses API are decoded to their classes, and keep all that the server sent."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent as TheirEvents
from response_builders import EVERY_KIND, answer, bytes_of, completed, decoded, delta, events_of

from ssejet import APIError, InvalidJSONError, StreamMachine, TruncatedStreamError, responses
from ssejet.metrics import ResponseMetrics
from ssejet.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
    UnknownOutputItem,
    UnknownResponseEvent,
)
from ssejet.responses._events import EVENT_TYPES

THEIRS = {
    get_args(event.model_fields["type"].annotation)[0]: event for event in get_args(get_args(TheirEvents)[0])
}


def test_every_event_of_openai_python_has_a_class_of_the_same_name_and_fields() -> None:
    assert EVENT_TYPES.keys() == THEIRS.keys()
    for kind, theirs in THEIRS.items():
        ours = EVENT_TYPES[kind]
        assert ours.__name__ == theirs.__name__
        assert ours.type == kind
        assert theirs.model_fields.keys() - {"type"} <= {*ours.__struct_encode_fields__}, kind


def test_every_item_of_openai_python_has_a_class_of_the_same_name_and_fields() -> None:
    from openai.types.responses import ResponseOutputItem as TheirItems

    for theirs in get_args(get_args(TheirItems)[0]):
        ours = getattr(responses, theirs.__name__)
        names = {field.alias or name for name, field in theirs.model_fields.items()}
        assert names - {"type"} <= {*ours.__struct_encode_fields__}, theirs
        assert ours.type == get_args(theirs.model_fields["type"].annotation)[0]
    theirs_response = {*__import__("openai.types.responses").types.responses.Response.model_fields}
    assert theirs_response <= {*Response.__struct_fields__}


@pytest.mark.parametrize("named", [True, False], ids=["with event:", "without event:"])
def test_all_events_of_an_answer_are_decoded_and_keep_what_was_sent(named: bool) -> None:
    sent = events_of(answer(*EVERY_KIND))
    events = decoded(*sent, named=named)
    assert [event.to_dict() for event in events] == sent
    assert [type(event) for event in events] == [EVENT_TYPES[each["type"]] for each in sent]


def test_the_type_in_the_data_counts_if_the_event_line_says_something_else() -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent)
    line = b"event: response.created\ndata: " + json.dumps(delta("a")).encode() + b"\n\n"
    (event,) = machine.feed(line)
    assert isinstance(event, ResponseTextDeltaEvent)


@pytest.mark.parametrize("cast_to", [ResponseStreamEvent, ResponseEvent], ids=["union", "base class"])
def test_an_event_of_an_unknown_type_is_kept(cast_to: Any) -> None:
    sent = {"type": "response.telepathy.delta", "sequence_number": 7, "thought": {"a": 1}}
    (event,) = StreamMachine[Any](cast_to=cast_to).feed(bytes_of([sent]))
    assert isinstance(event, UnknownResponseEvent)
    assert (event.type, event.sequence_number) == ("response.telepathy.delta", 7)
    assert event.extra == {"thought": {"a": 1}}
    assert event.to_dict() == sent


def test_an_object_without_a_type_is_an_unknown_event() -> None:
    (event,) = decoded({"a": 1})
    assert event.to_dict() == {"a": 1}
    assert event.type == ""


def test_fields_that_a_server_adds_are_kept_at_every_depth() -> None:
    message = {
        "type": "message",
        "id": "m",
        "mood": "good",
        "content": [
            {
                "type": "output_text",
                "text": "a",
                "score": 1,
                "annotations": [
                    {"type": "file_path", "file_id": "f", "page": 2},
                    {"type": "doi", "doi": "10.1"},
                ],
                "logprobs": [{"token": "a", "logprob": -1.0, "rank": 1}],
            },
            {"type": "poem", "lines": ["a"]},
        ],
    }
    (event,) = decoded(
        {"type": "response.output_item.added", "output_index": 0, "item": message, "x": {"y": []}}
    )
    assert isinstance(event, ResponseOutputItemAddedEvent)
    assert event.extra == {"x": {"y": []}}
    item = event.item
    assert isinstance(item, ResponseOutputMessage)
    assert item.extra == {"mood": "good"}
    text, poem = item.content
    assert isinstance(text, ResponseOutputText)
    assert text.extra == {"score": 1}
    assert [annotation.extra for annotation in text.annotations] == [{"page": 2}, {"doi": "10.1"}]
    assert text.logprobs is not None
    assert text.logprobs[0].extra == {"rank": 1}
    assert (poem.type, poem.extra) == ("poem", {"lines": ["a"]})
    assert item.to_param() == message


def test_log_probabilities_of_a_delta_keep_what_a_server_adds() -> None:
    (event,) = decoded(delta("a", logprobs=[{"token": "a", "logprob": -1, "rank": 1}]))
    assert event.logprobs[0].extra == {"rank": 1}


def test_an_item_of_an_unknown_type_does_not_hide_those_around_it() -> None:
    known = {"type": "function_call", "name": "f", "arguments": "{}", "async": True}
    (event,) = decoded(
        {"type": "response.completed", "response": {"output": [known, {"type": "new", "a": 1}]}}
    )
    call, new = event.response.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert call.async_ is True
    assert isinstance(new, UnknownOutputItem)
    assert new.extra == {"a": 1}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(THEIRS.keys() - {"error"})), st.data())
def test_no_value_of_a_field_raises_and_none_is_lost(kind: str, data: st.DataObject) -> None:
    names = EVENT_TYPES[kind].__struct_encode_fields__
    sent = {"type": kind, **data.draw(st.dictionaries(st.sampled_from(names), _VALUES))}
    (event,) = decoded(sent)
    assert type(event) is EVENT_TYPES[kind]
    assert event.to_dict() == sent
    for name in event.fields:
        if name != "snapshot":
            getattr(event, name)
    assert repr(event)


@given(st.dictionaries(st.sampled_from(["type", "id", "content", "summary", "arguments", "status"]), _VALUES))
def test_no_value_in_an_item_raises_and_none_is_lost(item: dict[str, Any]) -> None:
    sent = {"type": "response.output_item.done", "item": item}
    (event,) = decoded(sent)
    assert event.to_dict() == sent
    assert event.item.to_dict() == item


def test_numbers_and_texts_are_converted_where_that_is_possible() -> None:
    (event,) = decoded(delta("a", output_index="1", content_index=2.0, item_id=7, sequence_number=None))
    assert (event.output_index, event.content_index, event.item_id) == (1, 2, "7")
    assert event.sequence_number is None


@pytest.mark.parametrize("text", ["[1]", "5", '"a"', "{", '{"type": "response.created"'])
def test_data_that_is_no_object_raises(text: str) -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent)
    with pytest.raises(InvalidJSONError):
        list(machine.feed(b"data: " + text.encode() + b"\n\n"))


def test_pings_leave_no_event() -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent)
    assert [*machine.feed(b'event: ping\ndata: ping\n\ndata: null\n\ndata: "heartbeat"\n\n: ping\n\n')] == []


@pytest.mark.parametrize("named", [True, False], ids=["with event:", "without event:"])
def test_an_error_event_raises(named: bool) -> None:
    sent = {"type": "error", "code": "server_error", "message": "busy", "param": None, "sequence_number": 3}
    with pytest.raises(APIError, match="busy") as caught:
        decoded(sent, named=named)
    assert caught.value.code == "server_error"
    assert caught.value.retryable


def test_an_error_in_another_shape_raises() -> None:
    with pytest.raises(APIError, match="no such model"):
        decoded({"error": {"message": "no such model"}})


def test_a_failed_response_is_an_event_of_a_plain_stream() -> None:
    failed = {
        "type": "response.failed",
        "response": {"status": "failed", "error": {"code": "c", "message": "m"}},
    }
    (event,) = decoded(failed)
    assert (event.response.error.code, event.response.error.message) == ("c", "m")


def test_events_are_equal_and_survive_copies_and_pickles() -> None:
    sent = events_of(answer(*EVERY_KIND))
    for first, second in zip(decoded(*sent), decoded(*sent), strict=True):
        assert first == second
        assert copy.copy(first) is first
        restored = pickle.loads(pickle.dumps(first))
        assert restored == first
        assert restored.to_dict() == first.to_dict()


def test_the_fields_can_be_changed_in_a_copy_only() -> None:
    (event,) = decoded(delta("a"))
    with pytest.raises(AttributeError):
        event.delta = "b"


def test_an_event_made_by_hand_gives_its_fields_as_json() -> None:
    event = ResponseTextDeltaEvent(delta="a", output_index=0)
    assert event.to_dict() == {
        "type": "response.output_text.delta",
        "delta": "a",
        "output_index": 0,
        "item_id": "",
    }
    assert event.extra == {}


def test_only_an_event_of_a_response_stream_has_a_snapshot() -> None:
    (event,) = decoded(delta("a"))
    assert not hasattr(event, "snapshot")
    assert event.parsed is None


def test_matching_by_keyword_works() -> None:
    (event,) = decoded(delta("a"))
    match event:
        case ResponseTextDeltaEvent(delta=text):
            assert text == "a"
        case _:
            pytest.fail("no match")


def test_input_that_ends_early_is_told_in_the_words_of_the_protocol() -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent, require_done=True)
    assert isinstance(machine.metrics, ResponseMetrics)
    assert len([*machine.feed(bytes_of([delta("a")]))]) == 1
    with pytest.raises(TruncatedStreamError, match=r"before an event response\.completed") as caught:
        list(machine.finish())
    assert "[DONE]" not in str(caught.value)


@pytest.mark.parametrize("last", ["completed", "incomplete", "failed"])
def test_the_last_event_ends_a_stream_without_a_sentinel(last: str) -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent, require_done=True)
    items = [*machine.feed(bytes_of([{"type": f"response.{last}", "response": {}}])), *machine.finish()]
    assert len(items) == 1


def test_a_sentinel_ends_the_stream_if_a_server_sends_one() -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent, require_done=True)
    sent = bytes_of([delta("a"), completed()]) + b"data: [DONE]\n\n" + bytes_of([delta("b")])
    assert len([*machine.feed(sent), *machine.finish()]) == 2


def test_a_sentinel_before_the_last_event_is_a_truncation() -> None:
    machine = StreamMachine[Any](cast_to=ResponseStreamEvent, require_done=True)
    items = machine.feed(bytes_of([delta("a")]) + b"data: [DONE]\n\n" + bytes_of([completed()]))
    assert next(items).delta == "a"
    with pytest.raises(TruncatedStreamError, match=r"before an event response\.completed"):
        next(items)
    assert machine.saw_done
    assert [*machine.finish()] == []


def test_the_response_gives_its_text_and_its_input_items() -> None:
    sent = answer(*EVERY_KIND)
    response = Response.from_json(json.dumps(sent))
    assert response.output_text == '{"city": "Rome", "days": [1, 2]}'
    assert response.to_input() == sent["output"]
    assert response.to_dict() == sent
    assert pickle.loads(pickle.dumps(response)).to_dict() == sent


def test_a_completed_event_has_the_response_as_it_was_sent() -> None:
    (event,) = decoded({"type": "response.completed", "response": {"id": "r", "cost": 1}})
    assert isinstance(event, ResponseCompletedEvent)
    assert event.response.id == "r"
    assert event.response.extra == {"cost": 1}

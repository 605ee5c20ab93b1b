"""The response is put together from its events, whatever a server leaves out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from response_builders import (
    CITATION,
    EVERY_KIND,
    PLACE,
    RESPONSE,
    answer,
    arguments,
    completed,
    created,
    decoded,
    delta,
    events_of,
)

from ssejet import (
    APIError,
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.responses import (
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    ParsedResponseOutputText,
    ResponseStreamState,
    function_tool,
)

ITEMS = [each["type"] for each in EVERY_KIND]


class City(pydantic.BaseModel):
    city: str
    days: list[int]


class CityStruct(msgspec.Struct):
    city: str
    days: list[int]


@dataclass
class CityDataclass:
    city: str
    days: list[int]


class CityDict(TypedDict):
    city: str
    days: list[int]


CITY = '{"city": "Rome", "days": [1, 2]}'
TYPES = [City, CityStruct, CityDataclass, CityDict]


def feed(state: ResponseStreamState[Any], *events: dict[str, Any]) -> list[Any]:
    return [out for event in events for out in state.handle_event(event)]


def outputs(state: ResponseStreamState[Any]) -> list[dict[str, Any]]:
    return [item.to_dict() for item in state.current_response_snapshot.output]


def without_status(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in item.items() if name != "status"} for item in items]


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


STREAMED = answer(*EVERY_KIND)


def test_the_output_of_the_last_event_is_the_output() -> None:
    state = ResponseStreamState[None]()
    for event in decoded(*events_of(STREAMED)):
        state.handle_event(event)
    assert state.get_final_response().to_dict() == STREAMED
    assert state.is_finished


@pytest.mark.parametrize("output", [None, [], "missing"], ids=["null", "empty", "missing"])
def test_output_that_the_last_event_lacks_comes_from_the_items(output: Any) -> None:
    state = ResponseStreamState[None]()
    *events, last = events_of(STREAMED)
    response = without(last["response"], "output")
    if output != "missing":
        response["output"] = output
    feed(state, *events, {**last, "response": response})
    assert state.get_final_response().to_dict() == {**STREAMED, "output": STREAMED["output"]}


def test_without_any_event_that_ends_something_deltas_make_the_output() -> None:
    state = ResponseStreamState[None]()
    feed(
        state, *[event for event in events_of(STREAMED) if not event["type"].endswith((".done", "completed"))]
    )
    assert without_status(outputs(state)) == without_status(STREAMED["output"])
    assert not state.is_finished


def test_items_that_were_not_ended_are_complete_when_the_response_is() -> None:
    state = ResponseStreamState[None]()
    events = [event for event in events_of(STREAMED) if not event["type"].endswith(".done")]
    events[-1] = {**events[-1], "response": {**events[-1]["response"], "output": []}}
    feed(state, *events)
    by_type = {item["type"]: item for item in outputs(state)}
    assert by_type["message"]["status"] == "completed"
    assert by_type["function_call"]["status"] == "completed"


GROWING = ["reasoning", "message", "function_call", "custom_tool_call", "mcp_call", "code_interpreter_call"]


@pytest.mark.parametrize(
    "missing",
    [
        ["item_id"],
        ["output_index"],
        ["output_index", "content_index", "summary_index"],
        ["item_id", "output_index", "content_index", "summary_index"],
        ["item_id", "content_index", "summary_index"],
    ],
    ids=", ".join,
)
def test_ids_and_indices_may_be_missing(missing: list[str]) -> None:
    state = ResponseStreamState[None]()
    feed(state, *[without(event, *missing) for event in events_of(STREAMED)][:-1])
    assert outputs(state) == STREAMED["output"]


def test_only_deltas_without_ids_or_indices_still_make_one_item_per_kind() -> None:
    state = ResponseStreamState[None]()
    deltas = [event for event in events_of(STREAMED) if event["type"].endswith(".delta")]
    feed(state, *[{"type": event["type"], "delta": event["delta"]} for event in deltas])
    kinds = ["reasoning", "message", "function_call", "custom_tool_call", "mcp_call"]
    assert [item["type"] for item in outputs(state)] == kinds
    assert state.current_response_snapshot.output_text == CITY


def test_servers_that_send_the_same_index_for_all_items_are_understood() -> None:
    state = ResponseStreamState[None]()
    feed(state, *[{**event, "output_index": 0} for event in events_of(STREAMED)][:-1])
    assert outputs(state) == STREAMED["output"]


def test_an_id_that_differs_between_an_item_and_its_deltas_does_no_harm() -> None:
    state = ResponseStreamState[None]()
    feed(state, *[{**event, "item_id": f"x{n}"} for n, event in enumerate(events_of(STREAMED))][:-1])
    assert outputs(state) == STREAMED["output"]


def test_an_index_counts_more_than_an_id_unless_several_items_have_it() -> None:
    state = ResponseStreamState[None]()
    added = "response.output_item.added"
    message = {"type": "message", "role": "assistant", "content": []}
    feed(
        state,
        {"type": added, "output_index": 0, "item": {**message, "id": "a"}},
        {"type": added, "output_index": 1, "item": {**message, "id": "b"}},
        delta("first", output_index=0, item_id="b"),
        {"type": added, "output_index": 1, "item": {**message, "id": "c"}},
        delta("second", output_index=1, item_id="b"),
        delta("third", output_index=1, item_id="c"),
    )
    texts = [item["content"][0]["text"] for item in outputs(state)]
    assert texts == ["first", "second", "third"]


def test_two_calls_whose_fragments_alternate_are_kept_apart() -> None:
    state = ResponseStreamState[None]()
    call = {"type": "function_call", "name": "f", "arguments": ""}
    added = "response.output_item.added"
    events = feed(
        state,
        created(),
        {"type": added, "output_index": 0, "item": {**call, "id": "fc_1", "call_id": "a"}},
        {"type": added, "output_index": 1, "item": {**call, "id": "fc_2", "call_id": "b"}},
        arguments('{"x"'),
        arguments('{"y"', item_id="fc_2", output_index=1),
        arguments(": 1}"),
        arguments(": 2}", item_id="fc_2", output_index=1),
    )
    assert [event.snapshot for event in events[3:]] == ['{"x"', '{"y"', '{"x": 1}', '{"y": 2}']
    assert [item["arguments"] for item in outputs(state)] == ['{"x": 1}', '{"y": 2}']


def test_a_delta_knows_the_text_as_it_was_at_the_event() -> None:
    events = feed(ResponseStreamState[None](), created(), delta("a"), delta("b"), delta("c"))
    assert [event.snapshot for event in events[1:]] == ["a", "ab", "abc"]


def test_parts_are_kept_apart() -> None:
    state = ResponseStreamState[None]()
    events = feed(state, delta("a"), delta("x", content_index=1), delta("b"))
    assert [event.snapshot for event in events] == ["a", "x", "ab"]
    assert state.current_response_snapshot.output_text == "abx"


def test_a_text_that_the_server_does_not_repeat_is_in_the_event_that_ends_it() -> None:
    done = {"type": "response.output_text.done", **PLACE}
    *_, event = feed(ResponseStreamState[None](), delta("ab"), delta("c"), done)
    assert event.text == "abc"
    assert event.to_dict() == done


def test_a_text_without_deltas_is_that_of_the_event_that_ends_it() -> None:
    state = ResponseStreamState[None]()
    feed(state, {"type": "response.output_text.done", **PLACE, "text": "abc"})
    assert state.current_response_snapshot.output_text == "abc"


def test_annotations_and_log_probabilities_are_gathered() -> None:
    state = ResponseStreamState[None]()
    added = {"type": "response.output_text.annotation.added", **PLACE, "annotation_index": 0}
    feed(state, delta("a", logprobs=[{"token": "a", "logprob": -1.0}]), {**added, "annotation": CITATION})
    (item,) = outputs(state)
    (part,) = item["content"]
    assert part["annotations"] == [CITATION]
    assert part["logprobs"] == [{"token": "a", "logprob": -1.0}]


def test_commands_and_their_outputs_are_put_together() -> None:
    state = ResponseStreamState[None]()
    place = {"output_index": 0, "command_index": 0}
    written = {"item_id": "so_1", "output_index": 1, "command_index": 0}
    events = feed(
        state,
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"type": "shell_call", "id": "sh_1"},
        },
        {"type": "response.shell_call_command.added", **place, "command": ""},
        {"type": "response.shell_call_command.delta", **place, "delta": "ls "},
        {"type": "response.shell_call_command.delta", **place, "delta": "-l"},
        {"type": "response.shell_call_command.done", **place, "command": "ls -l"},
        {
            "type": "response.shell_call_output_content.delta",
            **written,
            "delta": {"stdout": "a", "stderr": ""},
        },
        {"type": "response.shell_call_output_content.delta", **written, "delta": {"stdout": "b"}},
    )
    assert events[3].snapshot == "ls -l"
    call, output = outputs(state)
    assert call["action"] == {"commands": ["ls -l"]}
    assert output["output"] == [{"stdout": "ab", "stderr": ""}]


def test_events_that_tell_a_status_change_it() -> None:
    state = ResponseStreamState[None]()
    item = {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}
    feed(
        state,
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
    )
    assert outputs(state) == [{**item, "status": "searching"}]


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.__name__)
def test_the_answer_is_parsed_into_the_text_format(type_: Any) -> None:
    state: ResponseStreamState[Any] = ResponseStreamState(text_format=type_)
    events = [state.handle_event(event)[0] for event in events_of(STREAMED)]
    expected = {"city": "Rome", "days": [1, 2]}
    (done,) = [event for event in events if event.type == "response.output_text.done"]
    for parsed in (done.parsed, events[-1].response.output_parsed, state.get_final_response().output_parsed):
        assert parsed == (expected if type_ is CityDict else type_(**expected))


def test_a_delta_gives_the_json_so_far() -> None:
    state = ResponseStreamState(text_format=CityStruct)
    events = feed(
        state, created(), *[delta(piece) for piece in ('{"ci', 'ty": "Ro', 'me", "days": [1', ", 2]}")]
    )
    assert [event.parsed for event in events[1:]] == [
        {},
        {},
        {"city": "Rome", "days": [1]},
        {"city": "Rome", "days": [1, 2]},
    ]


def test_a_value_that_does_not_fit_raises_where_it_is_read() -> None:
    state = ResponseStreamState(text_format=CityStruct)
    done = {"type": "response.output_text.done", **PLACE, "text": '{"city": 1}'}
    item = {"type": "message", "content": [{"type": "output_text", "text": '{"city": 1}'}]}
    *_, text_done, end = feed(state, delta('{"city": 1}'), done, completed(item))
    assert state.current_response_snapshot.output_parsed == {"city": 1}
    with pytest.raises(msgspec.ValidationError):
        _ = text_done.parsed
    with pytest.raises(msgspec.ValidationError):
        _ = end.response
    with pytest.raises(msgspec.ValidationError):
        state.get_final_response()


def test_commentary_is_not_parsed() -> None:
    state = ResponseStreamState(text_format=CityStruct)
    text = {"type": "output_text", "text": "Let me see"}
    item = {"type": "message", "id": "msg_1", "phase": "commentary", "content": []}
    done = {"type": "response.output_text.done", **PLACE, "text": "Let me see"}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    events = feed(state, added, delta("Let me see"), done, completed({**item, "content": [text]}))
    assert events[1].parsed is None
    assert events[2].parsed is None
    assert state.get_final_response().output_parsed is None


def test_what_a_server_calls_parsed_is_not_taken_for_it() -> None:
    state = ResponseStreamState[None]()
    item = {"type": "message", "content": [{"type": "output_text", "text": "{}", "parsed": 5}]}
    feed(state, completed(item))
    message = state.get_final_response().output[0]
    assert isinstance(message, ParsedResponseOutputMessage)
    assert isinstance(message.content[0], ParsedResponseOutputText)
    assert message.content[0].parsed is None
    assert message.to_dict() == item


class F(pydantic.BaseModel):
    x: int


TOOLS = {
    "a type": F,
    "function_tool": function_tool(F),
    "a strict tool": {"type": "function", "name": "F", "strict": True, "parameters": {}},
    "a tool of chat completions": {"type": "function", "function": {"name": "F", "strict": True}},
    "a tool in a namespace": {
        "type": "namespace",
        "name": "n",
        "tools": [{"type": "function", "name": "F", "strict": True}],
    },
}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=list(TOOLS))
def test_the_arguments_of_strict_tools_are_parsed(tool: Any) -> None:
    state = ResponseStreamState[None](input_tools=[tool])
    namespace = {"namespace": "n"} if isinstance(tool, dict) and tool["type"] == "namespace" else {}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "F", "arguments": "", **namespace}
    end = {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 0}
    events = feed(
        state,
        {"type": "response.output_item.added", "output_index": 0, "item": call},
        arguments('{"x": 1'),
        arguments("2}"),
        {**end, "arguments": '{"x": 12}'},
        completed({**call, "arguments": '{"x": 12}'}),
    )
    expected = F(x=12) if tool is F or hasattr(tool, "model") else {"x": 12}
    assert [event.parsed_arguments for event in events[1:3]] == [{"x": 1}, {"x": 12}]
    assert events[3].parsed_arguments == expected
    (item,) = state.get_final_response().output
    assert isinstance(item, ParsedResponseFunctionToolCall)
    assert item.parsed_arguments == expected


def test_the_arguments_of_other_tools_are_not_parsed() -> None:
    state = ResponseStreamState[None](input_tools=[{"type": "function", "name": "f"}])
    call = {"type": "function_call", "name": "f", "arguments": "{broken"}
    feed(state, completed(call))
    (item,) = state.get_final_response().output
    assert isinstance(item, ParsedResponseFunctionToolCall)
    assert item.parsed_arguments is None


FAILED = {
    "type": "response.failed",
    "response": {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "it broke"}},
}


def test_a_failed_response_raises_and_keeps_what_had_arrived() -> None:
    state = ResponseStreamState[None]()
    feed(state, created(), delta("half"))
    with pytest.raises(APIError, match="it broke") as caught:
        feed(state, FAILED)
    error = caught.value
    assert error.code == "server_error"
    assert error.body == FAILED["response"]
    assert error.partial.output_text == "half"
    assert error.partial.status == "failed"
    with pytest.raises(APIError, match="it broke"):
        state.get_final_response()


def test_a_failed_response_without_an_error_raises() -> None:
    with pytest.raises(APIError, match="the response failed"):
        feed(ResponseStreamState[None](), {"type": "response.failed", "response": {"status": "failed"}})


def test_an_error_event_raises_and_keeps_what_had_arrived() -> None:
    state = ResponseStreamState[None]()
    feed(state, created(), delta("half"))
    with pytest.raises(APIError, match="busy"):
        feed(state, {"type": "error", "message": "busy", "code": None})


def incomplete(reason: str) -> dict[str, Any]:
    response = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    return {"type": "response.incomplete", "response": response}


CUT_SHORT = [
    ("max_output_tokens", LengthFinishReasonError),
    ("content_filter", ContentFilterFinishReasonError),
]


@pytest.mark.parametrize(("reason", "error"), CUT_SHORT)
def test_an_answer_that_must_be_parsed_but_was_cut_short_raises(reason: str, error: type[Exception]) -> None:
    state = ResponseStreamState(text_format=CityStruct)
    feed(state, created(), delta('{"city": "Rome"'))
    with pytest.raises(error) as caught:
        feed(state, incomplete(reason))
    assert caught.value.completion.output_text == '{"city": "Rome"'  # type: ignore[attr-defined]
    assert caught.value.completion.output_parsed == {"city": "Rome"}  # type: ignore[attr-defined]
    with pytest.raises(error):
        state.get_final_response()


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter", "steered", "new"])
def test_an_answer_that_need_not_be_parsed_may_be_incomplete(reason: str) -> None:
    state = ResponseStreamState[None]()
    *_, event = feed(state, created(), delta("half"), incomplete(reason))
    response = state.get_final_response()
    assert (response.status, response.output_text) == ("incomplete", "half")
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == reason
    assert event.response.output_text == "half"
    assert response.output[0].status == "incomplete"  # type: ignore[union-attr]


def test_a_cancelled_response_has_ended() -> None:
    state = ResponseStreamState[None]()
    response = {**RESPONSE, "status": "cancelled"}
    feed(state, created(), delta("half"), {"type": "response.cancelled", "response": response})
    assert state.is_finished
    assert state.get_final_response().status == "cancelled"


def test_a_stream_without_events_has_no_response() -> None:
    state = ResponseStreamState[None]()
    assert state.current_response_snapshot.output == []
    with pytest.raises(TruncatedStreamError, match="before its first event"):
        state.get_final_response()


@pytest.mark.parametrize("event", [5, "text", [1]], ids=repr)
def test_an_event_that_is_no_object_raises(event: Any) -> None:
    with pytest.raises(StreamError, match="an event must be an object"):
        ResponseStreamState[None]().handle_event(event)


def test_an_object_that_is_no_event_at_all_raises() -> None:
    with pytest.raises(TypeError, match="ResponseStreamEvent of ssejet or openai-python"):
        ResponseStreamState[None]().handle_event(object())


def test_null_and_pings_change_nothing() -> None:
    state = ResponseStreamState[None]()
    assert state.handle_event(None) == state.handle_event("ping") == []
    assert not state.has_started


def test_two_states_can_have_the_same_event() -> None:
    (event,) = decoded(delta("b"))
    first, second = ResponseStreamState[None](), ResponseStreamState[None]()
    feed(first, delta("a"))
    (of_first,) = first.handle_event(event)
    (of_second,) = second.handle_event(event)
    assert (of_first.snapshot, of_second.snapshot) == ("ab", "b")  # type: ignore[union-attr]


def test_the_response_continues_the_conversation() -> None:
    state = ResponseStreamState(text_format=CityStruct, input_tools=[function_tool(F, name="f")])
    feed(state, *events_of(answer(*EVERY_KIND[:3])))
    response = state.get_final_response()
    assert response.output_parsed is not None
    assert json.loads(json.dumps(response.to_input())) == answer(*EVERY_KIND[:3])["output"]

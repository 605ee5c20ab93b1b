"""The same events to openai-python's ResponseStreamState and to ours, in the usual order and in others."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState as TheirState
from openai.types.responses import ResponseStreamEvent as TheirEvent
from response_builders import EVERY_KIND, RESPONSE, answer, events_of, numbered

from ssejet.responses import ResponseStreamState


class City(pydantic.BaseModel):
    city: str
    days: list[int]


TOOLS: list[Any] = [{"type": "function", "name": "f", "strict": True, "parameters": {}}]


def plain(value: Any) -> Any:
    """As JSON types, without what was parsed and what is null."""
    if isinstance(value, dict):
        parsed = {"parsed", "parsed_arguments"}
        return {name: plain(each) for name, each in value.items() if name not in parsed and each is not None}
    return [plain(each) for each in value] if isinstance(value, list) else value


def values_in(response: Any) -> list[Any]:
    """What was parsed."""
    texts = [part for item in response.output if item.type == "message" for part in item.content]
    calls = [item for item in response.output if item.type == "function_call"]
    return [part.parsed for part in texts if part.type == "output_text"] + [c.parsed_arguments for c in calls]


def check(events: list[dict[str, Any]], *, parses: bool) -> int:
    """Compare event by event until theirs raises; ours never does. Returns how many were compared."""
    theirs: Any = TheirState(input_tools=TOOLS if parses else omit, text_format=City if parses else omit)
    ours: Any = ResponseStreamState(text_format=City, input_tools=TOOLS) if parses else ResponseStreamState()
    compared: int | None = None
    for number, event in enumerate(events):
        (our_event,) = ours.handle_event(event)
        if compared is not None:
            continue
        try:
            their_events = theirs.handle_event(construct_type(type_=TheirEvent, value=event))
        except Exception:  # their state asks for more than ours
            compared = number
            continue
        for their_event in their_events:
            assert our_event.type == their_event.type
            if hasattr(their_event, "snapshot"):
                assert our_event.snapshot == their_event.snapshot
            if our_event.type == "response.output_text.done":
                assert our_event.parsed == their_event.parsed
            if our_event.type == "response.completed":
                assert plain(our_event.response.to_dict()) == plain(their_event.response.to_dict())
                assert values_in(our_event.response) == values_in(their_event.response)
    if compared is None and theirs._completed_response is not None:
        ours_final, theirs_final = ours.get_final_response(), theirs._completed_response
        assert plain(ours_final.to_dict()) == plain(theirs_final.to_dict())
        assert values_in(ours_final) == values_in(theirs_final)
        assert ours_final.output_parsed == theirs_final.output_parsed
        assert ours_final.output_text == theirs_final.output_text
    return len(events) if compared is None else compared


# Theirs takes no items of unknown types.
KNOWN = [item for item in EVERY_KIND if item["type"] != "something_new"]
STREAMED = numbered(events_of(answer(*KNOWN)))


def ended_with(output: Any) -> list[dict[str, Any]]:
    """The events, with another output in the last one."""
    *events, last = STREAMED
    response = {name: value for name, value in last["response"].items() if name != "output"}
    if output != "missing":
        response["output"] = output
    return [*events, {**last, "response": response}]


@pytest.mark.parametrize("parses", [False, True], ids=["plain", "parsed"])
def test_the_events_and_the_response_of_a_usual_stream_are_equal(parses: bool) -> None:
    assert check(STREAMED, parses=parses) == len(STREAMED)


@pytest.mark.parametrize("output", [None, "missing"], ids=["null", "missing"])
def test_the_response_is_equal_if_the_last_event_has_no_output(output: Any) -> None:
    events = ended_with(output)
    assert check(events, parses=True) == len(events)


@pytest.mark.parametrize("kind", range(len(KNOWN)), ids=lambda n: f"{n} {KNOWN[n]['type']}")
def test_each_kind_of_item_is_put_together_as_theirs(kind: int) -> None:
    events = numbered(events_of(answer(KNOWN[kind])))
    assert check(events, parses=True) == len(events)


_ENDINGS = st.sampled_from([STREAMED, ended_with(None), ended_with("missing")])


@given(_ENDINGS, st.data(), st.booleans())
def test_events_that_are_lost_or_come_twice_make_no_difference_to_theirs(
    events: list[dict[str, Any]], data: st.DataObject, parses: bool
) -> None:
    places = st.integers(0, len(events) - 2)
    lost = data.draw(st.sets(places, max_size=12))
    twice = data.draw(st.sets(places, max_size=5))
    if not events[-1]["response"].get("output"):
        # Theirs loses an item if neither its beginning nor its end comes; ours makes it of its deltas.
        lost = {place for place in lost if "output_item" not in events[place]["type"]}
    events = [
        event
        for place, event in enumerate(events)
        for _ in range(0 if place in lost else 2 if place in twice else 1)
    ]
    check(events, parses=parses)


@given(st.permutations(STREAMED[1:-1]), st.booleans())
def test_events_in_any_order_make_no_difference_to_theirs(events: list[dict[str, Any]], parses: bool) -> None:
    check([STREAMED[0], *events, STREAMED[-1]], parses=parses)


_PIECES = st.text('ab"{}', max_size=3)
_PLACES = st.integers(0, 3)
# Theirs drops an item that begins where another one has ended, so each place has one item.
_ITEMS: list[dict[str, Any]] = [
    {"type": "message", "id": "m0", "role": "assistant", "content": []},
    {"type": "message", "id": "m1", "role": "assistant", "content": []},
    {"type": "function_call", "id": "f2", "call_id": "c2", "arguments": ""},
    {"type": "reasoning", "id": "r3", "summary": []},
]


@st.composite
def _events(draw: st.DrawFn) -> dict[str, Any]:
    index, part = draw(_PLACES), draw(_PLACES)
    place = {"output_index": index, "content_index": part, "item_id": draw(st.sampled_from(["m0", "m1", ""]))}
    item = _ITEMS[index]
    return draw(
        st.sampled_from(
            [
                {"type": "response.output_item.added", "output_index": index, "item": item},
                {
                    "type": "response.content_part.added",
                    **place,
                    "part": {"type": "output_text", "text": "", "annotations": []},
                },
                {"type": "response.output_text.delta", **place, "delta": draw(_PIECES), "logprobs": []},
                {"type": "response.function_call_arguments.delta", **place, "delta": draw(_PIECES)},
                {"type": "response.output_text.done", **place, "text": draw(_PIECES), "logprobs": []},
                {"type": "response.output_item.done", "output_index": index, "item": item},
                {"type": "response.in_progress", "response": {**RESPONSE, "output": []}},
            ]
        )
    )


@given(st.lists(_events(), max_size=25))
def test_random_events_give_the_same_snapshots_and_the_same_response(events: list[dict[str, Any]]) -> None:
    begin = {"type": "response.created", "response": {**RESPONSE, "output": []}}
    end = {"type": "response.completed", "response": {**RESPONSE, "status": "completed", "output": None}}
    check(numbered([begin, *events, end]), parses=False)

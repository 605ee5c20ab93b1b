"""Values of the wrong type, in each place of each event: errors of ssejet come of it, or a response."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from response_builders import EVERY_KIND, answer, events_of

from ssejet import SSEError
from ssejet.responses import ResponseStreamState, to_chat, to_messages
from wrong_values import changed

TOOLS: list[Any] = [
    {"type": "function", "name": "f", "strict": True, "parameters": {}},
    {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f", "strict": True}]},
]


def response_of(events: list[Any]) -> Any:
    """The response that events make up; None if they report an error."""
    state = ResponseStreamState(input_tools=TOOLS)
    try:
        for event in events:
            for each in state.handle_event(event):
                repr(each)
        state.finish()
        return state.current_response_snapshot
    except SSEError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("item", EVERY_KIND, ids=lambda item: item["type"])
def test_wrong_values_raise_errors_of_ssejet_only(item: dict[str, Any]) -> None:
    events = events_of(answer(item))
    responses = 0
    for place, event in enumerate(events):
        for wrong in changed(event):
            response = response_of([*events[:place], wrong, *events[place + 1 :]])
            if response is None:
                continue
            responses += 1
            assert response.to_dict() is not None
            for convert in (to_chat, to_messages):
                with suppress(ValueError):  # a role that is unknown
                    convert_or_refuse(convert, response.to_input())
    assert responses


def convert_or_refuse(convert: Any, items: list[Any]) -> None:
    try:
        convert(items)
    except TypeError as error:
        assert re.match(r"input\[0\]\.content(\[\d\])? must be a (dict|list)", str(error))  # noqa: PT017


@pytest.mark.parametrize("field", ["name", "namespace"])
@pytest.mark.parametrize("wrong", [[], {}, 5, None])
def test_the_name_of_a_function_may_be_no_text(field: str, wrong: Any) -> None:
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c1",
        "name": "f",
        "arguments": "{}",
        field: wrong,
    }
    response = response_of(events_of(answer(call)))
    assert [each.type for each in response.output] == ["function_call"]

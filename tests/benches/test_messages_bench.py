from __future__ import annotations

from typing import Any

import pytest

from benches import messages
from benches.goals import GOALS

TEXT, PIECE, SO_FAR = ("text", "text"), ("input_json", "partial_json"), ("input_json", "snapshot")
CASES = [
    ("messages-typed", messages._our_items, messages._their_items),
    ("messages-text", messages._ours(*TEXT), messages._theirs(*TEXT)),
    ("messages-tool", messages._ours(*PIECE), messages._theirs(*PIECE)),
    ("messages-parsed", messages._ours(*SO_FAR), messages._theirs(*SO_FAR)),
]


@pytest.fixture(scope="module")
def streams() -> dict[str, messages.Workload]:
    return messages.workloads()


@pytest.mark.parametrize(("name", "our", "their"), CASES, ids=[name for name, _, _ in CASES])
def test_both_read_what_was_sent(
    name: str, our: Any, their: Any, streams: dict[str, messages.Workload]
) -> None:
    assert messages.MessageReader("ssejet", "1", our, lambda http: http).check(streams[name]) is None
    assert messages.MessageReader("anthropic", "1", their, messages._anthropic).check(streams[name]) is None


def test_the_goals_are_about_workloads_that_exist(streams: dict[str, messages.Workload]) -> None:
    names = {goal.workload for goal in GOALS if getattr(goal, "workload", "").startswith("messages-")}
    assert names
    assert names <= streams.keys()


def test_a_reader_with_other_results_is_an_error(streams: dict[str, messages.Workload]) -> None:
    reader = messages.MessageReader("lazy", "1", lambda _, keep: keep("The"), lambda http: http)
    assert reader.check(streams["messages-text"]) == "the text differs from what was sent"

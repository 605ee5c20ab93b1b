"""An event costs the same however much came before it, in all shapes in which something grows.

What is measured is the memory that an event takes for a moment: code that copies or joins all that came
before needs room for it.
"""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from message_events import CHAR_LOCATION, begin, delta, json_delta, start, text_delta, thinking_delta

from ssejet.messages import MessageStreamState, RawMessageStreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

WORD = "word" * 25


def block(kind: str, **fields: Any) -> list[dict[str, Any]]:
    return [start(), begin(0, {"type": kind, **fields})]


TOOL = block("tool_use", id="t", name="f", input={})
SHAPES: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "text": lambda n: [*block("text", text=""), *[text_delta(0, WORD)] * n],
    "text without a beginning": lambda n: [text_delta(0, WORD)] * n,
    "text without an index": lambda n: (
        [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": WORD}}] * n
    ),
    "thinking": lambda n: [*block("thinking", thinking=""), *[thinking_delta(0, WORD)] * n],
    "signatures": lambda n: [
        *block("thinking", thinking=""),
        *[delta(0, {"type": "signature_delta", "signature": WORD})] * n,
    ],
    "input": lambda n: [*TOOL, json_delta(0, '{"a": ["'), *[json_delta(0, f'{WORD}", "')] * n],
    "input that is not JSON": lambda n: [*TOOL, json_delta(0, "nonsense"), *[json_delta(0, WORD)] * n],
    "citations": lambda n: [
        *block("text", text=""),
        *[delta(0, {"type": "citations_delta", "citation": CHAR_LOCATION})] * n,
    ],
    "deltas of another type": lambda n: [*block("text", text=""), *[thinking_delta(0, WORD)] * n],
    "unknown deltas": lambda n: [*block("new", x=""), *[delta(0, {"type": "new_delta", "x": WORD})] * n],
    "added fields": lambda n: [
        *block("text", text=""),
        *[delta(0, {"type": "text_delta", "text": "a", "tokens": [WORD]})] * n,
    ],
    "blocks": lambda n: [start(), *(begin(index, {"type": "text", "text": WORD}) for index in range(n))],
}


def largest_peak(texts: list[str]) -> int:
    """The most memory that one of the last events took for a moment, in bytes."""
    state = MessageStreamState()
    items = [RawMessageStreamEvent.from_json(text) for text in texts]
    peaks = []
    tracemalloc.start()
    try:
        for number, item in enumerate(items):
            if number < len(items) - 50:
                state.handle_event(item)
                continue
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            events = state.handle_event(item)
            _, peak = tracemalloc.get_traced_memory()
            peaks.append(peak - before)
            del events
    finally:
        tracemalloc.stop()
    # Lists and dicts grow by steps, so a few events take more.
    return sorted(peaks)[len(peaks) // 2]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_event_takes_no_more_memory_after_many_than_after_few(shape: str) -> None:
    few, many = (largest_peak([json.dumps(event) for event in SHAPES[shape](count)]) for count in (200, 3200))
    assert many <= few + 500


def test_reading_the_input_so_far_at_each_event_takes_as_much_as_its_new_part() -> None:
    pieces = ['{"a": ["', *[f'{WORD}", "'] * 2000]
    state = MessageStreamState()
    for event in TOOL:
        state.handle_event(event)
    fed = 0
    for piece in pieces:
        (event,) = [each for each in state.handle_event(json_delta(0, piece)) if each.type == "input_json"]
        before = state._blocks[0]._text._json.length if state._blocks[0]._text._json else 0  # type: ignore[union-attr]
        assert event.snapshot is not None
        fed += len(piece)
        assert before == fed - len(piece)

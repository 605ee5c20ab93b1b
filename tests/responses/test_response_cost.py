"""An event costs the same however much came before it, in all shapes in which something grows.

What is measured is the memory that an event takes for a moment: code that copies or joins all that came
before needs room for it.
"""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from response_builders import PLACE, arguments, created, decoded, delta

from ssejet.responses import ResponseStreamState

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

WORD = "word" * 25
SUMMARY = {
    "type": "response.reasoning_summary_text.delta",
    "item_id": "rs",
    "output_index": 0,
    "summary_index": 0,
}


def calls(n: int) -> list[dict[str, Any]]:
    added = "response.output_item.added"
    items = [{"type": "function_call", "id": f"fc_{i}", "name": "f", "arguments": ""} for i in range(n)]
    return [{"type": added, "output_index": i, "item": item} for i, item in enumerate(items)]


SHAPES: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "text": lambda n: [delta(WORD)] * n,
    "arguments": lambda n: [arguments('"' + WORD)] * n,
    "a summary": lambda n: [{**SUMMARY, "delta": WORD}] * n,
    "log probabilities": lambda n: [delta(WORD, logprobs=[{"token": WORD, "logprob": -1}])] * n,
    "two parts in turn": lambda n: [delta(WORD, content_index=i % 2) for i in range(n)],
    "many items": calls,
    "text without indices": lambda n: [{"type": "response.output_text.delta", "delta": WORD}] * n,
    "annotations": lambda n: (
        [{"type": "response.output_text.annotation.added", **PLACE, "annotation": {"type": "file_path"}}] * n
    ),
}


def peak(events: list[Any]) -> int:
    """The most memory that one of the last events takes for a moment, in bytes."""
    state = ResponseStreamState[None]()
    *before, last = events
    for event in before:
        state.handle_event(event)
    tracemalloc.start()
    try:
        before_last, _ = tracemalloc.get_traced_memory()
        state.handle_event(last)
        return tracemalloc.get_traced_memory()[1] - before_last
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_an_event_takes_as_much_memory_after_many_as_after_few(shape: Any) -> None:
    few, many = (peak(decoded(created(), *shape(n))) for n in (200, 3201))
    assert many <= few + 2_000


def test_a_snapshot_that_is_read_at_each_event_costs_its_length_only() -> None:
    state = ResponseStreamState[None]()
    for event in decoded(created(), *[delta(WORD)] * 500):
        (seen,) = state.handle_event(event)
    assert len(seen.snapshot) == 500 * len(WORD)  # type: ignore[union-attr]

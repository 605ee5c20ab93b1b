"""Fields that servers add, at random: however an answer is read, it has the same ones in the same places."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from ssejet._answers.base import Model
from ssejet.chat import ChatCompletionChunk, ChatCompletionStreamState
from ssejet.errors import SSEError

if TYPE_CHECKING:
    from collections.abc import Iterator

_added = st.dictionaries(
    st.sampled_from(["x", "usage2", "index", "type", "note", "content_filter_results"]),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=3),
        st.just({"hate": {"filtered": False}}),
        st.just([{"index": 0, "text": "a"}, {"index": 0, "text": "b"}, 1]),
        st.just([]),
    ),
    max_size=2,
)


@st.composite
def objects(draw: st.DrawFn, **fields: st.SearchStrategy[Any]) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(sorted(fields)))) if fields else set()
    return {**draw(_added), **{name: draw(fields[name]) for name in sorted(names)}}


_texts = st.none() | st.text(max_size=3)
_calls = objects(
    index=st.integers(0, 1),
    id=st.sampled_from(["a", "b", ""]),
    function=objects(name=st.sampled_from(["f", "g", ""]), arguments=st.sampled_from(["", "{", "}", "{}"])),
)
_deltas = objects(
    content=_texts,
    reasoning=_texts,
    refusal=_texts,
    tool_calls=st.lists(_calls, max_size=2),
    audio=objects(id=_texts, data=_texts),
    function_call=objects(name=_texts, arguments=_texts),
)
_choices = objects(index=st.integers(0, 1), delta=_deltas, finish_reason=st.sampled_from([None, "stop"]))
chunks = st.builds(
    lambda chunk: {"choices": [], **chunk},
    objects(
        id=st.text(max_size=2), choices=st.lists(_choices, max_size=2), usage=objects(total_tokens=st.just(1))
    ),
)


def parts(model: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each part of a model, by its place, with its own fields' values and those that were added."""
    if isinstance(model, list):
        for number, each in enumerate(model):
            yield from parts(each, f"{path}[{number}]")
    if isinstance(model, Model):
        yield path, type(model), model.extra
        for name in model.__struct_fields__:
            yield from parts(getattr(model, name), f"{path}.{name}")


@given(st.lists(chunks, min_size=1, max_size=4))
def test_a_chunk_has_the_same_whether_or_not_its_shape_was_seen_before(given: list[dict[str, Any]]) -> None:
    for each in [*given, *given]:
        text = json.dumps(each)
        expected = [*parts(ChatCompletionChunk.from_dict(each))]
        for _ in range(2):
            item = ChatCompletionChunk.from_json(text)
            assert [*parts(item)] == expected
            assert [*parts(pickle.loads(pickle.dumps(item)))] == expected
            assert item.to_dict() == each


@given(st.lists(chunks, min_size=1, max_size=4))
def test_a_completion_has_the_same_from_text_and_from_dicts(given: list[dict[str, Any]]) -> None:
    def gathered(items: list[Any]) -> Any:
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        try:
            for item in items:
                state.handle_chunk(item)
        except SSEError as error:
            return type(error)
        completion = state.current_completion_snapshot
        assert pickle.loads(pickle.dumps(completion)).to_dict() == completion.to_dict()
        return completion.to_dict()

    expected = gathered(given)
    for _ in range(2):
        assert gathered([ChatCompletionChunk.from_json(json.dumps(each)) for each in given]) == expected

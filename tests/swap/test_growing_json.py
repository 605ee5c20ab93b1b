"""JSON that grows by pieces has the values and the errors that jiter gives for the same text."""

from __future__ import annotations

import gc
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jiter import from_json

from ssejet.swap._growing_json import growing_json

ESCAPES = [
    *(r"\n", r"\"", r"\\", r"\u00e9", r"\ud83d\ude00", r"\ud83d", r"\ude00", r"\ud83dx", r"\x", r"\u12G4"),
    *("a", "é😀", "\x01"),
]


def assert_grows_as_jiter_reads(text: str, data: Any, *, is_valid: bool = False) -> None:
    growing, read = growing_json(), ""
    before: list[tuple[int, str]] = []
    while len(read) < len(text):
        piece = text[len(read) :][: data.draw(st.integers(1, 5))]
        growing.add(piece)
        read += piece
        encoded = read.encode()
        assert growing.encoded == encoded
        assert growing.length == len(encoded)
        value = growing.value()
        try:
            expected = from_json(encoded, partial_mode=True)
        except ValueError:
            assert value is None
            continue
        if value is None and not growing.is_partial and not is_valid:
            return  # jiter must go on: it gives values of some texts that are no JSON
        assert repr(value) == repr(expected)
        if growing.is_partial and expected is not None:
            before.append((growing.length, repr(expected)))
    for length, seen in before:
        assert repr(growing.value_at(length)) == seen


@given(
    strings=st.lists(st.lists(st.sampled_from(ESCAPES), max_size=6).map("".join), min_size=1, max_size=3),
    ends=st.booleans(),
    data=st.data(),
)
def test_escapes_are_checked_as_they_come(strings: list[str], ends: bool, data: st.DataObject) -> None:
    assert_grows_as_jiter_reads('["' + '", "'.join(strings) + ('"]' if ends else ""), data)


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
ODD = st.sampled_from(
    [*'{}[],:"\\ \n\t-+.eE0179tfnNIu', "01", "1.", "1e", "--", "nul", "NaN", "[[", "é", "\x00"]
)


@settings(suppress_health_check=list(HealthCheck))
@given(
    value=VALUES,
    ascii_only=st.booleans(),
    odd=st.lists(st.tuples(st.integers(0, 200), ODD), max_size=2),
    data=st.data(),
)
def test_any_text_has_the_values_that_jiter_gives(
    value: Any, ascii_only: bool, odd: list[tuple[int, str]], data: st.DataObject
) -> None:
    try:
        text = json.dumps(value, ensure_ascii=ascii_only)
        text.encode()
    except UnicodeEncodeError:
        return
    for place, more in odd:
        at = place % (len(text) + 1)
        text = text[:at] + more + text[at + place % 2 :]
    assert_grows_as_jiter_reads(text, data, is_valid=not odd)


def test_values_share_finished_parts_and_have_copies_of_the_others() -> None:
    growing = growing_json()
    growing.add('{"a": [1], "b": [2')
    one, other = growing.value(), growing.value()
    assert one == other == {"a": [1], "b": [2]}
    assert one is not other
    assert one["a"] is other["a"]
    one["b"].append(5)
    growing.add("]}")
    assert growing.value() == {"a": [1], "b": [2]}


def test_a_value_that_refers_to_its_text_is_freed() -> None:
    class Marked(list[Any]):
        freed = False

        def __del__(self) -> None:
            Marked.freed = True

    growing = growing_json()
    growing.add('{"a": []')
    growing.value()["a"].append([growing, Marked()])
    del growing
    gc.collect()
    assert Marked.freed


def test_depth_and_digits_have_the_limits_of_jiter() -> None:
    for text in ("[" * 200, "[" * 201, "[" * 202, "1" * 4300, "1" * 4301, "[1" + "0" * 4299 + "]"):
        growing = growing_json()
        growing.add(text)
        try:
            assert growing.value() == from_json(text.encode(), partial_mode=True)
        except ValueError:
            assert growing.value() is None

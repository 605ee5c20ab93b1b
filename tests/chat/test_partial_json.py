"""PartialJSON and Text, against jiter's partial mode on every prefix."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from chunk_strategies import fragments, json_texts
from hypothesis import given
from hypothesis import strategies as st
from jiter import from_json

from ssejet._answers.text import PartialJSON, Text

PREFIXES = [
    "  ",
    '{"a": 1.5e+3, "b": [-0, 12, 1E5]}',
    '{"a":tru',
    '{"a": null, "b": true, "c": false} trailing',
    "[NaN, Infinity, -Infinity]",
    '{"a":"x\\n\\u00e9\\ud83d\\ude00\\"","\\u0061":2}',
    '{"a":[1],"a":[2',
    '{"a":{"b":{"c":[[],{},""]}}}',
    '"text"',
    "true",
    "-12",
    "[1, 2",
    # Where jiter stops without an error, whatever follows:
    "[1 2",
    "[1}",
    '{"a":1]',
    "[1.5.2",
    "[nulll",
    "[1\x0b",
]

REFUSED = [
    "x",
    "]",
    "\ufeff{",
    "{a",
    '{"a" 1',
    '{"a":1,}',
    "[1,]",
    "[01",
    "[1.e",
    "[+1",
    "[-,",
    "[tru,",
    '["\n',
    '{"a":"\\ud83d"}',
    '{"a":"\\x"}',
    "[" + "1" * 5000,
    "[" * 300,
]


def reference(text: str) -> Any:
    try:
        return from_json(text.encode(), partial_mode=True)
    except ValueError:
        return None


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # which tells 1 from 1.0 and from True, and lets NaN equal itself


def assert_as_jiter(pieces: list[str]) -> None:
    text = Text(is_json=True)
    for piece in pieces:
        text.add(piece)
        assert same(text.value(text.length, piece), reference(str(text)))


@pytest.mark.parametrize("text", PREFIXES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_every_prefix_has_the_value_that_jiter_gives_it(text: str, size: int) -> None:
    assert_as_jiter([text[start : start + size] for start in range(0, len(text), size)])


@given(fragments(json_texts))
def test_every_cut_gives_the_values_that_jiter_gives(pieces: list[str]) -> None:
    assert_as_jiter(pieces)


_scraps = st.sampled_from([*'{}[]:,"\\ \n-+.eE019', "true", "null", "NaN", '"a"', '"a":', "é", "\\u00", "e9"])


@given(st.lists(_scraps))
def test_what_is_not_json_has_a_value_only_where_jiter_finds_one(pieces: list[str]) -> None:
    text = Text(is_json=True)
    for piece in pieces:
        text.add(piece)
        value = text.value(text.length, piece)
        # A broken escape is found when its string ends; jiter finds it at once.
        assert same(value, reference(str(text))) or (reference(str(text)) is None and "\\" in str(text))


@pytest.mark.parametrize("text", REFUSED)
def test_what_jiter_refuses_has_no_value(text: str) -> None:
    growing = Text(is_json=True)
    growing.add(text)
    assert growing.value(growing.length) is None
    growing.add("more")
    assert growing.value(growing.length) is None


def test_a_value_is_not_changed_by_later_text() -> None:
    text = Text(is_json=True)
    values = [text.value(text.add(piece), piece) for piece in ('{"a": [1', ", 2, ", '{"b": 3', "}]", "}")]
    assert values == [
        {"a": [1]},
        {"a": [1, 2]},
        {"a": [1, 2, {"b": 3}]},
        {"a": [1, 2, {"b": 3}]},
        {"a": [1, 2, {"b": 3}]},
    ]


@given(fragments(json_texts), st.randoms(use_true_random=False))
def test_earlier_prefixes_can_be_read_later_and_in_any_order(pieces: list[str], random: Any) -> None:
    text = Text(is_json=True)
    ends = [(text.add(piece), piece) for piece in pieces]
    random.shuffle(ends)
    for end, piece in ends:
        whole = "".join(pieces)
        assert text.prefix(end) == whole[:end]
        assert same(text.value(end, piece), reference(whole[:end]))


def test_a_text_that_is_not_json_has_no_value() -> None:
    text = Text()
    assert text.value(text.add("{}")) is None


def test_text_that_is_added_to_a_fork_is_not_in_the_original() -> None:
    text = Text(3)
    text.add("[1")
    fork = text.fork(is_json=True)
    fork.add(", 2")
    text.add(", 3")
    assert (str(text), str(fork), fork.choice_index) == ("[1, 3", "[1, 2", 3)
    assert fork.value(fork.length) == [1, 2]


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        *((text, True) for text in ("{}", "[1]", '"a"', "null ")),
        *((text, False) for text in ("", "{", "12", "{]")),
    ],
)
def test_only_a_value_that_has_ended_is_complete(text: str, complete: bool) -> None:
    growing = Text()
    growing.add(text)
    assert growing.is_complete_json() is complete


def test_each_character_is_looked_at_once() -> None:
    class Piece(str):  # noqa: SLOT000
        """A piece that counts how often it is added to another, as a rescan of what came before would."""

        added = 0

        def __radd__(self, other: str) -> str:
            Piece.added += len(other)
            return other + str(self)

    json_text = PartialJSON()
    json_text.feed('{"essay": "')
    for _ in range(1000):
        json_text.feed(Piece("words, "))
    json_text.feed('"}')
    assert Piece.added == 0
    assert json_text.value() == {"essay": "words, " * 1000}


def test_numbers_keep_their_type() -> None:
    text = json.dumps([1, 1.0, 1e300, -0.0, 2**70, math.pi])
    growing = Text(is_json=True)
    assert same(growing.value(growing.add(text)), json.loads(text))

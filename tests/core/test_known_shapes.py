"""Which JSON texts count as being of one shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssejet._core import KnownShapes

scalars = st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\\\:{}[], é', max_size=8)
names = st.sampled_from(["a", "b", "error", 'q"', "c\\\\", "d:", "long name of a field"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def skeleton(value: Any) -> Any:
    """The keys of a value in their places, and of what kind the values of the keys are."""
    if isinstance(value, dict):
        return [(name, kind(each), skeleton(each)) for name, each in value.items()]
    if isinstance(value, list):
        # Elements without keys do not count.
        return [inner for each in value if (inner := skeleton(each)) not in (None, [])]
    return None


def kind(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in {"", "error"} else "text"
    if isinstance(value, bool) or value is None:
        return value
    return ("number", value != 0) if isinstance(value, int) else type(value)


def written(value: Any, spaced: bool) -> str:
    return json.dumps(value, indent=1 if spaced else None, separators=None if spaced else (",", ":"))


@given(st.dictionaries(names, values, max_size=4), st.dictionaries(names, values, max_size=4), st.booleans())
def test_texts_of_other_keys_or_nesting_are_told_apart(one: Any, other: Any, spaced: bool) -> None:
    shapes = KnownShapes()
    shapes.add(written(one, spaced=False))
    if flat(skeleton(one)) != flat(skeleton(other)):
        assert not shapes.knows(written(other, spaced))


@given(st.dictionaries(names, values, max_size=4), st.booleans())
def test_white_space_does_not_count(value: Any, spaced: bool) -> None:
    shapes = KnownShapes()
    assert not shapes.knows(written(value, spaced)) or not value
    shapes.add(written(value, spaced=False))
    assert shapes.knows(written(value, spaced))


@pytest.mark.parametrize("length", range(30))
@pytest.mark.parametrize("before", ["", " ", " " * 20])
def test_every_letter_of_a_key_counts(length: int, before: str) -> None:
    key = "abcdefghijklmnopqrstuvwxyzABCD"[:length]
    shapes = KnownShapes()
    shapes.add(f'{{"{key}":1}}')
    assert shapes.knows(f'{before}{{"{key}":1}}')
    assert not shapes.knows(f'{before}{{"{key}_":1}}')
    assert not shapes.knows(f'{before}{{"_{key}":1}}')
    for place in range(length):
        other = f"{key[:place]}_{key[place + 1 :]}"
        assert not shapes.knows(f'{before}{{"{other}":1}}')


@pytest.mark.parametrize("bracket", ["[", "{"])
def test_a_text_of_many_brackets_is_never_known(bracket: str) -> None:
    shapes = KnownShapes()
    for count in (198, 199, 255, 256, 512, 1000):
        for padding in (0, 1000):
            text = '{"a":"' + "x" * padding + bracket * count + '"}'
            shapes.add(text)
            assert shapes.knows(text) == (count + 1 < 200)


def flat(value: Any) -> list[Any]:
    """The keys in order, which is what no two texts of one shape can differ in."""
    if not isinstance(value, list):
        return []
    found = []
    for each in value:
        if isinstance(each, tuple):
            found += [each[:2], *flat(each[2])]
        else:
            found += flat(each)
    return found


def test_the_nesting_of_keys_counts() -> None:
    texts = [
        '{"a":{"b":1},"c":2}',
        '{"a":{"b":1,"c":2}}',
        '{"c":2,"a":{"b":1}}',
        '{"a":{"b":1},"c":"error"}',
        '{"a":{"b":1}}',
        '{"a":[{"b":1}],"c":2}',
    ]
    for text in texts:
        shapes = KnownShapes()
        shapes.add(text)
        assert [each for each in texts if shapes.knows(each)] == [text]


def test_only_the_kind_of_a_value_counts() -> None:
    shapes = KnownShapes()
    shapes.add('{"a":1,"b":["x"]}')
    assert not shapes.knows('{"a":0,"b":["x"]}')
    assert not shapes.knows('{"a":null,"b":["x"]}')
    assert shapes.knows('{"a":234,"b":["y", "z"]}')
    shapes.add('{"a":"x","b":["x"]}')
    assert not shapes.knows('{"a":"","b":["x"]}')
    assert shapes.knows(r'{ "a" : "it: \"q\": {", "b":["y"]}')
    # What Python takes for false, and the word "error", may tell an error from an answer.
    assert not shapes.knows('{"a":"x","b":[]}')
    assert not shapes.knows('{"a":"ERROR","b":["x"]}')
    assert not shapes.knows(r'{"a":"\u0065rror","b":["x"]}')
    shapes.add('{"a":0.0,"b":[ ]}')
    assert shapes.knows('{"a":-0,"b":[]}')
    assert not shapes.knows('{"a":0.5,"b":[]}')
    assert not shapes.knows('{"a":-1,"b":[]}')
    assert not shapes.knows('{"a":0,"b":[{}]}')


def test_any_text_may_be_asked_for() -> None:
    shapes = KnownShapes()
    for text in ("", ":", '":', '"":', "\ud800", '\\":', "no JSON: at all"):
        shapes.add(text)
        shapes.knows(text)


def test_there_is_an_end_to_what_is_kept() -> None:
    shapes = KnownShapes()
    for number in range(10_000):
        shapes.add(f'{{"{number}":1}}')
    assert shapes.knows('{"9999":1}')
    assert not shapes.knows('{"0":1}')

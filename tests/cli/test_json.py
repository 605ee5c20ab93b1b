from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssejet.cli._json_layout import layout

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(DOCUMENTS, st.integers(0, 100))
def test_a_laid_out_document_is_the_same_document(document: object, width: int) -> None:
    text = layout(json.dumps(document), width)
    assert text is not None
    assert json.loads(text) == document


@given(DOCUMENTS, st.integers(0, 100))
def test_a_document_is_broken_only_where_it_does_not_fit(document: object, width: int) -> None:
    flat = json.dumps(document, ensure_ascii=False)
    text = layout(flat, width)
    assert text is not None
    fits = len(flat) <= width or not isinstance(document, (list, dict)) or not document
    assert (text == flat) if fits else ("\n" in text)


def test_each_part_stays_on_its_line_if_it_fits() -> None:
    assert layout('{"a":{"b":1},"c":["some words",[]]}', 20) == (
        '{\n  "a": {"b": 1},\n  "c": [\n    "some words",\n    []\n  ]\n}'
    )


@pytest.mark.parametrize("number", ["1.0", "1e400", "-0.0", "0.10", "1E+2", "9" * 5000, "NaN", "-Infinity"])
def test_numbers_keep_the_digits_that_were_sent(number: str) -> None:
    assert layout(f"[{number}]", 10_000) == f"[{number}]"


def test_repeated_keys_are_kept() -> None:
    assert layout('{"a":1,"a":2}', 80) == '{"a": 1, "a": 2}'


@pytest.mark.parametrize("text", ["", "[DONE]", "{", "plain words", "[" * 100_000])
def test_what_is_not_json_is_left_alone(text: str) -> None:
    assert layout(text, 80) is None


def test_what_is_too_deep_to_lay_out_is_left_alone() -> None:
    assert layout("[" * 100_000 + "]" * 100_000, 80) is None

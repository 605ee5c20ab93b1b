"""Text is what Python's own decoder makes of the same bytes, in the same representation."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssejet import Decoder

WIDTHS = {
    "ascii": "a",
    "latin-1": "é",
    "two bytes in UTF-8": "ж",
    "CJK": "語",
    "the last of the BMP": "\uffff",
    "emoji": "😀",
}

# Long runs of each width, so that every path of the decoder and every border of its blocks is met.
runs = st.builds(
    lambda character, count: character * count,
    st.sampled_from([*WIDTHS.values(), "\U0010ffff", "\x80"]),
    st.integers(0, 70),
)
texts = st.lists(runs, max_size=5).map("".join)


def decoded(data: bytes) -> str:
    [event] = Decoder().feed(b"data:" + data + b"\n\n")
    return event.data


def assert_same(text: str, expected: str) -> None:
    assert text == expected
    assert hash(text) == hash(expected)
    # A string wider than its characters need would compare unequal to its twin elsewhere. A string of one
    # character may be a shared one, which may carry a copy of itself in UTF-8.
    if len(text) > 1:
        assert sys.getsizeof(text) == sys.getsizeof(expected.encode().decode())


@given(texts)
def test_valid_text_keeps_its_characters_and_takes_no_more_room_than_they_need(text: str) -> None:
    assert_same(decoded(text.encode()), text)


@given(texts, st.integers(0), st.binary(min_size=1, max_size=4))
def test_malformed_text_is_replaced_as_python_does(text: str, place: int, broken: bytes) -> None:
    data = text.encode()
    place %= len(data) + 1
    data = data[:place] + broken.replace(b"\n", b"\xff").replace(b"\r", b"\xfe") + data[place:]
    if data[:1] != b" ":
        assert_same(decoded(data), data.decode("utf-8", "replace"))


@pytest.mark.parametrize("character", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("length", [*range(1, 40), 63, 64, 65, 127, 128, 129, 1000])
def test_one_wide_character_is_found_wherever_it_stands(character: str, length: int) -> None:
    for place in {0, 1, length // 2, length - 1}:
        text = "x" * place + character + "y" * (length - 1 - place)
        assert_same(decoded(text.encode()), text)

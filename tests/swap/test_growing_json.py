"""JSON that grows by pieces has the values and the errors that jiter gives for the same text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from jiter import from_json

from ssejet.swap._growing_json import GrowingJSON

ESCAPES = [
    r"\n",
    r"\"",
    r"\\",
    r"\u00e9",
    r"\ud83d\ude00",
    r"\ud83d",
    r"\ude00",
    r"\ud83dx",
    r"\x",
    r"\u12G4",
    "a",
]


@given(
    strings=st.lists(st.lists(st.sampled_from(ESCAPES), max_size=6).map("".join), min_size=1, max_size=3),
    ends=st.booleans(),
    data=st.data(),
)
def test_escapes_are_checked_as_they_come(strings: list[str], ends: bool, data: st.DataObject) -> None:
    text = '["' + '", "'.join(strings) + ('"]' if ends else "")
    growing, at = GrowingJSON(), 0
    while at < len(text):
        size = data.draw(st.integers(1, 5))
        growing.add(text[at : at + size])
        at = min(at + size, len(text))
        try:
            expected = from_json(text[:at].encode(), partial_mode=True)
        except ValueError:
            assert growing.value() is None
            assert not growing.is_partial
            return
        assert growing.value() == growing.value_at(at) == expected

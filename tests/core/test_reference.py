"""The oracle itself: against the vectors, and against the standard's order of steps."""

from __future__ import annotations

import re

from hypothesis import given

import reference
from load_vectors import Vector, all_vectors
from strategies import streams


@all_vectors
def test_the_reference_agrees_with_the_vectors(vector: Vector) -> None:
    assert reference.decode(vector.stream, **vector.options) == vector.expected


@given(streams())
def test_splitting_lines_before_decoding_utf8_gives_the_lines_of_the_standards_order(stream: bytes) -> None:
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    decoded_first = re.split("\r\n|\n|\r", stream.decode("utf-8", "replace"))
    split_first = [line.decode("utf-8", "replace") for line in re.split(b"\r\n|\n|\r", stream)]
    assert split_first == decoded_first


@given(streams(), streams())
def test_more_input_never_takes_back_events_or_comments(stream: bytes, more: bytes) -> None:
    before = reference.decode(stream)
    after = reference.decode(stream + more)
    assert after.events[: len(before.events)] == before.events
    assert after.comments[: len(before.comments)] == before.comments


@given(streams())
def test_a_smaller_limit_gives_a_shorter_prefix_of_the_same_events(stream: bytes) -> None:
    unlimited = reference.decode(stream)
    previous = 0
    for limit in (0, 1, 5, 50, len(stream)):
        limited = reference.decode(stream, max_event_size=limit)
        assert limited.events == unlimited.events[: len(limited.events)]
        assert len(limited.events) >= previous
        previous = len(limited.events)
    assert limited == unlimited

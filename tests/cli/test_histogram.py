from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssejet.cli._figures import duration
from ssejet.cli._histogram import Histogram, bar, nice_step

durations = st.lists(st.floats(0, 1e4), min_size=1, max_size=200).map(sorted)


@given(durations, st.integers(1, 50))
def test_every_value_is_counted_once_where_it_lies(values: list[float], bins: int) -> None:
    histogram = Histogram.of(values, bins=bins)
    assert sum(histogram.counts) + histogram.above == len(values)
    assert len(histogram.counts) == len(histogram.edges) - 1
    assert histogram.edges[0] <= values[0]
    assert list(histogram.edges) == sorted(set(histogram.edges))
    for start, end, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        inside = sum(1 for value in values if start <= value < end)
        # The last bin has its end, too.
        assert (
            inside
            <= count
            <= inside
            + (end == histogram.edges[-1]) * values.count(end)
            + (end == histogram.edges[-1]) * sum(1 for value in values if end <= value <= end * (1 + 1e-5))
        )


@given(durations, st.integers(1, 50))
def test_there_are_about_as_many_bins_as_asked_for(values: list[float], bins: int) -> None:
    assert len(Histogram.of(values, bins=bins).counts) <= 2 * bins + 2


def test_bins_begin_and_end_at_round_numbers() -> None:
    histogram = Histogram.of([0.011, 0.012, 0.019, 0.0291], bins=4)
    assert histogram.edges == pytest.approx((0, 0.01, 0.02, 0.03))
    assert histogram.counts == (0, 3, 1)


def test_a_few_outliers_do_not_compress_the_scale() -> None:
    histogram = Histogram.of([0.01 * number for number in range(1, 101)] * 3 + [90.0], bins=10)
    assert histogram.above == 1
    assert histogram.edges[-1] < 2
    assert list(histogram.rows())[-1] == ("> 1.00 s", 1)


def test_the_same_value_again_and_again_is_one_bar() -> None:
    assert max(Histogram.of([0.5] * 9, bins=10).counts) == 9
    assert max(Histogram.of([0.0] * 9, bins=10).counts) == 9


@pytest.mark.parametrize(("size", "step"), [(1, 1), (1.1, 2), (2.1, 2.5), (3, 5), (6, 10), (0.03, 0.05)])
def test_a_step_is_a_round_number(size: float, step: float) -> None:
    assert nice_step(size) == pytest.approx(step)


def test_a_bar_has_the_length_of_its_part() -> None:
    assert bar(1.0, 4, ascii_only=False) == "████"
    assert bar(0.5, 4, ascii_only=False) == "██"
    assert bar(0.5, 1, ascii_only=False) == "▌"
    assert bar(0.0, 4, ascii_only=False) == ""
    assert bar(1e-9, 4, ascii_only=False) == "▏"
    assert [bar(part, 4, ascii_only=True) for part in (0.0, 1e-9, 0.5, 1.0)] == ["", "#", "##", "####"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 µs"),
        (12.34e-6, "12.3 µs"),
        (0.00099949, "999 µs"),
        (0.00099951, "1.00 ms"),
        (0.00999, "9.99 ms"),
        (0.0345, "34.5 ms"),
        (0.34567, "346 ms"),
        (0.9996, "1.00 s"),
        (12.345, "12.3 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_a_duration_has_three_digits_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text

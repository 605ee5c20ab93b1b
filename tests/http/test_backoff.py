from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssejet._http.backoff import backoff, retry_after

_seconds = st.floats(0, 1e9)


@given(st.integers(0, 10_000), _seconds, _seconds)
def test_no_wait_is_shorter_than_asked_for_or_longer_than_its_bound(
    failures: int, unit: float, longest: float
) -> None:
    delay = backoff(failures, unit=unit, longest=longest)
    assert unit <= delay <= max(unit, longest)
    if not failures:
        assert delay <= max(unit, 0.1) * 1.1


def test_the_first_attempt_after_a_break_is_hardly_later_than_asked_for() -> None:
    delays = {backoff(0, unit=3, longest=60) for _ in range(100)}
    assert max(delays) <= 3.3
    assert len(delays) > 50


def test_no_wait_at_all_is_none_that_a_server_can_ask_for() -> None:
    """Or else one that asks for none, and breaks off each time, would be asked without pause."""
    delays = [backoff(0, unit=0, longest=60) for _ in range(1000)]
    assert 0.02 < sum(delays) / len(delays) < 0.11


def test_waits_double_until_they_are_long_enough() -> None:
    longest = [max(backoff(failures, unit=1, longest=10) for _ in range(1000)) for failures in range(1, 7)]
    assert longest == pytest.approx([2, 4, 8, 10, 10, 10], rel=0.2)


def test_waits_grow_even_from_none_at_all() -> None:
    assert max(backoff(5, unit=0, longest=60) for _ in range(1000)) > 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "9" * 400}, inf),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1_0"}, None),
        ({"retry-after": "１０"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after-ms": "1_0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "7", "retry-after-ms": "soon"}, 7),
    ],
)
def test_servers_may_say_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("usegmt", [True, False])
def test_servers_may_say_it_as_a_date(usegmt: bool) -> None:
    date = datetime.now(timezone.utc) + timedelta(hours=1)
    text = format_datetime(date, usegmt=True) if usegmt else format_datetime(date.replace(tzinfo=None))
    seconds = retry_after({"retry-after": text})
    assert seconds is not None
    assert 3000 < seconds <= 3600

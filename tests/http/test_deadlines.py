"""How long a stream may take, by a clock that stands still."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import pytest

from ssejet import APITimeoutError
from ssejet._http.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock."""

    def set_clock(seconds: float) -> None:
        monkeypatch.setattr("ssejet._http.deadlines.perf_counter", lambda: seconds)

    set_clock(100)
    return set_clock


def kind(deadlines: Deadlines) -> str:
    with pytest.raises(APITimeoutError) as caught:
        deadlines.begin(None)
    return caught.value.kind


def test_without_a_limit_a_wait_may_last_for_ever() -> None:
    deadlines = Deadlines()
    assert not deadlines.limited
    assert deadlines.begin(None) == inf


def test_a_silence_is_limited_wait_by_wait(at: Any) -> None:
    deadlines = Deadlines(idle=5)
    assert deadlines.begin(None) == 5
    at(104)
    assert deadlines.begin(None) == 5
    error = deadlines.error("request")
    assert (error.kind, error.request) == ("idle", "request")
    assert "idle_timeout=5 seconds" in str(error)


def test_waiting_for_an_event_is_limited_over_all_waits_that_bring_none(at: Any) -> None:
    deadlines = Deadlines(idle=5, data=7)
    assert deadlines.begin(None) == 5
    at(104)
    deadlines.end(got_events=False)
    at(200)  # what is done between two waits takes nothing from them
    assert deadlines.begin(None) == 3
    at(203)
    deadlines.end(got_events=False)
    assert kind(deadlines) == "data"


def test_an_event_lets_waiting_for_the_next_begin_anew(at: Any) -> None:
    deadlines = Deadlines(data=7)
    deadlines.begin(None)
    at(106)
    deadlines.end(got_events=True)
    assert deadlines.begin(None) == 7


def test_the_whole_is_limited_whatever_comes(at: Any) -> None:
    deadlines = Deadlines(idle=5, total=9)
    at(106)
    deadlines.end(got_events=True)
    assert deadlines.begin(None) == 3
    at(109)
    assert kind(deadlines) == "total"


def test_the_whole_may_have_begun_earlier(at: Any) -> None:
    assert Deadlines(total=9, start=95).begin(None) == 4


def test_a_clock_that_ticks_late_does_not_make_it_another_limit(at: Any) -> None:
    deadlines = Deadlines(idle=5, total=9)
    at(108.99)
    assert deadlines.error(None).kind == "total"


def test_limits_can_be_replaced_by_stricter_ones(at: Any) -> None:
    deadlines = Deadlines(data=1)
    deadlines.replace_limits(3, idle=2)
    assert deadlines.limited
    assert deadlines.begin(None) == 2
    at(102)
    assert deadlines.begin(None) == 1


def test_an_idle_limit_alone_does_not_span_several_waits() -> None:
    assert not Deadlines(idle=1).has_ends
    assert Deadlines(data=1).has_ends
    assert Deadlines(total=1).has_ends
    deadlines = Deadlines(idle=1)
    before = deadlines.limits
    deadlines.replace_limits(5)
    assert deadlines.has_ends
    deadlines.limits = before
    assert not deadlines.has_ends
    assert deadlines.idle == 1


def test_a_socket_gets_the_shorter_limit_of_the_library_and_of_the_stream(at: Any) -> None:
    deadlines = Deadlines(total=10, idle=7)
    assert deadlines.socket_timeout(None) == 7
    assert deadlines.socket_timeout(9) == 7
    assert deadlines.socket_timeout(3) == 3
    at(104)
    assert deadlines.socket_timeout(9) == 6


def test_a_socket_gets_no_timeout_that_means_something_else(at: Any) -> None:
    """It takes 0 as "do not block", refuses less, and refuses what is too long."""
    deadlines = Deadlines(total=10)
    for now in (110, 120):
        at(now)
        seconds = deadlines.socket_timeout(None)
        assert seconds is not None
        assert 0 < seconds < 0.01
    for seconds in (inf, 1e300, 2**31 / 1000):
        assert Deadlines(idle=seconds).socket_timeout(None) is None
        assert Deadlines(idle=seconds).socket_timeout(5) == 5

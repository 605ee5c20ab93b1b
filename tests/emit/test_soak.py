from __future__ import annotations

import sys

import pytest
from soak import soak

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="memory and sockets are counted in /proc")
def test_streams_whose_clients_leave_at_any_time_lose_no_event_and_leak_nothing() -> None:
    soaked = soak(seconds=2, streams=20)
    report = soaked.report()
    assert soaked.events, report
    assert soaked.left, report
    assert soaked.wrong == [], report
    assert soaked.behind_after == 0, report
    for what in ("tasks", "sockets"):
        assert soaked.relay_after[what] <= soaked.relay_before[what], report

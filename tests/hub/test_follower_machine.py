"""What one follower sees, whatever pages an engine reads, in whatever order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssejet import encode
from ssejet.hub._entries import Entry, EventId, Kind, hub_event
from ssejet.hub._machine import FollowerMachine, FollowerState, Page

LOG = "aa"


def entry(position: int, kind: Kind = Kind.ITEM, incarnation: str = LOG) -> Entry:
    frame = hub_event("end", reason="finished") if kind is Kind.END else encode(str(position))
    return Entry(EventId(incarnation, position), kind, frame)


def page(after: int, last: int, *, first: int = 1, ended: bool = False, limit: int = 1000) -> Page:
    """A page of a log, as an honest engine reads it."""
    positions = range(max(first, after + 1), last + 1)[:limit]
    entries = [entry(at, Kind.END if ended and at == last else Kind.ITEM) for at in positions]
    return Page("finished" if ended else "live", LOG, LOG, first, last, entries)


def types(entries: list[Entry]) -> list[str | None]:
    return [each.event.event for each in entries]


@given(st.data())
def test_no_event_is_lost_or_doubled_whatever_an_engine_reads(data: st.DataObject) -> None:
    """An engine may read too much or too little. A trim may come at any time: a gap says how much."""
    machine = FollowerMachine()
    last, first = 0, 1
    got: list[Entry] = []
    for _ in range(12):
        last += data.draw(st.integers(0, 5))
        first = max(first, data.draw(st.integers(0, last)))
        after = data.draw(st.integers(max(0, machine.after - 3), machine.after))
        got += machine.receive(page(after, last, first=first, limit=data.draw(st.integers(1, 10))))
    while machine.state is not FollowerState.ENDED:
        got += machine.receive(page(machine.after, last + 1, first=first, ended=True, limit=3))
    assert machine.receive(page(0, last + 1, ended=True)) == []
    position = 0
    for each in got:
        if each.event.event == "gap":
            missed = json.loads(each.event.data)["missed"]
            assert missed > 0
            position += missed
            assert each.position == position
        else:
            position += 1
            assert each.position == position
    assert position == last + 1
    assert types(got)[-1] == "end"


@given(st.text(), st.integers(0, 5), st.booleans())
def test_no_id_of_a_client_raises_and_each_one_leads_to_the_end(id: str, last: int, ended: bool) -> None:
    machine = FollowerMachine(id)
    for _ in range(3):
        assert 0 <= machine.after < 2**63
        machine.receive(page(machine.after, last, ended=ended and last > 0))
    assert machine.state is (FollowerState.ENDED if ended and last else FollowerState.LIVE)


def test_a_client_that_has_everything_gets_nothing() -> None:
    machine = FollowerMachine(f"{LOG}-5")
    assert machine.receive(page(5, 5, ended=True)) == []
    assert machine.has_everything


def test_a_client_with_the_last_event_of_a_live_log_waits() -> None:
    machine = FollowerMachine(f"{LOG}-5")
    assert machine.receive(page(5, 5)) == []
    assert machine.waits
    assert not machine.has_everything


def test_a_slow_follower_reads_the_log_until_it_is_live_again() -> None:
    machine = FollowerMachine()
    machine.receive(page(0, 1))
    assert machine.state is FollowerState.LIVE
    machine.receive(page(1, 9, limit=1))
    assert machine.state is FollowerState.REPLAYING
    assert not machine.waits
    machine.receive(page(2, 9))
    assert machine.state is FollowerState.LIVE


def test_events_that_the_log_has_lost_are_a_gap_and_a_client_from_before_starts_again() -> None:
    machine = FollowerMachine()
    machine.receive(page(0, 3))
    lost = Entry(EventId("bb", 7), Kind.LOST, b"")
    after = Page("live", LOG, "bb", 1, 8, [lost, entry(8, incarnation="bb")])
    gap, event = machine.receive(after)
    assert json.loads(gap.event.data) == {"reason": "lost", "missed": None}
    assert (gap.event.id, event.event.id) == ("bb-7", "bb-8")
    (gap,) = FollowerMachine(f"{LOG}-3").receive(after)
    assert json.loads(gap.event.data)["reason"] == "restarted"


@pytest.mark.parametrize("id", ["", f"{LOG}-2"], ids=["new", "resumed"])
def test_another_log_under_the_same_key_is_a_gap_and_is_read_from_the_beginning(id: str) -> None:
    machine = FollowerMachine(id)
    machine.receive(page(machine.after, 3))
    (gap,) = machine.receive(Page("live", "cc", "cc", 2, 9, [entry(9, incarnation="cc")]))
    assert json.loads(gap.event.data) == {"reason": "restarted", "missed": None}
    assert gap.event.id == "cc-1"
    assert machine.after == 1


def test_a_log_that_disappears_is_a_gap_and_the_end() -> None:
    machine = FollowerMachine()
    assert machine.receive(Page("missing")) == []
    assert machine.state is FollowerState.WAITING
    machine.receive(page(0, 3))
    assert types(machine.receive(Page("missing"))) == ["gap", "end"]
    assert machine.state is FollowerState.ENDED


def test_a_log_that_has_ended_and_lost_its_end_is_a_gap_and_the_end() -> None:
    """A server that is full may remove the entries of a log, and leave its state."""
    machine = FollowerMachine(f"{LOG}-1")
    got = machine.receive(Page("finished", LOG, LOG, 5, 4))
    assert types(got) == ["gap", "end"]
    assert json.loads(got[0].event.data) == {"reason": "trimmed", "missed": 2}
    assert json.loads(got[1].event.data) == {"reason": "missing"}
    assert machine.state is FollowerState.ENDED
    # A client that leaves between the two gets the end when it comes back. Then it has everything.
    again = FollowerMachine(str(got[0].id))
    assert types(again.receive(Page("finished", LOG, LOG, 5, 4))) == ["end"]
    once_more = FollowerMachine(str(got[1].id))
    assert once_more.receive(Page("finished", LOG, LOG, 5, 4)) == []
    assert once_more.has_everything


def test_a_client_that_leaves_before_the_end_of_a_missing_log_gets_it_later() -> None:
    gap, end = FollowerMachine(f"{LOG}-1").receive(Page("missing"))
    assert types(FollowerMachine(str(gap.id)).receive(Page("missing"))) == ["gap", "end"]
    assert FollowerMachine(str(end.id)).receive(Page("missing")) == []


def test_all_ids_between_two_gaps_are_of_one_incarnation() -> None:
    """An engine may have entries with the ids that they had before a loss."""
    lost = Entry(EventId("bb", 4), Kind.LOST, b"")
    old = Page("live", LOG, "bb", 1, 5, [*(entry(at) for at in (1, 2, 3)), lost, entry(5, incarnation="bb")])
    back = FollowerMachine(f"{LOG}-2")
    got = [*back.receive(old), *back.receive(old)]
    assert [str(each.id) for each in got] == ["bb-0", "bb-1", "bb-2", "bb-3", "bb-4", "bb-5"]
    assert types(got) == ["gap", "message", "message", "message", "gap", "message"]
    follows = FollowerMachine()
    follows.receive(page(0, 1))
    new = Page("live", LOG, "bb", 1, 5, [entry(2, incarnation="bb"), entry(3, incarnation="bb"), lost])
    assert [str(each.id) for each in follows.receive(new)] == ["aa-2", "aa-3", "bb-4"]

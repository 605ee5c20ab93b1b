from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from benches.goals import AtMost, Even, Faster, Share
from benches.harness import Cell, Run, Samples
from benches.peers import Floor, LoopFloor, difference
from benches.report import duration, markdown
from benches.results import Entrant, Results
from benches.workloads import Description, Workload

if TYPE_CHECKING:
    from pathlib import Path

    from benches.goals import Goal

PAIR = Workload("pair", "two events", b"data: a\n\ndata: b\n\n", ("a", "b"), 9)


@dataclass
class Fake:
    """A contestant whose passes take what the test says."""

    name: str
    ns_per_pass: int
    wrong: str | None = None
    version: str = "1"
    language: str = "Python"
    log: list[str] = field(default_factory=list)

    def check(self, workload: Workload) -> str | None:
        return self.wrong

    def time(self, workload: Workload, passes: int) -> int:
        self.log.append(self.name)
        return passes * self.ns_per_pass


def test_a_figure_is_the_time_of_one_event() -> None:
    samples = Run([PAIR], [Fake("fast", 100)], rounds=3, slice_ns=1000).measure()
    assert samples.figures == {Cell("pair", "fast"): [50.0] * 3}


def test_contestants_take_turns_and_change_places() -> None:
    log: list[str] = []
    contestants = [Fake(name, 1000, log=log) for name in "abc"]
    run = Run([PAIR], contestants, rounds=2, slice_ns=1000)
    run.measure()
    assert "".join(log) == "abc" + "abc" + "bca"


def test_the_harness_reports_as_many_turns_as_it_announces() -> None:
    run = Run([PAIR, PAIR], [Fake("a", 1000), Fake("b", 1000, wrong="no")], rounds=4, slice_ns=1000)
    turns = []
    run.measure(turns.append)
    assert len(turns) == run.turns


def test_a_wrong_decoder_gets_a_reason_and_no_time() -> None:
    contestant = Fake("wrong", 100, wrong="0 events instead of 2")
    samples = Run([PAIR], [contestant], rounds=2, slice_ns=1000).measure()
    assert samples.figures == {}
    assert samples.wrong == {Cell("pair", "wrong"): "0 events instead of 2"}
    assert contestant.log == []


def test_a_very_slow_contestant_runs_fewer_rounds() -> None:
    samples = Run([PAIR], [Fake("slow", 40_000), Fake("slower", 10**9)], rounds=10, slice_ns=1000).measure()
    assert len(samples.figures[Cell("pair", "slow")]) == 1
    assert len(samples.figures[Cell("pair", "slower")]) == 1


def test_a_ratio_is_taken_within_rounds() -> None:
    a, b = Cell("pair", "a"), Cell("pair", "b")
    samples = Samples(figures={a: [10, 200, 30], b: [1, 100, 3]})
    assert samples.ratio(a, b) == 10
    assert samples.ratio(a, Cell("pair", "absent")) is None


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Faster("w", "ours", ("theirs", "other"), 4), 4, True),
        (Faster("w", "ours", ("theirs", "other"), 5), 4, False),
        (Share("w", "ours", "theirs", 0.25), 0.25, True),
        (Share("w", "ours", "theirs", 0.2), 0.25, False),
        (Even("wide", "w", "ours", 0.5), 0.5, True),
        (Even("wide", "w", "ours", 0.4), 0.5, False),
        (AtMost(Cell("w", "ours", "peak memory"), "memory", "the size", 3), 2.5, True),
        (AtMost(Cell("w", "ours", "peak memory"), "memory", "the size", 2), 2.5, False),
    ],
)
def test_goals_are_judged_by_the_ratios(goal: Goal, value: float, met: bool) -> None:
    samples = Samples(
        {"w": Description("w", 1, 100, 1), "wide": Description("wide", 1, 400, 1)},
        {
            Cell("w", "ours"): [10.0],
            Cell("w", "theirs"): [40.0],
            Cell("w", "other"): [400.0],
            Cell("wide", "ours"): [20.0],
            Cell("w", "ours", "peak memory"): [2.5],
        },
    )
    verdict = goal.judge(samples)
    assert verdict is not None
    assert (verdict.value, verdict.met) == (value, met)


def test_a_goal_without_figures_is_not_judged() -> None:
    assert Faster("w", "ours", ("theirs",), 4).judge(Samples()) is None


def test_the_floor_gives_the_parts_between_blank_lines() -> None:
    assert Floor().data([b"data: a\n\ndata", b": b\n\nrest"]) == ["a", "b"]
    assert Floor().check(PAIR) is None


def test_the_floor_of_loops_is_one_only_where_few_reads_complete_an_event() -> None:
    event = b"data: " + b"a" * 1000 + b"\n\n"
    assert LoopFloor().check(Workload("huge", "a large event", event, ("a" * 1000,), 8)) is None
    assert LoopFloor().check(Workload("large", "larger reads", event, ("a" * 1000,), 64)) is not None
    assert LoopFloor().check(Workload("each", "one event per read", event, ("a" * 1000,), 0)) is not None


def test_a_difference_is_said_in_a_few_words() -> None:
    assert difference(["a"], ("a", "b")) == "1 events instead of 2"
    assert difference(["a", "c"], ("a", "b")) == "event 1 is 'c' instead of 'b'"
    assert difference(["a", "b"], ("a", "b")) is None


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(9.87, "9.87 ns"), (322, "322 ns"), (1234, "1.23 µs"), (45_600_000, "45.6 ms"), (2e9, "2.00 s")],
)
def test_durations_have_three_digits_and_a_unit(nanoseconds: float, text: str) -> None:
    assert duration(nanoseconds) == text


def test_results_survive_their_file(tmp_path: Path) -> None:
    cell = Cell("chat-64k", "ssejet")
    results = Results(
        "2026-01-01",
        {"cpu": "a processor", "cores": 2, "python": "CPython 3.11.0"},
        {"rounds": 2},
        {"ssejet": Entrant("0.1.0", "Python"), "openai": Entrant("3.0", "Python")},
        Samples(
            {"chat-64k": Description("chat chunks", 2000, 644000, 65536)},
            {cell: [100.0, 101.0], Cell("chat-64k", "openai"): [4000.0, 4040.0]},
            {Cell("chat-64k", "httpx2"): "refused"},
        ),
    )
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results
    table = ["|  | ssejet | openai 3.0 |", "|---|---:|---:|", "| chat chunks | 100 ns | 40× |"]
    assert markdown(results).splitlines() == table

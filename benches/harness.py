"""Measures every contestant on every workload in turn, round by round.

Turns make the ratios reliable on a machine whose speed drifts: what slows one contestant down for a while
also slows its neighbours in the same round. Ratios are taken within a round, then the median over the rounds.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benches.contestant import Contestant
    from benches.workloads import Description, Workload

MAX_SHARES = 4
"""A contestant gets no further rounds once it has taken this many times its share of the run."""


class Cell(NamedTuple):
    """A contestant on a workload."""

    workload: str
    contestant: str
    metric: str = "ns per event"


@dataclass
class Samples:
    """The measured figures: one per cell and round, or why there is none."""

    workloads: dict[str, Description] = field(default_factory=dict)
    figures: dict[Cell, list[float]] = field(default_factory=dict)
    wrong: dict[Cell, str] = field(default_factory=dict)

    def median(self, cell: Cell) -> float | None:
        figures = self.figures.get(cell)
        return statistics.median(figures) if figures else None

    def ratio(self, over: Cell, under: Cell) -> float | None:
        """Return the median of the rounds' ratios."""
        pairs = list(zip(self.figures.get(over, ()), self.figures.get(under, ()), strict=False))
        return statistics.median(a / b for a, b in pairs) if pairs else None


class Turn(NamedTuple):
    """A step of a run, for its progress display."""

    doing: str
    workload: Workload
    contestant: Contestant


class Plan(NamedTuple):
    """How a cell is measured: the passes per slice, and the number of rounds."""

    passes: int
    rounds: int


@dataclass
class Run:
    """A comparison of contestants on workloads, `slice_ns` per contestant, workload and round."""

    workloads: list[Workload]
    contestants: list[Contestant]
    rounds: int
    slice_ns: int

    @property
    def turns(self) -> int:
        """The largest number of reports from `measure`."""
        return len(self.workloads) * len(self.contestants) * (self.rounds + 1)

    def measure(self, watch: Callable[[Turn], None] = lambda _: None) -> Samples:
        samples = Samples({workload.name: workload.description for workload in self.workloads})
        plans = {}
        for workload, contestant in self._pairs(0):
            watch(Turn("checking", workload, contestant))
            cell = Cell(workload.name, contestant.name)
            reason = contestant.check(workload)
            if reason is None:
                plans[cell] = self._plan(workload, contestant)
                samples.figures[cell] = []
            else:
                samples.wrong[cell] = reason
        for number in range(self.rounds):
            for workload, contestant in self._pairs(number):
                watch(Turn(f"round {number + 1}", workload, contestant))
                cell = Cell(workload.name, contestant.name)
                plan = plans.get(cell)
                if plan is not None and number < plan.rounds:
                    elapsed = contestant.time(workload, plan.passes)
                    samples.figures[cell].append(elapsed / plan.passes / len(workload.data))
        return samples

    def _plan(self, workload: Workload, contestant: Contestant) -> Plan:
        passes = 1
        while (elapsed := contestant.time(workload, passes)) < self.slice_ns / 2:
            passes = max(passes + 1, min(passes * 8, int(passes * self.slice_ns / elapsed)))
        passes = max(1, round(passes * self.slice_ns / elapsed))
        share = self.rounds * self.slice_ns
        return Plan(passes, max(1, min(self.rounds, MAX_SHARES * share // elapsed)))

    def _pairs(self, shift: int) -> Iterator[tuple[Workload, Contestant]]:
        # The order rotates, so that none always follows the one that fills the caches.
        start = shift % len(self.contestants)
        for workload in self.workloads:
            for contestant in self.contestants[start:] + self.contestants[:start]:
                yield workload, contestant

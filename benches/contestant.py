"""The interface of everything that the harness compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from benches.workloads import Workload


class Contestant(Protocol):
    """A decoder that can be checked and timed."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def language(self) -> str: ...

    def check(self, workload: Workload) -> str | None:
        """Say what is wrong with the decoded workload; None if it is right."""

    def time(self, workload: Workload, passes: int) -> int:
        """Measure the nanoseconds of this many passes over the workload."""

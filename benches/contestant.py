"""What the harness asks of everything it compares."""

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
        """Why this one decodes the workload wrongly, or None if it doesn't."""

    def time(self, workload: Workload, passes: int) -> int:
        """The nanoseconds that so many passes over the workload take."""

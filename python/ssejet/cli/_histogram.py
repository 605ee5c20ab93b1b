"""Histograms of durations, drawn with block characters."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from ssejet.cli._figures import duration
from ssejet.metrics._token_metrics import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Histogram", "bar", "nice_step"]

_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Histogram:
    """The number of values in each of several bins.

    Attributes:
        edges: the edges of the bins, which all have the same width.
        counts: the number of values between each edge and the next.
        above: the number of values above the last edge.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    above: int

    @classmethod
    def of(cls, ordered: Sequence[float], *, bins: int) -> Histogram:
        """Divide ordered values into about this many bins; there must be at least one value.

        A few outliers do not compress the scale: they count as ``above``.
        """
        low, high = ordered[0], ordered[-1]
        usual = percentile(ordered, 0.99)
        if high - low > 2 * (usual - low):
            high = usual
        # Start at 0, unless most of the scale would be empty.
        if low < 0.4 * high:
            low = 0.0
        step = nice_step((high - low) / bins if high > low else high / bins or 1e-6)
        first = floor(low / step)
        last = max(first + 1, ceil(high / step))
        edges = tuple(number * step for number in range(first, last + 1))
        # A value on the last edge counts as inside.
        places = [0, *(bisect_left(ordered, edge) for edge in edges[1:-1])]
        places.append(bisect_left(ordered, edges[-1] + step * 1e-6))
        return cls(edges, tuple(end - start for start, end in pairwise(places)), len(ordered) - places[-1])

    def rows(self) -> Iterator[tuple[str, int]]:
        """Yield the label and count of each bin."""
        for start, count in zip(self.edges, self.counts, strict=False):
            yield (duration(start) if start else "0", count)
        if self.above:
            yield (f"> {duration(self.edges[-1])}", self.above)


def nice_step(size: float) -> float:
    """Round up to 1, 2, 2.5, 5 or 10 times a power of ten."""
    power = 10.0 ** floor(log10(size))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= size * (1 - 1e-9))


def bar(part: float, width: int, *, ascii_only: bool) -> str:
    """Draw this part, from 0 to 1, of a bar of ``width`` characters; a part above 0 is never empty."""
    if ascii_only:
        return "#" * ceil(part * width - 0.5 + (part > 0) * 0.5)
    eighths = ceil(part * width * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()

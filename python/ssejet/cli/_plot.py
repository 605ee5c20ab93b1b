"""Draws how a server answered under load, as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.cli._figures import duration
from ssejet.cli._histogram import Histogram, nice_step
from ssejet.cli._svg import Picture
from ssejet.metrics._token_metrics import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet.cli._report import Report

__all__ = ["draw"]

_WIDTH = 900
_HEIGHT = 340
_MARGIN = 16
_GAP = 48
_TOP = 116
_BOTTOM = _HEIGHT - 62
_PANEL = (_WIDTH - 2 * _MARGIN - _GAP) / 2
_BINS = 40
_TICKS = 5
_PERCENTILES = (50, 95, 99)
_NOTE = "muted small"


def draw(report: Report) -> str:
    """Draw the distributions of a report, for light pages and dark ones."""
    picture = Picture(report.title(), _WIDTH, _HEIGHT)
    picture.text(_MARGIN, 28, (report.title(), "title"))
    picture.text(_MARGIN, 50, (report.subtitle(), _NOTE))
    panels = (("Time to first token", report.first_token), ("Between tokens", report.inter_token))
    for number, (heading, ordered) in enumerate(panels):
        left = _MARGIN + number * (_PANEL + _GAP)
        picture.text(left, 84, (heading, "heading"))
        if ordered:
            _draw_histogram(picture, left, ordered)
        else:
            picture.text(left, 104, ("there was none", _NOTE))
    return str(picture)


def _draw_histogram(picture: Picture, left: float, ordered: Sequence[float]) -> None:
    histogram = Histogram.of(ordered, bins=_BINS)
    low, high = histogram.edges[0], histogram.edges[-1]
    most = max(histogram.counts)

    def place(value: float) -> float:
        return left + (min(value, high) - low) / (high - low) * _PANEL

    picture.line(left, _BOTTOM, left + _PANEL, _BOTTOM, "rule")
    for start, end, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        height = count / most * (_BOTTOM - _TOP)
        width = max(1.0, place(end) - place(start) - 1)
        picture.bar(place(start) + 0.5, _BOTTOM - height, width, height, "accent")
    step = nice_step((high - low) / _TICKS)
    for number in range(round(low / step + 0.4999), int(high / step + 1e-9) + 1):
        tick = number * step
        picture.line(place(tick), _BOTTOM, place(tick), _BOTTOM + 4, "rule")
        label = duration(tick) if tick else "0"
        picture.text(place(tick), _BOTTOM + 19, (label, _NOTE), anchor="middle")
    marks = [(share, percentile(ordered, share / 100)) for share in _PERCENTILES]
    for share, value in marks:
        if value <= high:
            tooltip = f"p{share}: {duration(value)}"
            picture.line(place(value), _TOP, place(value), _BOTTOM, "mark", tooltip=tooltip)
    shares = ", ".join(f"p{share} {duration(value)}" for share, value in marks)
    picture.text(left, 103, (shares, _NOTE))
    beyond = f", {histogram.above:,} beyond" if histogram.above else ""
    counts = f"{len(ordered):,} in all{beyond}; at most {most:,} in a bar"
    picture.text(left, _BOTTOM + 42, (counts, _NOTE))

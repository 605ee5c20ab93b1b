"""A picture of how a server answered under load, as SVG; it suits light pages and dark ones."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ssejet.cli._figures import duration
from ssejet.cli._histogram import Histogram, nice_step
from ssejet.metrics._token_metrics import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ssejet.cli._report import Report

__all__ = ["draw"]

_WIDTH = 900
_HEIGHT = 340
_MARGIN = 16
_GAP = 48
_TOP = 116
_BOTTOM = 62
_PANEL = (_WIDTH - 2 * _MARGIN - _GAP) / 2
_BINS = 40
_TICKS = 5
_PERCENTILES = (50, 95, 99)

# With a background: who opens the file itself sees it on white, even where pages are dark.
_STYLE = """
svg { background: #ffffff }
text { font: 13px -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 18px; font-weight: 600 } .heading { font-weight: 600; font-size: 14px }
.muted { fill: #59636e; font-size: 12px }
.bar { fill: #d9480f } .rule { stroke: #d1d9e0 } .mark { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117 } text { fill: #f0f6fc } .muted { fill: #9198a1 } .bar { fill: #ff8c42 }
  .rule { stroke: #3d444d } .mark { stroke: #9198a1 }
}
"""


def draw(report: Report) -> str:
    """The picture."""
    title = report.title()
    name = escape(title, {'"': "&quot;"})
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">'
    )
    lines = [
        opening,
        f"<style>{_STYLE}</style>",
        _text(_MARGIN, 28, title, "title"),
        _text(_MARGIN, 50, report.subtitle(), "muted"),
    ]
    panels = (("Time to first token", report.first_token), ("Between tokens", report.inter_token))
    for number, (heading, ordered) in enumerate(panels):
        lines += _panel(_MARGIN + number * (_PANEL + _GAP), heading, ordered)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(left: float, heading: str, ordered: Sequence[float]) -> Iterator[str]:
    yield _text(left, 84, heading, "heading")
    if not ordered:
        yield _text(left, 104, "there was none", "muted")
        return
    histogram = Histogram.of(ordered, bins=_BINS)
    low, high = histogram.edges[0], histogram.edges[-1]
    bottom = _HEIGHT - _BOTTOM
    most = max(histogram.counts)

    def place(value: float) -> float:
        return left + (min(value, high) - low) / (high - low) * _PANEL

    yield _line(left, bottom, left + _PANEL, bottom, "rule")
    for start, end, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        height = count / most * (bottom - _TOP)
        yield (
            f'<rect x="{place(start) + 0.5:.1f}" y="{bottom - height:.1f}" '
            f'width="{max(1.0, place(end) - place(start) - 1):.1f}" height="{height:.1f}" class="bar"/>'
        )
    step = nice_step((high - low) / _TICKS)
    for number in range(round(low / step + 0.4999), int(high / step + 1e-9) + 1):
        tick = number * step
        yield _line(place(tick), bottom, place(tick), bottom + 4, "rule")
        yield _text(place(tick), bottom + 19, duration(tick) if tick else "0", "muted", anchor="middle")
    marks = [(share, percentile(ordered, share / 100)) for share in _PERCENTILES]
    for share, value in marks:
        if value <= high:
            yield _line(place(value), _TOP, place(value), bottom, "mark", f"p{share}: {duration(value)}")
    beyond = f", {histogram.above:,} beyond" if histogram.above else ""
    shares = ", ".join(f"p{share} {duration(value)}" for share, value in marks)
    yield _text(left, 103, shares, "muted")
    yield _text(left, bottom + 42, f"{len(ordered):,} in all{beyond}; at most {most:,} in a bar", "muted")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, title: str = "") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} class="{kind}"><title>{escape(title)}</title></line>'


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'

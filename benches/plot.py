"""The README's picture, drawn from results: `python -m benches.plot [RESULTS]`.

There is a file for light pages and one for dark ones. The scale is linear, starts at nothing and is the same
in both panels: the length of a bar is the time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benches.harness import Cell
from benches.report import OURS, duration, times_as_long
from benches.results import Results, latest

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = Path(__file__).parent.parent / "docs" / "images"

PANELS = {"chat-64k": "64 KiB reads", "chat-per-event": "one event per read"}
CONTESTANTS = (
    OURS,
    "CPython floor",
    "eventsource-parser",
    "httpx-sse",
    "anthropic",
    "httpx2",
    "sseclient-py",
    "requests-sse",
    "openai",
)
REMARKS = {"CPython floor": "split, str()", "eventsource-parser": "Node"}

WIDTH = 900
MARGIN = 8
NAMES = 216
GAP = 28
VALUES = 104
ROW = 30
BAR = 18
TOP = 92
BOTTOM = 34
PANEL = (WIDTH - 2 * MARGIN - NAMES - GAP * (len(PANELS) - 1)) / len(PANELS)


@dataclass(frozen=True)
class Theme:
    """The colours for a page."""

    name: str
    text: str
    muted: str
    ours: str
    theirs: str
    rule: str


THEMES = (
    Theme("light", text="#1f2328", muted="#59636e", ours="#d9480f", theirs="#b6bfc9", rule="#d1d9e0"),
    Theme("dark", text="#f0f6fc", muted="#9198a1", ours="#ff8c42", theirs="#4d5661", rule="#3d444d"),
)


def draw(results: Results, theme: Theme) -> str:
    """The picture as SVG."""
    names = [name for name in CONTESTANTS if _median(results, next(iter(PANELS)), name) is not None]
    # Ours first, then by time: the first panel's order serves for all.
    names.sort(key=lambda name: (name != OURS, _median(results, next(iter(PANELS)), name)))
    height = TOP + ROW * len(names) + BOTTOM
    title = "Time to decode one event of a chat stream"
    lines = [
        _opening(title, height),
        _text(MARGIN, 24, title, theme.text, size=18, weight=600),
        _text(MARGIN, 46, "322 bytes per event, data as str; less is better", theme.muted),
        *_names(results, names, theme),
    ]
    for number, (workload, heading) in enumerate(PANELS.items()):
        left = MARGIN + NAMES + number * (PANEL + GAP)
        lines.append(_text(left, TOP - 14, heading, theme.text, weight=600))
        lines += _bars(results, workload, names, left, theme)
    machine = results.machine
    conditions = (
        f"Medians of {results.settings['rounds']} rounds in which all take turns. {machine['cpu']}, "
        f"{machine['python']}, {results.date}."
    )
    lines += [_text(MARGIN, height - 8, conditions, theme.muted, size=12), "</svg>"]
    return "\n".join(lines) + "\n"


def _opening(title: str, height: int) -> str:
    fonts = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" '
        f'font-family="{fonts}" font-size="14">'
    )


def _names(results: Results, names: list[str], theme: Theme) -> Iterator[str]:
    for row, name in enumerate(names):
        remark = REMARKS.get(name, results.contestants[name].version)
        yield (
            f'<text x="{MARGIN + NAMES - 14}" y="{_baseline(row)}" text-anchor="end">'
            f"{_pair(name, remark, name, theme)}</text>"
        )


def _bars(results: Results, workload: str, names: list[str], left: float, theme: Theme) -> Iterator[str]:
    medians = {(panel, name): _median(results, panel, name) or 0 for panel in PANELS for name in names}
    longest = max(medians.values())
    bottom = TOP + ROW * len(names)
    yield f'<line x1="{left:.1f}" y1="{TOP - 4}" x2="{left:.1f}" y2="{bottom}" stroke="{theme.rule}"/>'
    for row, name in enumerate(names):
        median = medians[workload, name]
        if not median:
            continue
        length = median / longest * (PANEL - VALUES)
        top = TOP + ROW * row + (ROW - BAR) / 2
        yield f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{BAR}" {_paint(name, theme)}/>'
        ratio = results.samples.ratio(Cell(workload, name), Cell(workload, OURS))
        note = "" if name == OURS else times_as_long(ratio)
        yield (
            f'<text x="{left + length + 8:.1f}" y="{_baseline(row)}">'
            f"{_pair(duration(median), note, name, theme)}</text>"
        )


def _pair(text: str, note: str, name: str, theme: Theme) -> str:
    """Something about a contestant, and a smaller note."""
    fill, weight = (theme.ours, 700) if name == OURS else (theme.text, 400)
    return (
        f'<tspan fill="{fill}" font-weight="{weight}">{escape(text)}</tspan> '
        f'<tspan fill="{theme.muted}" font-size="12">{escape(note)}</tspan>'
    )


def _paint(name: str, theme: Theme) -> str:
    if name == "CPython floor":
        # A floor is no rival.
        return f'fill="none" stroke="{theme.theirs}" stroke-width="1.5" stroke-dasharray="4 3"'
    return f'fill="{theme.ours if name == OURS else theme.theirs}"'


def _baseline(row: int) -> float:
    return TOP + ROW * row + ROW / 2 + 5


def _text(x: float, y: float, text: str, fill: str, *, size: int = 14, weight: int = 400) -> str:
    style = f'font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y}" fill="{fill}" {style}>{escape(text)}</text>'


def _median(results: Results, workload: str, name: str) -> float | None:
    return results.samples.median(Cell(workload, name))


if __name__ == "__main__":
    shown = Results.read(Path(sys.argv[1]) if len(sys.argv) > 1 else latest())
    IMAGES.mkdir(parents=True, exist_ok=True)
    for each in THEMES:
        (IMAGES / f"decode-{each.name}.svg").write_text(draw(shown, each), encoding="utf-8")

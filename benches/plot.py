"""Draws the pictures of the documentation from results: `python -m benches.plot [RESULTS]`.

Of each, one file is for light pages, the other for dark ones. The scale is linear, starts at 0 and is the
same in both panels, so the length of a bar is the time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benches.harness import Cell
from benches.report import OURS, duration, times_as_long
from benches.results import LIVE_DIRECTORY, RESPONSES_DIRECTORY, SDK_DIRECTORY, Results, latest
from ssejet.cli._svg import DARK, LIGHT, Picture, Theme

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def draw(results: Results, theme: Theme) -> str:
    """Draw the picture as SVG."""
    medians = {
        (panel, name): results.samples.median(Cell(panel, name)) for panel in PANELS for name in CONTESTANTS
    }
    first = next(iter(PANELS))
    names = [name for name in CONTESTANTS if medians[first, name] is not None]
    # Ours first, then by time: the first panel's order serves for all.
    names.sort(key=lambda name: (name != OURS, medians[first, name]))
    longest = max(medians[panel, name] or 0 for panel in PANELS for name in names)
    bottom = TOP + ROW * len(names)
    height = bottom + BOTTOM
    title = "Time to decode one event of a chat stream"
    picture = _begin(title, "322 bytes per event, data as str; less is better", height, theme)
    for row, name in enumerate(names):
        remark = REMARKS.get(name, results.contestants[name].version)
        _write(picture, MARGIN + NAMES - 14, row, name, (name, remark), anchor="end")
    for panel, left in _panels(picture, PANELS, bottom):
        for row, name in enumerate(names):
            if not (median := medians[panel, name]):
                continue
            length = median / longest * (PANEL - VALUES)
            picture.bar(left, TOP + ROW * row + (ROW - BAR) / 2, length, BAR, _kind_of_bar(name))
            ratio = results.samples.ratio(Cell(panel, name), Cell(panel, OURS))
            note = "" if name == OURS else times_as_long(ratio)
            _write(picture, left + length + 8, row, name, (duration(median), note))
    return _end(picture, results, height, results.date)


LIVE_PANELS = {"async-20": "async, 20 streams", "sync-1": "sync, 1 stream"}
# A row, and whether ssejet does the work.
LIVE_ROWS = {
    "openai": ("openai", False),
    "openai-fast": ("openai, accelerated", True),
    "anthropic": ("anthropic", False),
    "anthropic-fast": ("anthropic, accelerated", True),
    "httpx-bytes": ("httpx, bytes only", False),
    "httpx": ("httpx with ssejet", True),
    "floor": ("floor", False),
}
LIVE_REMARKS = {"floor": "socket, decoder"}
# What the row is compared with.
LIVE_STOCK = {"openai-fast": "openai", "anthropic-fast": "anthropic", "httpx": "httpx-bytes"}


def draw_live(results: Results, theme: Theme) -> str:
    """Draw the picture of live streams as SVG."""
    samples = results.samples
    panels = {name: heading for name, heading in LIVE_PANELS.items() if name in samples.workloads}
    medians = {(panel, name): samples.median(Cell(panel, name)) for panel in panels for name in LIVE_ROWS}
    longest = max(median or 0 for median in medians.values())
    bottom = TOP + ROW * len(LIVE_ROWS)
    height = bottom + BOTTOM
    title = "Processor time of the client for one chunk of a live stream"
    remark = (
        "One chunk per write over loopback HTTP/1.1, system calls included. ÷: how many times less than above"
    )
    picture = _begin(title, remark, height, theme)
    for row, (name, (label, is_ours)) in enumerate(LIVE_ROWS.items()):
        remark = LIVE_REMARKS.get(name, "" if is_ours else results.contestants[name].version)
        kind = "accent bold" if is_ours else ""
        y = TOP + ROW * row + ROW / 2 + 5
        picture.text(MARGIN + NAMES - 14, y, (label, kind), (remark, "muted small"), anchor="end")
    for panel, left in _panels(picture, panels, bottom):
        for row, (name, (_, is_ours)) in enumerate(LIVE_ROWS.items()):
            if not (median := medians[panel, name]):
                continue
            length = median / longest * (PANEL - VALUES)
            bar_kind = "accent" if is_ours else "outline" if name == "floor" else "neutral"
            picture.bar(left, TOP + ROW * row + (ROW - BAR) / 2, length, BAR, bar_kind)
            stock = LIVE_STOCK.get(name)
            ratio = None if stock is None else samples.ratio(Cell(panel, stock), Cell(panel, name))
            note = "" if ratio is None else f"÷ {ratio:.1f}"
            y = TOP + ROW * row + ROW / 2 + 5
            kind = "accent bold" if is_ours else ""
            picture.text(left + length + 8, y, (duration(median), kind), (note, "muted small"))
    return _end(picture, results, height, f"{results.date}, load average {max(results.settings['load'])}")


SDK_ROW = 40
SDK_BAR = 13


def draw_sdks(results: Results, theme: Theme) -> str:
    """Draw the picture of all SDKs, stock and with ssejet, as SVG."""
    samples = results.samples
    stock = {name: samples.median(Cell(name, "stock")) or 0 for name in samples.workloads}
    names = sorted(stock, key=lambda name: -stock[name])
    longest = max(stock.values())
    bottom = TOP + SDK_ROW * len(names)
    height = bottom + BOTTOM
    title = "Processor time of one chunk of a stream, stock and with ssejet"
    remark = "In process, HTTP library included; the same items. ÷: how many times less"
    picture = _begin(title, remark, height, theme)
    left = MARGIN + NAMES
    picture.bar(left, TOP - 24, 26, SDK_BAR, "neutral")
    picture.text(left + 34, TOP - 13, ("stock", ""))
    picture.bar(left + 96, TOP - 24, 26, SDK_BAR, "accent")
    picture.text(left + 130, TOP - 13, ("with ssejet", "accent bold"))
    picture.line(left, TOP - 4, left, bottom, "rule")
    for row, name in enumerate(names):
        y = TOP + SDK_ROW * row
        version = results.contestants[name].version
        picture.text(left - 14, y + SDK_ROW / 2 + 5, (name, ""), (version, "muted small"), anchor="end")
        length = stock[name] / longest * (WIDTH - MARGIN - left - VALUES)
        top = y + SDK_ROW / 2 - SDK_BAR - 1
        picture.bar(left, top, length, SDK_BAR, "neutral")
        picture.text(left + length + 8, top + 11, (duration(stock[name]), "small"))
        fast = Cell(name, OURS)
        median, ratio = samples.median(fast), samples.ratio(Cell(name, "stock"), fast)
        top += SDK_BAR + 2
        if median is None or ratio is None:
            picture.text(left + 8, top + 11, (samples.wrong[fast], "muted small"))
            continue
        length *= median / stock[name]
        picture.bar(left, top, length, SDK_BAR, "accent")
        note = f"÷ {ratio:.{0 if ratio >= 10 else 1}f}"
        picture.text(
            left + length + 8, top + 11, (duration(median), "accent bold small"), (note, "muted small")
        )
    return _end(picture, results, height, f"{results.date}, load average {max(results.settings['load'])}")


RESPONSES_PANELS = {"responses-typed": "typed events", "responses-stream": "responses.stream()"}
RESPONSES_SIZES = ("1k", "4k", "16k")


def draw_responses(results: Results, theme: Theme) -> str:
    """Draw the picture of Responses streams as SVG: for each size of a stream, ours and openai's."""
    samples = results.samples
    rows = [(size, name) for size in RESPONSES_SIZES for name in (OURS, "openai")]
    cells = {
        (panel, size, name): Cell(f"{panel}-{size}", name)
        for panel in RESPONSES_PANELS
        for size, name in rows
    }
    medians = {key: samples.median(cell) for key, cell in cells.items()}
    longest = max(median or 0 for median in medians.values())
    bottom = TOP + ROW * len(rows)
    height = bottom + BOTTOM
    title = "Time for one event of a Responses stream"
    remark = "From bytes in memory to the last event, with the request; less is better"
    picture = _begin(title, remark, height, theme)
    for row, (size, name) in enumerate(rows):
        events = f"{size.removesuffix('k')},000 events"
        _write(picture, MARGIN + NAMES - 14, row, name, (name, events), anchor="end")
    for panel, left in _panels(picture, RESPONSES_PANELS, bottom):
        for row, (size, name) in enumerate(rows):
            if not (median := medians[panel, size, name]):
                continue
            length = median / longest * (PANEL - VALUES)
            picture.bar(left, TOP + ROW * row + (ROW - BAR) / 2, length, BAR, _kind_of_bar(name))
            ratio = samples.ratio(cells[panel, size, name], cells[panel, size, OURS])
            note = "" if name == OURS else times_as_long(ratio)
            _write(picture, left + length + 8, row, name, (duration(median), note))
    more = f"openai {results.contestants['openai'].version}, {results.date}"
    return _end(picture, results, height, more, who="both")


HUB_ROWS = ("hub over Redis", "fastapi-resumable-stream", "XREAD for each follower")
HUB_NAMES = 260


def draw_hub(results: Results, theme: Theme) -> str:
    """Draw the picture of the hub and of other ways to do the same, as SVG."""
    samples = results.samples
    workload = next(
        name for name in samples.workloads if Cell(name, HUB_ROWS[-1], "µs of CPU") in samples.figures
    )
    medians = {name: samples.median(Cell(workload, name, "µs of CPU")) for name in HUB_ROWS}
    names = [name for name in HUB_ROWS if medians[name] is not None]
    longest = max(medians[name] or 0 for name in names)
    bottom = TOP + ROW * len(names)
    height = bottom + BOTTOM
    title = "Processor time to deliver one event to one follower"
    remark = f"{samples.workloads[workload].title}, in one process over Redis; less is better"
    picture = _begin(title, remark, height, theme)
    left = MARGIN + HUB_NAMES
    picture.line(left, TOP - 4, left, bottom, "rule")
    for row, name in enumerate(names):
        is_ours = name == HUB_ROWS[0]
        kind = "accent bold" if is_ours else ""
        version = results.contestants[name].version if name in results.contestants else ""
        y = TOP + ROW * row + ROW / 2 + 5
        picture.text(left - 14, y, (name, kind), (version, "muted small"), anchor="end")
        figure = medians[name] or 0
        length = figure / longest * (WIDTH - MARGIN - left - 2 * VALUES)
        picture.bar(left, TOP + ROW * row + (ROW - BAR) / 2, length, BAR, "accent" if is_ours else "neutral")
        slowest = samples.median(Cell(workload, name, "ms, 99 %"))
        note = f"99 % within {slowest:.0f} ms" if slowest is not None else ""
        picture.text(left + length + 8, y, (f"{figure:.1f} µs", kind), (note, "muted small"))
    machine = results.machine
    server = results.contestants["Redis"].version
    conditions = (
        f"{machine['cpu']}, {machine['python']}, Redis {server}, {results.date}, load average "
        f"{max(results.settings['load'])}."
    )
    picture.text(MARGIN, height - 8, (conditions, "muted small"))
    return str(picture)


def _begin(title: str, remark: str, height: float, theme: Theme) -> Picture:
    picture = Picture(title, WIDTH, height, theme=theme)
    picture.text(MARGIN, 24, (title, "title"))
    picture.text(MARGIN, 46, (remark, "muted"))
    return picture


def _panels(picture: Picture, panels: Mapping[str, str], bottom: float) -> Iterator[tuple[str, float]]:
    """Begin panels side by side, each with its heading; give the name of each, and its left edge."""
    for number, (panel, heading) in enumerate(panels.items()):
        left = MARGIN + NAMES + number * (PANEL + GAP)
        picture.text(left, TOP - 14, (heading, "heading"))
        picture.line(left, TOP - 4, left, bottom, "rule")
        yield panel, left


def _end(picture: Picture, results: Results, height: float, more: str, *, who: str = "all") -> str:
    """Write the conditions of the measurement below the picture, and return it."""
    machine = results.machine
    conditions = (
        f"Medians of {results.settings['rounds']} rounds in which {who} take turns. {machine['cpu']}, "
        f"{machine['python']}, {more}."
    )
    picture.text(MARGIN, height - 8, (conditions, "muted small"))
    return str(picture)


def _write(
    picture: Picture, x: float, row: int, name: str, text_and_note: tuple[str, str], *, anchor: str = "start"
) -> None:
    """Write something about a contestant into its row, and a smaller note."""
    text, note = text_and_note
    kind = "accent bold" if name == OURS else ""
    picture.text(x, TOP + ROW * row + ROW / 2 + 5, (text, kind), (note, "muted small"), anchor=anchor)


def _kind_of_bar(name: str) -> str:
    if name == "CPython floor":
        return "outline"  # the least that Python can take, not a rival
    return "accent" if name == OURS else "neutral"


if __name__ == "__main__":
    shown = Results.read(Path(sys.argv[1]) if len(sys.argv) > 1 else latest())
    IMAGES.mkdir(parents=True, exist_ok=True)
    for each in (LIGHT, DARK):
        (IMAGES / f"decode-{each.name}.svg").write_text(draw(shown, each), encoding="utf-8")
        live = Results.read(latest(LIVE_DIRECTORY))
        (IMAGES / f"live-{each.name}.svg").write_text(draw_live(live, each), encoding="utf-8")
        sdks = Results.read(latest(SDK_DIRECTORY))
        (IMAGES / f"sdks-{each.name}.svg").write_text(draw_sdks(sdks, each), encoding="utf-8")
        responses = Results.read(latest(RESPONSES_DIRECTORY))
        (IMAGES / f"responses-{each.name}.svg").write_text(draw_responses(responses, each), encoding="utf-8")

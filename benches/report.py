"""Shows results as tables: on the terminal, and in Markdown for the documentation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from benches.goals import GOALS
from benches.harness import Cell
from benches.results import Results, latest

if TYPE_CHECKING:
    from rich.console import RenderableType

    from benches.goals import Verdict
    from benches.harness import Samples

OURS = "ssejet"
WIDTH = 180
UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns"))
PAGE_WORKLOADS = (
    "chat-per-event",
    "chat-64k",
    "chat-64b",
    "anthropic-64k",
    "crlf-64k",
    "cjk-64k",
    "large-64k",
    "huge-64b",
    "comments-64k",
)
PAGE_RIVALS = {
    OURS: (
        "openai",
        "anthropic",
        "httpx2",
        "httpx-sse",
        "sseclient-py",
        "requests-sse",
        "eventsource-parser",
    ),
    "ssejet-core": ("sse-core", "sse-stream", "sseer", "sse-parse", "eventsource-stream"),
}


LIVE_FLOOR = "floor"
LIVE_TITLES = {
    LIVE_FLOOR: "floor: socket, `Decoder`, chunk",
    "floor-buffered": "floor that reads into one buffer",
    "httpx": "ssejet over httpx",
    "httpx2": "ssejet over httpx2",
    "aiohttp": "ssejet over aiohttp",
    "requests": "ssejet over requests",
    "client": "`Client`, `AsyncClient`",
    "openai-fast": "openai, accelerated",
    "openai": "openai as it is",
    "anthropic-fast": "anthropic, accelerated",
    "anthropic": "anthropic as it is",
    "httpx-bytes": "httpx, bytes only",
    "httpx2-bytes": "httpx2, bytes only",
    "aiohttp-bytes": "aiohttp, bytes only",
}
LIVE_SETTINGS = ("async-20", "async-1000", "async-20-tls", "sync-1", "sync-1-tls")


def tables(results: Results) -> RenderableType:
    """Return all times, and the goals with their results."""
    return Group(_times(results), "", _verdicts(results))


def show(results: Results) -> None:
    """Print all tables."""
    console = Console()
    # Compressed columns are unreadable, but a narrow window can be widened.
    Console(width=max(console.width, WIDTH)).print(tables(results))


def markdown(results: Results) -> str:
    """Return the tables of docs/performance.md: how many times as long the others take."""
    return "\n".join(
        _ratios(results, ours, [name for name in rivals if name in results.contestants])
        for ours, rivals in PAGE_RIVALS.items()
        if ours in results.contestants
    )


def chat_markdown(results: Results) -> str:
    """Return the table of chat streams."""
    samples = results.samples
    rivals = ("openai", "aiter_bytes")
    heads = ["", OURS, *(f"{name} {results.contestants[name].version}" for name in rivals)]
    lines = ["| " + " | ".join(heads) + " |", "|---|---:|---:|---:|"]
    for workload, description in samples.workloads.items():
        ours = Cell(workload, OURS)
        ratios = [samples.ratio(Cell(workload, rival), ours) for rival in rivals]
        row = [description.title, duration(samples.median(ours) or 0), *map(times_as_long, ratios)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def swap_markdown(results: Results) -> str:
    """Return the table of SDKs and libraries with and without ssejet."""
    samples = results.samples
    lines = ["|  | as it is | with ssejet | |", "|---|---:|---:|---:|"]
    for workload, description in samples.workloads.items():
        ours = Cell(workload, OURS)
        theirs = next(
            cell for cell in samples.figures if cell.workload == workload and cell.contestant != OURS
        )
        times = [duration(samples.median(cell) or 0) for cell in (theirs, ours)]
        row = [description.title, *times, times_as_long(samples.ratio(theirs, ours))]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def sdk_markdown(results: Results) -> str:
    """Return the table of SDKs, stock and with ssejet, for docs/swap-ins.md."""
    samples = results.samples
    lines = ["| SDK | stock, one chunk | with ssejet | |", "|---|---:|---:|---:|"]
    for workload, description in samples.workloads.items():
        stock, fast = (Cell(workload, name) for name in ("stock", OURS))
        if fast in samples.figures:
            times = [duration(samples.median(cell) or 0) for cell in (stock, fast)]
            ratio = samples.ratio(stock, fast) or 0
            row = [description.title, *times, f"÷ {ratio:.{0 if ratio >= 10 else 1}f}"]
        else:
            row = [description.title, duration(samples.median(stock) or 0), "", samples.wrong[fast]]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def live_markdown(results: Results) -> str:
    """Return the table of live streams."""
    samples = results.samples
    settings = [name for name in LIVE_SETTINGS if name in samples.workloads]
    lines = ["|  | " + " | ".join(samples.workloads[name].title for name in settings) + " |"]
    lines.append("|---|" + "---:|" * len(settings))
    for variant, title in LIVE_TITLES.items():
        cells = [_live_cell(samples, Cell(setting, variant)) for setting in settings]
        if any(cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def live_text(samples: Samples, setting: str) -> str:
    """Return the figures of one setting of live streams for the terminal."""
    lines = [samples.workloads[setting].title]
    for cell in samples.figures:
        if cell.workload == setting:
            remark = samples.wrong.get(cell, "")
            lines.append(f"  {cell.contestant:16} {_live_cell(samples, cell):>16}  {remark}".rstrip())
    return "\n".join(lines)


def _live_cell(samples: Samples, cell: Cell) -> str:
    median = samples.median(cell)
    if median is None:
        return ""
    floor = samples.ratio(cell, cell._replace(contestant=LIVE_FLOOR))
    note = "" if floor is None or cell.contestant == LIVE_FLOOR else f" ({floor:.2f}×)"
    return duration(median) + note


def _ratios(results: Results, ours: str, rivals: list[str]) -> str:
    heads = ["", ours, *(f"{name} {results.contestants[name].version}" for name in rivals)]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for workload in PAGE_WORKLOADS:
        median = results.samples.median(Cell(workload, ours))
        if median is None:
            continue
        ratios = [results.samples.ratio(Cell(workload, rival), Cell(workload, ours)) for rival in rivals]
        row = [results.samples.workloads[workload].title, duration(median), *map(times_as_long, ratios)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def duration(nanoseconds: float) -> str:
    """Format a duration with three digits and a suitable unit."""
    size, unit = next((each for each in UNITS if nanoseconds >= each[0]), UNITS[-1])
    figure = nanoseconds / size
    return f"{figure:.{2 if figure < 9.995 else 1 if figure < 99.95 else 0}f} {unit}"


def times_as_long(ratio: float | None) -> str:
    """Format a ratio for a table."""
    if ratio is None:
        return ""
    return f"{ratio:.{0 if ratio >= 10 else 1 if ratio >= 1 else 2}f}×"


def _times(results: Results) -> Table:
    samples = results.samples
    table = _table("Time per event", caption=_conditions(results))
    table.add_column("", no_wrap=True)
    for workload in samples.workloads:
        # In two lines, to save width.
        table.add_column("\n".join(workload.rsplit("-", 1)), justify="right")
    language = None
    for name, entrant in results.contestants.items():
        if language not in {None, entrant.language}:
            table.add_section()
        language = entrant.language
        medians = [samples.median(Cell(workload, name)) for workload in samples.workloads]
        cells = ["" if median is None else duration(median) for median in medians]
        table.add_row(f"{name} {entrant.version}", *cells, style="bold" if name == OURS else "")
    return table


def _verdicts(results: Results) -> Table:
    table = _table("Goals")
    table.add_column("workload")
    table.add_column("contestant")
    table.add_column("against")
    table.add_column("goal", justify="right")
    table.add_column("measured", justify="right")
    table.add_column("")
    for verdict in _judged(results):
        mark = Text("pass", "green") if verdict.met else Text("fail", "bold red")
        table.add_row(
            verdict.workload, verdict.subject, verdict.rival, verdict.bound, f"{verdict.value:.2f}×", mark
        )
    return table


def _table(title: str, caption: str | None = None) -> Table:
    return Table(title=title, title_justify="left", caption=caption, caption_justify="left", box=SIMPLE_HEAD)


def _judged(results: Results) -> list[Verdict]:
    return [verdict for goal in GOALS if (verdict := goal.judge(results.samples)) is not None]


def _conditions(results: Results) -> str:
    machine = results.machine
    return (
        f"{results.date}, {machine['cpu']}, {machine['cores']} cores, {machine['python']}, "
        f"medians of {results.settings['rounds']} rounds; no time where a workload is decoded wrongly"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.report", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, help="a file of results (default: the newest)")
    parser.add_argument("--markdown", action="store_true", help="print the Markdown tables instead")
    options = parser.parse_args()
    results = Results.read(options.results or latest())
    if options.markdown:
        print(markdown(results), end="")
    else:
        show(results)


if __name__ == "__main__":
    main()


REDIS_CPU = "µs of Redis's CPU"


def hub_markdown(results: Results) -> str:
    """Make the table of docs/hub.md."""
    samples = results.samples
    lines = ["| | | CPU of the process | latency, median and 99 % |", "|---|---|---|---|"]
    for workload, description in samples.workloads.items():
        for name in dict.fromkeys(cell.contestant for cell in samples.figures if cell.workload == workload):
            figures = {
                cell.metric: figures[0]
                for cell, figures in samples.figures.items()
                if (cell.workload, cell.contestant) == (workload, name)
            }
            cpu = f"{figures['µs of CPU']:.1f} µs" if "µs of CPU" in figures else ""
            if REDIS_CPU in figures:
                cpu += f", and {figures[REDIS_CPU]:.1f} µs of Redis's"
            if "bytes each" in figures:
                cpu = f"({figures['bytes each'] / 1000:.1f} kB a follower)"
            delays = ""
            if "ms, median" in figures:
                delays = f"{figures['ms, median']:.1f} ms, {figures['ms, 99 %']:.1f} ms"
            elif "µs in all" in figures:
                delays = f"{figures['µs in all']:.0f} µs an event"
            lines.append(f"| {description.title} | {name} | {cpu} | {delays} |")
    machine, load = results.machine, results.settings["load"]
    server = results.contestants["Redis"].version
    lines.append(
        f"\n{machine['cpu']}, {machine['cores']} cores, {machine['python']}, Redis {server}, {results.date}; "
        f"load average {load[0]} before and {load[1]} after."
    )
    return "\n".join(lines)

"""`python -m benches.run`: measures all decoders on all workloads in turn, and writes a table and a file."""

from __future__ import annotations

import argparse
import gc
import tempfile
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benches import machine, report, scaling, workers
from benches.harness import Run, Turn
from benches.peers import all_peers
from benches.results import DIRECTORY, Entrant, Results
from benches.workloads import all_workloads

if TYPE_CHECKING:
    from benches.contestant import Contestant

MS = 1_000_000


def main() -> None:
    options = _options()
    # Progress goes to stderr, so that the table can be redirected.
    console = Console(stderr=True)
    workloads = [each for each in all_workloads() if not options.only or each.name in options.only]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ssejet-bench-")))
        peers, remarks = all_peers()
        contestants: list[Contestant] = [*peers]
        with console.status("building and starting the contestants in other languages"):
            for start in (workers.node, workers.rust):
                try:
                    contestants += stack.enter_context(start(directory)).contestants
                except workers.WorkerError as error:  # noqa: PERF203 - twice
                    remarks.append(str(error))
        for remark in remarks:
            console.print(remark, style="yellow")
        # Objects of the imports must not be part of the measured garbage collections.
        gc.collect()
        gc.freeze()
        run = Run(workloads, contestants, options.rounds, options.slice * MS)
        with _progress(console) as progress:
            task = progress.add_task("", total=run.turns)

            def watch(turn: Turn) -> None:
                description = f"{turn.doing}: {turn.contestant.name}, {turn.workload.title}"
                progress.update(task, advance=1, description=description)

            samples = run.measure(watch)
            if not options.only and any(each.name == "ssejet" for each in contestants):
                progress.update(task, description="one 64 MiB event")
                scaling.add_to(samples, min(options.rounds, 5))

    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": options.rounds, "slice_ms": options.slice},
        contestants={each.name: Entrant(each.version, each.language) for each in contestants},
        samples=samples,
    )
    output = options.output
    if output is None and not (options.quick or options.only):
        output = DIRECTORY / f"{results.date}-{machine.slug()}.json"
    if output is not None:
        results.write(output)
        console.print(f"written to {output}", style="green")
    if options.markdown:
        print(report.markdown(results), end="")
    else:
        report.show(results)


def _options() -> argparse.Namespace:
    names = [each.name for each in all_workloads()]
    only = f"one of {', '.join(names)}; may be repeated"
    parser = argparse.ArgumentParser(prog="python -m benches.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short slices, few rounds, nothing written")
    parser.add_argument("--only", action="append", choices=names, metavar="WORKLOAD", help=only)
    parser.add_argument("--rounds", type=int, help="the number of rounds (default: 15)")
    parser.add_argument("--output", type=Path, help="the file for the results (default: in benches/results/)")
    parser.add_argument("--markdown", action="store_true", help="print the Markdown tables instead")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.slice = 5 if options.quick else 40
    return options


def _progress(console: Console) -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=console, transient=True)


if __name__ == "__main__":
    main()

"""The report of ``ssejet bench``: tables, distributions, and the same as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ssejet.cli._console import printable
from ssejet.cli._figures import ORIGINS, duration
from ssejet.cli._histogram import Histogram, bar
from ssejet.cli._load import LATE
from ssejet.metrics._token_metrics import percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console, RenderableType

    from ssejet.cli._load import Results

__all__ = ["Report"]

_PERCENTILES = (50, 90, 95, 99)
# The columns of a latency, and those that a narrow terminal shows.
_SHARES = {"min": 0.0, **{f"p{share}": share / 100 for share in _PERCENTILES}, "max": 1.0}
_MAIN_SHARES = {name: _SHARES[name] for name in ("p50", "p99")}
_WIDTH_OF_ALL = 78

_BINS = 12
_BAR = 24
_LABEL = 9

# Above these, the load generator itself may be the limit: its share of one processor, its delay in seconds,
# which also grows when others use the machine, and the share of the reads that came late.
_BUSY = 0.8
_LATE = 0.05
_LATE_READS = 0.01


class Report:
    """The results of a load, as figures.

    Args:
        conditions: the conditions of the load, by name.
        results: the results of the load.
        redact: removes secrets from a text.

    Attributes:
        conditions, results: as given.
        first_token, inter_token: the times in ascending order.
    """

    def __init__(self, conditions: dict[str, Any], results: Results, *, redact: Callable[[str], str]) -> None:
        samples = [*results.samples, *results.cut]
        self.conditions = conditions
        self.results = results
        self._redact = redact
        self.first_token = _ordered(sample.first_token for sample in samples)
        self.inter_token = sorted(results.gaps)
        self._first_content = _ordered(sample.first_content_token for sample in samples)
        self._duration = _ordered(sample.duration for sample in samples)
        self._rate = _ordered(sample.tokens_per_second for sample in samples)
        self._origins = Counter(sample.tokens_from for sample in samples)

    def title(self) -> str:
        """Describe the measurement in one line."""
        conditions = self.conditions
        return f"{conditions['model']} at {conditions['url']}, {conditions['concurrency']} at once"

    def subtitle(self) -> str:
        """Describe the results in one line."""
        results = self.results
        failed = f", {results.failed:,} failed" if results.failed else ""
        return (
            f"{len(results.samples):,} requests answered{failed}; {results.tokens / results.seconds:,.0f} "
            f"tokens/s ({self._token_origins()}) in {duration(results.seconds)}"
        )

    def print(self, console: Console) -> None:
        """Print the report."""
        console.print(Text(printable(self.title()), "bold"))
        if self.first_token:
            console.print(self._latencies(console.width))
        console.print(self._throughput())
        if self.results.failures:
            console.print(self._failures())
        if self.first_token:
            console.print()
            console.print(self._distributions(console))
        console.print()
        for remark in self._remarks():
            console.print(remark, style="dim")

    def to_dict(self) -> dict[str, Any]:
        """Return all figures: times in seconds, tokens, and rates per second."""
        results = self.results
        return {
            **self.conditions,
            "seconds": results.seconds,
            "succeeded": len(results.samples),
            "failed": results.failed,
            "cancelled": results.cancelled,
            "requests_per_second": len(results.samples) / results.seconds,
            "tokens": results.tokens,
            "tokens_from": dict(self._origins),
            "tokens_per_second": results.tokens / results.seconds,
            "prompt_tokens": self._prompt_tokens(),
            "time_to_first_token": _summary(self.first_token),
            "time_to_first_content_token": _summary(self._first_content),
            "inter_token_latency": _summary(self.inter_token),
            "request_duration": _summary(self._duration),
            "tokens_per_second_and_request": _summary(self._rate),
            "errors": {
                kind: {"count": failure.count, "first": self._redact(str(failure.error))}
                for kind, failure in results.failures.items()
            },
            "load_generator": {
                "is_limit": self._is_limit(),
                "cpu": self._cpu(),
                "delay": _summary(sorted(results.delays)),
                "reads": results.reads,
                "late_reads": results.late_reads,
            },
            "samples": [sample._asdict() for sample in results.samples],
        }

    def _latencies(self, width: int) -> Table:
        shares = _SHARES if width >= _WIDTH_OF_ALL else _MAIN_SHARES
        table = _table("", *shares)
        rows: list[tuple[str, Sequence[float], Callable[[float], str]]] = [
            ("TTFT", self.first_token, duration),
            ("TTFT, answer", self._first_content, duration),
            ("between tokens", self.inter_token, duration),
            ("whole request", self._duration, duration),
            ("tokens/s each", self._rate, "{:,.1f}".format),
        ]
        for name, ordered, form in rows:
            if ordered:
                table.add_row(name, *(form(percentile(ordered, share)) for share in shares.values()))
        return table

    def _throughput(self) -> Table:
        results = self.results
        seconds = results.seconds
        table = Table.grid(padding=(0, 2), pad_edge=True)
        table.add_column(style="dim")
        table.add_column(justify="right")
        table.add_column(style="dim")
        answered = f"of {results.ended + results.cancelled:,} in {duration(seconds)}"
        table.add_row("answered", f"{len(results.samples):,}", answered)
        if results.failed:
            table.add_row("failed", Text(f"{results.failed:,}", "error"), "")
        if results.cancelled:
            table.add_row("cancelled", f"{results.cancelled:,}", "")
        table.add_row("requests/s", f"{len(results.samples) / seconds:,.1f}", "")
        if self._origins:
            table.add_row("tokens/s", f"{results.tokens / seconds:,.1f}", self._token_origins())
        if prompt := self._prompt_tokens():
            table.add_row("prompt tokens/s", f"{prompt / seconds:,.1f}", ORIGINS["usage"])
        return table

    def _failures(self) -> Table:
        table = _table("error", "count", "first message")
        table.columns[2].justify = "left"
        for kind, failure in sorted(self.results.failures.items(), key=lambda item: -item[1].count):
            message = " ".join(printable(self._redact(str(failure.error))).split())
            table.add_row(Text(kind, "error"), f"{failure.count:,}", message)
        return table

    def _distributions(self, console: Console) -> RenderableType:
        ascii_only = not console.encoding.startswith("utf")
        panels = [
            _distribution(name, ordered, ascii_only=ascii_only)
            for name, ordered in (
                ("Time to first token", self.first_token),
                ("Between tokens", self.inter_token),
            )
            if ordered
        ]
        return Columns(panels, padding=(0, 2))

    def _remarks(self) -> Iterable[str]:
        together = sum(1 for gap in self.inter_token if not gap)
        if together:
            share = together / len(self.inter_token)
            yield f"  {share:.0%} of the tokens arrived in one read with the one before: their latency is 0."
        results = self.results
        delays = sorted(results.delays)
        lateness = f", at most {duration(delays[-1])} late (p99 {duration(self._delay())})" if delays else ""
        yield f"  Load generator: busy {self._cpu():.0%} of the time{lateness}."
        if results.late_reads:
            share = results.late_reads / results.reads
            yield (
                f"  {results.late_reads:,} of {results.reads:,} reads ({share:.1%}) came more than "
                f"{duration(LATE)} late: their latencies include that."
            )
        if self._is_limit():
            yield "  It was a limit itself: use a lower concurrency, or a machine that is less busy."

    def _token_origins(self) -> str:
        return ", ".join(ORIGINS[origin] for origin in sorted(self._origins, reverse=True))

    def _is_limit(self) -> bool:
        """Whether the load generator was too slow for its own load."""
        late_reads = self.results.late_reads > _LATE_READS * self.results.reads
        return self._cpu() > _BUSY or self._delay() > _LATE or late_reads

    def _delay(self) -> float:
        """How late the event loop was in all but one of a hundred samples."""
        delays = sorted(self.results.delays)
        return percentile(delays, 0.99) if delays else 0.0

    def _cpu(self) -> float:
        return self.results.cpu_seconds / self.results.seconds

    def _prompt_tokens(self) -> int:
        results = self.results
        return sum(sample.prompt_tokens or 0 for sample in (*results.samples, *results.cut))


def _ordered(values: Iterable[float | None]) -> list[float]:
    return sorted(value for value in values if value is not None)


def _summary(ordered: Sequence[float]) -> dict[str, float] | None:
    if not ordered:
        return None
    shares = {f"p{share}": percentile(ordered, share / 100) for share in _PERCENTILES}
    return {"min": ordered[0], "mean": sum(ordered) / len(ordered), **shares, "max": ordered[-1]}


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="dim", border_style="dim", padding=(0, 1))
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _distribution(name: str, ordered: Sequence[float], *, ascii_only: bool) -> RenderableType:
    histogram = Histogram.of(ordered, bins=_BINS)
    most = max(*histogram.counts, histogram.above)
    rows = Table.grid(padding=(0, 1))
    rows.add_column(justify="right", style="dim", min_width=_LABEL)
    rows.add_column(width=_BAR)
    for label, count in histogram.rows():
        rows.add_row(label, bar(count / most, _BAR - 8, ascii_only=ascii_only) + f" {count:,}" * (count > 0))
    return Group(Text(f"  {name}", "bold"), rows)

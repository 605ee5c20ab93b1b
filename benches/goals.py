"""The goals, as data: which times are compared, and the required ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from benches.harness import Cell

if TYPE_CHECKING:
    from benches.harness import Samples

CRATES = (
    "sse-stream",
    "sse-core",
    "sseer",
    "sse-parse",
    "eventsource-stream",
    "eventsource-stream2",
    "sse-codec",
    "http-body-server-sent-events",
)


class Verdict(NamedTuple):
    """The result of a goal."""

    workload: str
    subject: str
    rival: str
    bound: str
    value: float
    met: bool


@dataclass(frozen=True)
class Faster:
    """The subject is at least `times` as fast as each of the rivals."""

    workload: str
    subject: str
    rivals: tuple[str, ...]
    times: float

    def judge(self, samples: Samples) -> Verdict | None:
        subject = Cell(self.workload, self.subject)
        ratios = {rival: samples.ratio(Cell(self.workload, rival), subject) for rival in self.rivals}
        known = [(ratio, rival) for rival, ratio in ratios.items() if ratio is not None]
        if not known:
            return None
        ratio, rival = min(known)
        title = samples.workloads[self.workload].title
        return Verdict(title, self.subject, rival, f"≥ {self.times:g}×", ratio, ratio >= self.times)


@dataclass(frozen=True)
class Share:
    """The subject needs at most this share of the rival's time."""

    workload: str
    subject: str
    rival: str
    share: float

    def judge(self, samples: Samples) -> Verdict | None:
        ratio = samples.ratio(Cell(self.workload, self.subject), Cell(self.workload, self.rival))
        if ratio is None:
            return None
        title = samples.workloads[self.workload].title
        bound = f"≤ {self.share:.2f}× its time"
        return Verdict(title, self.subject, self.rival, bound, ratio, ratio <= self.share)


@dataclass(frozen=True)
class Even:
    """A byte of this workload costs the subject at most this many times a byte of the other workload."""

    workload: str
    than: str
    subject: str
    times: float

    def judge(self, samples: Samples) -> Verdict | None:
        ratio = samples.ratio(Cell(self.workload, self.subject), Cell(self.than, self.subject))
        if ratio is None:
            return None
        here, there = samples.workloads[self.workload], samples.workloads[self.than]
        ratio *= there.bytes_per_event / here.bytes_per_event
        bound = f"≤ {self.times:g}× per byte"
        return Verdict(here.title, self.subject, f"itself, {there.title}", bound, ratio, ratio <= self.times)


@dataclass(frozen=True)
class AtMost:
    """A figure without a rival, such as memory as a multiple of the event's size."""

    cell: Cell
    title: str
    unit: str
    limit: float

    def judge(self, samples: Samples) -> Verdict | None:
        figure = samples.median(self.cell)
        if figure is None:
            return None
        bound = f"≤ {self.limit:g}×"
        return Verdict(self.title, self.cell.contestant, self.unit, bound, figure, figure <= self.limit)


Goal = Faster | Share | Even | AtMost

_CORE_WORKLOADS = (
    "json-122-64k",
    "chat-per-event",
    "chat-64k",
    "chat-64b",
    "anthropic-64k",
    "crlf-64k",
    "cjk-64k",
    "large-64k",
    "huge-64b",
    "comments-64k",
    "unknown-64k",
)

GOALS: tuple[Goal, ...] = (
    Faster("chat-per-event", "ssejet", ("openai",), 30),
    Faster("chat-per-event", "ssejet", ("httpx-sse",), 12),
    Faster("chat-64k", "ssejet", ("openai",), 40),
    Faster("chat-64k", "ssejet", ("httpx-sse",), 12),
    Share("chat-64k", "ssejet", "CPython floor", 0.40),
    Faster("chat-64k", "ssejet", ("eventsource-parser",), 4),
    # CPython's loop over a new list for each read alone costs more than a 30th of openai's time, so `feed`
    # misses this; the iterator does not.
    Faster("huge-64b", "ssejet", ("openai",), 30),
    Faster("huge-64b", "ssejet iter_bytes", ("openai",), 30),
    Even("crlf-64k", "chat-64k", "ssejet", 1.5),
    Even("anthropic-64k", "chat-64k", "ssejet", 1.5),
    Even("cjk-64k", "chat-64k", "ssejet", 1.5),
    Even("giant-64b", "giant-64k", "ssejet iter_bytes", 2),
    AtMost(
        Cell("giant-64b", "ssejet iter_bytes", "peak memory"),
        "peak memory for one 64 MiB event, 64-byte reads",
        "the event's size",
        3,
    ),
    *(Faster(workload, "ssejet-core", CRATES, 1) for workload in _CORE_WORKLOADS),
    Faster("chat-64k", "ssejet-core (slices)", ("memchr newlines",), 0.5),
    # Measured by benches.chat.
    Faster("typed", "ssejet", ("openai",), 80),
    Faster("events", "ssejet", ("openai",), 80),
    Faster("structured", "ssejet", ("openai",), 20),
    Even("text-16k", "text-1k", "ssejet", 1.2),
    Even("tool-16k", "tool-1k", "ssejet", 1.2),
    Share("loopback", "ssejet", "aiter_bytes", 1.2),
    # Measured by benches.messages.
    Faster("messages-text", "ssejet", ("anthropic",), 10),
    Faster("messages-tool", "ssejet", ("anthropic",), 10),
    Faster("messages-parsed", "ssejet", ("anthropic",), 10),
    Even("messages-text-16k", "messages-text-1k", "ssejet", 1.2),
    Even("messages-tool-16k", "messages-tool-1k", "ssejet", 1.2),
    # Measured by benches.responses.
    *(Faster(f"responses-stream-{size}", "ssejet", ("openai",), 30) for size in ("1k", "4k", "16k")),
    # Measured by benches.swap.
    Faster("create", "ssejet", ("openai",), 40),
    Faster("create-async", "ssejet", ("openai",), 30),
    Faster("helper", "ssejet", ("openai",), 25),
    Faster("responses", "ssejet", ("openai",), 50),
    Faster("messages", "ssejet", ("anthropic",), 12),
    Faster("httpx-sse", "ssejet", ("httpx-sse",), 8),
    Faster("httpx2", "ssejet", ("httpx2",), 8),
    Faster("concurrent", "ssejet", ("openai",), 6),
)

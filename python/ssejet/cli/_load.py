"""Puts load on an OpenAI-compatible server: concurrent requests and their results."""

from __future__ import annotations

import asyncio
import time
from array import array
from dataclasses import dataclass, field
from itertools import cycle
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from ssejet import APIStatusError, AsyncClient, SSEError
from ssejet.cli._endpoint import check_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from ssejet import TokenMetrics

__all__ = ["LATE", "Failure", "Load", "Results", "Sample"]

_SECONDS_BETWEEN_TICKS = 0.01

# How many turns an event loop makes at most between a ready socket and the item of its bytes.
_TURNS_OF_A_READ = 5

# A read is late if the event loop was behind by more than this when it read.
LATE = 0.01


class Sample(NamedTuple):
    """The figures of an answer, with times in seconds.

    Attributes:
        first_token: the time to the first token, None if there was none.
        first_content_token: the time to the first token after the reasoning, None if there was no reasoning.
        duration: the time to the last byte.
        tokens: the number of tokens.
        tokens_from: who counted them; see ``TokenMetrics``.
        tokens_per_second: the rate after the first token.
        prompt_tokens: the server's count.
    """

    first_token: float | None
    first_content_token: float | None
    duration: float | None
    tokens: int
    tokens_from: str
    tokens_per_second: float | None
    prompt_tokens: int | None

    @classmethod
    def of(cls, metrics: TokenMetrics) -> Sample:
        """Take the figures from an answer's metrics."""
        return cls(
            metrics.time_to_first_token,
            metrics.time_to_first_content_token if metrics.reasoning_chunks else None,
            metrics.elapsed,
            metrics.tokens,
            metrics.tokens_from,
            metrics.tokens_per_second,
            metrics.prompt_tokens,
        )


@dataclass
class Failure:
    """Failures of one kind.

    Attributes:
        error: the first of them.
        count: how many there were.
    """

    error: SSEError
    count: int = 0


@dataclass
class Results:
    """The results of a load.

    Attributes:
        samples: the complete answers.
        cut: the unfinished answers when the load was stopped, which have tokens but no duration.
        gaps: the inter-token latencies of all answers, in seconds.
        failures: the failed requests, by kind.
        cancelled: how many requests were cancelled when the load was stopped.
        seconds: the time from the first request to the end of the last answer.
        cpu_seconds: the processor time of this process.
        delays: how late the event loop woke up, sampled regularly, in seconds.
        reads: how many reads brought tokens or other items.
        late_reads: how many of them came late, because the event loop was behind. Their time stamps, and so
            the latencies, are later than the bytes.
    """

    samples: list[Sample] = field(default_factory=list)
    cut: list[Sample] = field(default_factory=list)
    gaps: array[float] = field(default_factory=lambda: array("d"))
    failures: dict[str, Failure] = field(default_factory=dict)
    cancelled: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    delays: array[float] = field(default_factory=lambda: array("d"))
    reads: int = 0
    late_reads: int = 0

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return sum(failure.count for failure in self.failures.values())

    @property
    def ended(self) -> int:
        """How many requests have succeeded or failed."""
        return len(self.samples) + self.failed

    @property
    def tokens(self) -> int:
        """How many tokens have arrived."""
        return sum(sample.tokens for sample in (*self.samples, *self.cut))

    def add(self, metrics: TokenMetrics) -> None:
        """Add a complete answer."""
        self.samples.append(Sample.of(metrics))
        self.gaps.extend(metrics.inter_token_latencies)

    def add_cut(self, metrics: TokenMetrics) -> None:
        """Add an unfinished answer."""
        self.cut.append(Sample.of(metrics)._replace(duration=None))
        self.gaps.extend(metrics.inter_token_latencies)

    def add_failure(self, error: SSEError) -> None:
        """Add a failed request."""
        kind = type(error).__name__
        if isinstance(error, APIStatusError):
            kind += f" {error.status_code}"
        self.failures.setdefault(kind, Failure(error)).count += 1


class Load:
    """Sends requests, each as soon as an earlier one has ended.

    ::

        async with Load(options, requests, concurrency=10) as load:
            results = await load.run(total=100)

    Args:
        client_options: the arguments of the clients; see ``AsyncClient``.
        requests: the parameters of the requests, used in turn.
        concurrency: the number of concurrent requests.

    Attributes:
        results: the results so far.
        running: the metrics of the answers that are streaming.
    """

    def __init__(
        self, client_options: Mapping[str, Any], requests: Sequence[Mapping[str, Any]], *, concurrency: int
    ) -> None:
        self.results = Results()
        self.running: set[TokenMetrics] = set()
        self._requests = cycle(requests)
        self._left = 0.0
        self._end = 0.0
        self._started = 0.0
        self._workers: list[asyncio.Task[None]] = []
        self._late_from = inf
        self._concurrency = concurrency
        self._client = AsyncClient(**{**client_options, "max_retries": 0})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @property
    def elapsed(self) -> float:
        """Seconds since the first request."""
        return time.perf_counter() - self._started

    @property
    def tokens(self) -> int:
        """How many tokens have arrived; those of running answers are counted as chunks."""
        return self.results.tokens + sum(metrics.chunks for metrics in self.running)

    async def run(self, *, total: float = inf, seconds: float = inf) -> Results:
        """Send requests, and wait until all have ended.

        Args:
            total: how many to send.
            seconds: the time after which no more are sent.
        """
        results = self.results = Results()
        self._left = total
        self._started, worked = time.perf_counter(), time.process_time()
        self._end = self._started + seconds
        watch = asyncio.create_task(self._watch())
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]
        try:
            for end in await asyncio.gather(*self._workers, return_exceptions=True):
                if isinstance(end, Exception):
                    raise end
        finally:
            watch.cancel()
            results.seconds = self.elapsed
            results.cpu_seconds = time.process_time() - worked
        return results

    def stop(self) -> None:
        """Cancel the running requests, which ends ``run()``."""
        self._left = 0
        for worker in self._workers:
            worker.cancel()

    async def _work(self) -> None:
        while self._left > 0 and time.perf_counter() < self._end:
            self._left -= 1
            try:
                await self._send(next(self._requests))
            except SSEError as error:
                self.results.add_failure(error)
            except asyncio.CancelledError:
                self.results.cancelled += 1
                raise

    async def _send(self, request: Mapping[str, Any]) -> None:
        results = self.results
        async with await self._client.chat.completions.create(stream=True, **request) as stream:
            metrics: TokenMetrics = stream.metrics
            self.running.add(metrics)
            reads = 0
            try:
                async for _ in stream:
                    if metrics.reads != reads:
                        reads = metrics.reads
                        results.reads += 1
                        results.late_reads += (metrics.last_byte or 0.0) > self._late_from
            except asyncio.CancelledError:
                results.add_cut(metrics)
                raise
            finally:
                self.running.discard(metrics)
        check_end(metrics)
        results.add(metrics)

    async def _watch(self) -> None:
        """Sample how late the event loop is. The time stamps of answers are late by the same time."""
        delays = self.results.delays
        now = time.perf_counter()
        while True:
            due = now + _SECONDS_BETWEEN_TICKS
            # The loop handles ready sockets before timers, so reads before this task goes on see this time.
            self._late_from = due + LATE
            await asyncio.sleep(_SECONDS_BETWEEN_TICKS)
            now = time.perf_counter()
            delays.append(max(0.0, now - due))
            # Bytes that waited as long as this task reach their answer a few turns later. A slow turn makes
            # more bytes wait. So reads count as late until the loop has made a few quick turns.
            turns = _TURNS_OF_A_READ if now - due > LATE else 0
            while turns:
                before = now
                await asyncio.sleep(0)
                now = time.perf_counter()
                turns -= 1
                if now - before > LATE:
                    delays.append(now - before)
                    turns = _TURNS_OF_A_READ

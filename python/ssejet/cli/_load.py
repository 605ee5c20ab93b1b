"""Load on an OpenAI-compatible server: so many requests at once, and what came of them."""

from __future__ import annotations

import asyncio
import time
from array import array
from dataclasses import dataclass, field
from itertools import cycle
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from ssejet import APIStatusError, AsyncClient, SSEError
from ssejet.cli._endpoint import check_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from ssejet import TokenMetrics

__all__ = ["Failure", "Load", "Results", "Sample"]

_SECONDS_BETWEEN_TICKS = 0.05


class Sample(NamedTuple):
    """An answer that came to its end; times in seconds, None if there was no such token.

    Attributes:
        first_token, first_content_token: from the request to it, of any kind or without reasoning.
        duration: from the request to the last byte.
        tokens: of the answer.
        tokens_from: who counted them; see ``TokenMetrics``.
        tokens_per_second: after the first.
        prompt_tokens: as the server counted them.
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
        """What the metrics of an answer say."""
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
    """What came of a load.

    Attributes:
        samples: the answers that came to their ends.
        cut: the answers under way when the load was stopped: they have tokens, but no duration.
        gaps: the inter-token latencies of all of them, in seconds.
        failures: by kind.
        cancelled: how many requests were given up when the load was stopped.
        seconds: from the first request to the end of the last answer.
        cpu_seconds: that this process worked meanwhile.
        delays: how late this process came to what was due, looked at again and again, in seconds.
    """

    samples: list[Sample] = field(default_factory=list)
    cut: list[Sample] = field(default_factory=list)
    gaps: array[float] = field(default_factory=lambda: array("d"))
    failures: dict[str, Failure] = field(default_factory=dict)
    cancelled: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    delays: array[float] = field(default_factory=lambda: array("d"))

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return sum(failure.count for failure in self.failures.values())

    @property
    def ended(self) -> int:
        """How many requests have ended, well or not."""
        return len(self.samples) + self.failed

    @property
    def tokens(self) -> int:
        """How many tokens came."""
        return sum(sample.tokens for sample in (*self.samples, *self.cut))

    def add(self, metrics: TokenMetrics) -> None:
        """Count an answer that came to its end."""
        self.samples.append(Sample.of(metrics))
        self.gaps.extend(metrics.inter_token_latencies)

    def add_cut(self, metrics: TokenMetrics) -> None:
        """Count an answer that was given up."""
        self.cut.append(Sample.of(metrics)._replace(duration=None))
        self.gaps.extend(metrics.inter_token_latencies)

    def add_failure(self, error: SSEError) -> None:
        """Count a request that failed."""
        kind = type(error).__name__
        if isinstance(error, APIStatusError):
            kind += f" {error.status_code}"
        self.failures.setdefault(kind, Failure(error)).count += 1


class Load:
    """Sends requests, the next as soon as one is through.

    ::

        async with Load(options, requests, concurrency=10) as load:
            results = await load.run(total=100)

    Args:
        client_options: what the clients are made with; see ``AsyncClient``.
        requests: their parameters, which are taken in turn.
        concurrency: how many are under way at a time.

    Attributes:
        results: of the requests so far.
        running: the metrics of the answers that have begun.
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
        # Every worker has its own connection: what httpx's pool costs grows with the square of its size.
        tls = httpx.create_ssl_context()
        self._connections = [httpx.AsyncClient(verify=tls) for _ in range(concurrency)]
        options = {**client_options, "max_retries": 0}
        self._clients = [AsyncClient(http_client=each, **options) for each in self._connections]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            await connection.aclose()

    @property
    def elapsed(self) -> float:
        """Seconds since the first request."""
        return time.perf_counter() - self._started

    @property
    def tokens(self) -> int:
        """How many tokens have come, those of answers under way counted as chunks."""
        return self.results.tokens + sum(metrics.chunks for metrics in self.running)

    async def run(self, *, total: float = inf, seconds: float = inf) -> Results:
        """Send requests, and wait for their ends.

        Args:
            total: how many to send.
            seconds: after how long to send no more.
        """
        results = self.results = Results()
        self._left = total
        self._started, worked = time.perf_counter(), time.process_time()
        self._end = self._started + seconds
        watch = asyncio.create_task(self._watch())
        self._workers = [asyncio.create_task(self._work(client)) for client in self._clients]
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
        """Give up what is under way; `run()` then comes to its end."""
        self._left = 0
        for worker in self._workers:
            worker.cancel()

    async def _work(self, client: AsyncClient) -> None:
        while self._left > 0 and time.perf_counter() < self._end:
            self._left -= 1
            try:
                await self._send(client, next(self._requests))
            except SSEError as error:
                self.results.add_failure(error)
            except asyncio.CancelledError:
                self.results.cancelled += 1
                raise

    async def _send(self, client: AsyncClient, request: Mapping[str, Any]) -> None:
        async with await client.chat.completions.create(stream=True, **request) as stream:
            metrics: TokenMetrics = stream.metrics
            self.running.add(metrics)
            try:
                async for _ in stream:
                    pass
            except asyncio.CancelledError:
                self.results.add_cut(metrics)
                raise
            finally:
                self.running.discard(metrics)
        check_end(metrics)
        self.results.add(metrics)

    async def _watch(self) -> None:
        """Look again and again how late the event loop is: as late as that, answers are stamped."""
        while True:
            due = time.perf_counter() + _SECONDS_BETWEEN_TICKS
            await asyncio.sleep(_SECONDS_BETWEEN_TICKS)
            self.results.delays.append(max(0.0, time.perf_counter() - due))

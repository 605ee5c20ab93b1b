"""Measures the tokens of a model's answer: their number, latencies and rate."""

from __future__ import annotations

from array import array
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ssejet.metrics._stream_metrics import StreamMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

__all__ = ["Latencies", "TokenMetrics", "percentile"]


class Latencies(NamedTuple):
    """The mean, the median (p50) and two higher percentiles of durations, all in seconds."""

    mean: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, durations: Sequence[float]) -> Latencies | None:
        """Summarise durations in seconds; None if there are none."""
        if not durations:
            return None
        ordered = sorted(durations)
        mean = sum(ordered) / len(ordered)
        return cls(mean, *(percentile(ordered, share) for share in (0.5, 0.95, 0.99)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """A percentile of sorted values, interpolated; ``share`` is from 0 to 1, for example 0.95."""
    position = (len(ordered) - 1) * share
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


class TokenMetrics(StreamMetrics):
    """The metrics of a stream and of the tokens in it.

    An item with a piece of the answer counts as one token: content, refusal, reasoning, or a tool call's name
    or arguments. It arrives with the bytes that complete its event, so tokens of the same read have latencies
    of 0. Some servers send several tokens in one item; ``tokens`` is the best available count.

    ``ChatMetrics``, ``CompletionMetrics``, ``ResponseMetrics`` and ``MessageMetrics`` find the tokens in the
    items. To measure a stream of another library, call ``observe()`` with each item when it arrives.

    Args:
        tokenizer: returns the tokens of a text, or their number. ``tokens`` uses it if the server sends no
            usage.

    Attributes:
        finished: whether the answer has a finish reason. An answer without one is incomplete, even if the
            stream ended normally.
        first_token, last_token: when the first and the latest token of any kind arrived, in seconds.
        first_content_token: when the first token that is not reasoning arrived, in seconds.
        first_reasoning_token: when the first token of reasoning arrived, in seconds.
        chunks: the number of items with a token.
        reasoning_chunks: the number of items with reasoning.
        prompt_tokens: the number of tokens of the prompt, from the server's usage.
        reasoning_tokens: the number of tokens of reasoning, from the server's usage. It can be higher than
            the number that was sent.
    """

    __slots__ = (
        "_completion_tokens",
        "_counted",
        "_gaps",
        "_pieces",
        "_tokenizer",
        "chunks",
        "finished",
        "first_content_token",
        "first_reasoning_token",
        "first_token",
        "last_token",
        "prompt_tokens",
        "reasoning_chunks",
        "reasoning_tokens",
    )

    def __init__(self, *, tokenizer: Callable[[str], int | Sized] | None = None) -> None:
        super().__init__()
        self.finished: bool = False
        self.first_token: float | None = None
        self.last_token: float | None = None
        self.first_content_token: float | None = None
        self.first_reasoning_token: float | None = None
        self.chunks: int = 0
        self.reasoning_chunks: int = 0
        self.prompt_tokens: int | None = None
        self.reasoning_tokens: int | None = None
        self._completion_tokens: int | None = None
        self._tokenizer = tokenizer
        self._pieces: list[str] = []
        self._counted = (0, 0)
        self._gaps = array("d")

    def add_token(self, text: str = "", *, reasoning: str = "") -> None:
        """Count one item as a token that arrived with the latest bytes.

        Args:
            text: the item's text of the answer. It can be empty, for example for speech.
            reasoning: the item's text of reasoning. An item with reasoning and no text is a token of
                reasoning.
        """
        now = perf_counter() if self.last_byte is None else self.last_byte
        if self.last_token is None:
            self.first_token = now
        else:
            self._gaps.append(now - self.last_token)
        self.last_token = now
        self.chunks += 1
        if reasoning:
            self.reasoning_chunks += 1
            if self.first_reasoning_token is None:
                self.first_reasoning_token = now
        if self.first_content_token is None and (text or not reasoning):
            self.first_content_token = now
        if self._tokenizer is not None:
            self._pieces.append(reasoning + text)

    def add_usage(self, *, prompt: int | None, completion: int | None, reasoning: int | None) -> None:
        """Set the server's counts of tokens. They replace earlier ones.

        Args:
            prompt: the number of tokens of the prompt.
            completion: the number of tokens of the answer, including reasoning.
            reasoning: the number of tokens of reasoning.
        """
        self.prompt_tokens = prompt
        self._completion_tokens = completion
        self.reasoning_tokens = reasoning

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds from the start to the first token, of any kind."""
        return self._since_start(self.first_token)

    @property
    def time_to_first_content_token(self) -> float | None:
        """Seconds from the start to the first token that is not reasoning."""
        return self._since_start(self.first_content_token)

    @property
    def time_to_first_reasoning_token(self) -> float | None:
        """Seconds from the start to the first token of reasoning."""
        return self._since_start(self.first_reasoning_token)

    @property
    def inter_token_latencies(self) -> Sequence[float]:
        """Seconds between each token and the one before it."""
        return self._gaps

    @property
    def inter_token_latency(self) -> Latencies | None:
        """The distribution of ``inter_token_latencies``; None until there are two tokens."""
        return Latencies.of(self._gaps)

    @property
    def tokens_from(self) -> Literal["usage", "tokenizer", "chunks"]:
        """The source of ``tokens``: the server's usage, else the tokenizer, else the number of chunks."""
        if self._completion_tokens is not None:
            return "usage"
        return "chunks" if self._tokenizer is None else "tokenizer"

    @property
    def tokens(self) -> int:
        """The number of tokens of the answer so far, including reasoning."""
        if self._completion_tokens is not None:
            return self._completion_tokens
        if self._tokenizer is None:
            return self.chunks
        pieces, tokens = self._counted
        if pieces != len(self._pieces):
            counted = self._tokenizer("".join(self._pieces))
            tokens = counted if isinstance(counted, int) else len(counted)
            self._counted = len(self._pieces), tokens
        return tokens

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens per second after the first token; None for fewer than two, or if all arrived together.

        Tokens of reasoning do not count if the server sent none of them.
        """
        if self.first_token is None or self.last_token is None or self.last_token == self.first_token:
            return None
        tokens = self.tokens
        if self._completion_tokens is not None and not self.reasoning_chunks:
            tokens -= self.reasoning_tokens or 0
        return (tokens - 1) / (self.last_token - self.first_token) if tokens > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """The durations in seconds, the counts and the rate, for a log line or JSON."""
        latency = self.inter_token_latency
        return {
            **super().to_dict(),
            "time_to_first_token": self.time_to_first_token,
            "time_to_first_content_token": self.time_to_first_content_token,
            "time_to_first_reasoning_token": self.time_to_first_reasoning_token,
            "inter_token_latency": None if latency is None else latency._asdict(),
            "tokens": self.tokens,
            "tokens_from": self.tokens_from,
            "tokens_per_second": self.tokens_per_second,
            "chunks": self.chunks,
            "reasoning_chunks": self.reasoning_chunks,
            "reasoning_tokens": self.reasoning_tokens,
            "prompt_tokens": self.prompt_tokens,
        }

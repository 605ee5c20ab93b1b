"""What an answer is made of: steps, parts, tool calls and token counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal, NamedTuple
from uuid import uuid4

__all__ = [
    "INVALID",
    "Answer",
    "FinishReason",
    "Part",
    "PartKind",
    "Step",
    "TokenCounts",
    "Tool",
    "ToolOutput",
]

FinishReason = Literal["stop", "length", "content-filter", "tool-calls", "error", "other"]
PartKind = Literal["text", "reasoning"]

INVALID: Any = object()
"""The input of a tool call whose arguments are not JSON."""


@dataclass(frozen=True)
class ToolOutput:
    """The result of a tool that the application ran, between the events of two model calls.

    Attributes:
        tool_call_id: the id of the call.
        output: any JSON value; for an error, its text.
        is_error: whether the tool failed.
    """

    tool_call_id: str
    output: Any
    is_error: bool = False


class TokenCounts(NamedTuple):
    """The tokens of one model call. Input includes the cached tokens, output includes those of reasoning."""

    input: int = 0
    output: int = 0
    reasoning: int = 0
    cached: int = 0
    cache_written: int = 0

    def plus(self, other: TokenCounts) -> TokenCounts:
        """The sum of both."""
        return TokenCounts(*(one + two for one, two in zip(self, other, strict=True)))

    def to_dict(self) -> dict[str, int]:
        """The counts, under the names that the AI SDK and AG-UI share."""
        counts = {
            "inputTokens": self.input,
            "outputTokens": self.output,
            "totalTokens": self.input + self.output,
        }
        if self.reasoning:
            counts["reasoningTokens"] = self.reasoning
        if self.cached:
            counts["cachedInputTokens"] = self.cached
        if self.cache_written:
            counts["cacheWriteInputTokens"] = self.cache_written
        return counts


@dataclass
class Part:
    """A part of the answer, whose text grows.

    Attributes:
        kind: whether it is text or reasoning.
        id: its id.
        metadata: other values of this part, such as log probabilities.
    """

    kind: PartKind
    id: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tool:
    """A tool call.

    Attributes:
        id: its id.
        name: the tool's name.
        by_provider: whether the provider runs the tool.
        is_text: whether the input is text, not JSON.
        pieces: the text of its input.
        input: the input, when it is complete.
        is_ready: whether the input is complete.
        is_answered: whether the output has come.
    """

    id: str
    name: str
    by_provider: bool = False
    is_text: bool = False
    pieces: list[str] = field(default_factory=list)
    input: Any = None
    is_ready: bool = False
    is_answered: bool = False


@dataclass
class Step:
    """One call of a model.

    Attributes:
        provider: the name of the protocol.
        id: the id of its answer.
        model: the model.
        reason: why it ended.
        sent_reason: the same, in the provider's word.
        counts: its tokens.
        usage: its tokens, as the provider sent them.
        details: other values of the call, such as the service tier.
    """

    provider: str
    id: str
    model: str
    reason: FinishReason | None = None
    sent_reason: str | None = None
    counts: TokenCounts | None = None
    usage: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, **details: Any) -> None:
        """Add details. Those that are None are left out."""
        self.details.update({name: value for name, value in details.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """All values that are known, for the metadata of the message."""
        known = {
            "id": self.id,
            "model": self.model,
            "finishReason": self.sent_reason,
            "usage": self.usage,
            **self.details,
        }
        return {name: value for name, value in known.items() if value}


class Answer:
    """An answer so far.

    Attributes:
        steps: the model calls.
        tools: the tool calls, by their ids.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.tools: dict[str, Tool] = {}
        self._ids = 0
        self._prefix = uuid4().hex[:12]

    @property
    def id(self) -> str:
        """The id of the first model's answer; empty if no model has begun."""
        return self.steps[0].id if self.steps else ""

    @property
    def provider(self) -> str | None:
        """The protocol of the last model call; None if there is no call."""
        return self.steps[-1].provider if self.steps else None

    @property
    def counts(self) -> TokenCounts | None:
        """The tokens of all model calls; None if no provider sent its counts."""
        sent = [step.counts for step in self.steps if step.counts is not None]
        return reduce(TokenCounts.plus, sent) if sent else None

    @property
    def reason(self) -> FinishReason:
        """Why the last model call ended."""
        return (self.steps[-1].reason if self.steps else None) or "other"

    def new_id(self) -> str:
        """An id that nothing else in the answer has."""
        self._ids += 1
        return f"{self._prefix}-{self._ids}"

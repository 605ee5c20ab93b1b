"""Writes an answer for a front end: parts, tool calls, sources and the end, in the order that it expects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from ssejet._json import loads

__all__ = ["INVALID", "Part", "Step", "TokenCounts", "Tool", "ToolOutput", "Writer"]

FinishReason = Literal["stop", "length", "content-filter", "tool-calls", "error", "other"]

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

    kind: Literal["text", "reasoning"]
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


class Writer:
    """Keeps the order that front ends expect: parts, tools and steps begin once, and end before the answer.

    A subclass writes one protocol: its methods ``write_…`` append to ``chunks``.

    Attributes:
        chunks: the events of the protocol that were not taken yet.
        steps: the model calls so far.
    """

    def __init__(self) -> None:
        self.chunks: list[dict[str, Any]] = []
        self.steps: list[Step] = []
        self.tools: dict[str, Tool] = {}
        self._parts: dict[Any, Part] = {}
        self._seen: set[Any] = set()
        self._has_begun = self._has_ended = self._step_is_open = False
        self._ids = 0
        self._prefix = uuid4().hex[:12]

    def take(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        chunks, self.chunks = self.chunks, []
        return chunks

    # The reader calls these.

    def begin(self, provider: str, id: str, model: str) -> Step:
        """Begin a step: a model begins to answer."""
        self.finish_step()
        step = Step(provider, id, model)
        self.steps.append(step)
        self._open()
        self._step_is_open = True
        self.write_step(step)
        return step

    def grow(
        self, key: Any, delta: str, kind: Literal["text", "reasoning"] = "text", **metadata: Any
    ) -> None:
        """Add text to the part with this key. The first text begins the part."""
        if not delta:
            return
        self._in_part(key, kind, metadata)
        self.write_delta(self._parts[key], delta)

    def annotate(self, key: Any, kind: Literal["text", "reasoning"], **metadata: Any) -> None:
        """Add metadata to the part with this key, and begin the part if there is none."""
        self._in_part(key, kind, metadata)

    def extend(self, key: Any, name: str, more: list[Any]) -> None:
        """Extend a list in the metadata of a part, if the part has begun."""
        part = self._parts.get(key)
        if part is not None and more:
            part.metadata.setdefault(name, []).extend(more)

    def _in_part(self, key: Any, kind: Literal["text", "reasoning"], metadata: dict[str, Any]) -> None:
        part = self._parts.get(key)
        if part is None:
            self._open()
            self._seen.add(key)
            part = self._parts[key] = Part(kind, self.new_id(), metadata)
            self.write_part(part)
        else:
            part.metadata.update(metadata)

    def has_had(self, key: Any) -> bool:
        """Whether a part of this key has begun, even if it has ended."""
        return key in self._seen

    def end(self, key: Any) -> None:
        """End the part with this key, if it is open."""
        part = self._parts.pop(key, None)
        if part is not None:
            self.write_part_end(part)

    def tool(self, id: str, name: str, *, by_provider: bool = False, is_text: bool = False) -> Tool:
        """Return the tool call with this id. If it is new, begin it."""
        tool = self.tools.get(id)
        if tool is None:
            self._open()
            tool = self.tools[id] = Tool(id, name, by_provider, is_text)
            self.write_tool(tool)
        return tool

    def grow_tool(self, tool: Tool, delta: str) -> None:
        """Add text to a tool call's input."""
        if delta and not tool.is_ready:
            tool.pieces.append(delta)
            self.write_tool_delta(tool, delta)

    def ready(self, tool: Tool, text: str | None = None, *, value: Any = INVALID) -> None:
        """Complete a tool call's input.

        Args:
            tool: the call.
            text: the whole input as text, if no pieces of it came.
            value: the input, if it is not to be parsed from the text.
        """
        if tool.is_ready:
            return
        sent = "".join(tool.pieces)
        if text and not sent:
            self.grow_tool(tool, text)
            sent = text
        if value is not INVALID:
            tool.input = value
        elif tool.is_text:
            tool.input = sent
        else:
            try:
                tool.input = loads(sent) if sent.strip() else {}
            except ValueError:
                tool.input = INVALID
        tool.is_ready = True
        self.write_tool_input(tool)

    def answer(self, id: str, output: Any, *, is_error: bool = False, by_provider: bool = False) -> None:
        """Add the output of a tool."""
        tool = self.tool(id, "unknown", by_provider=by_provider)
        self.ready(tool)
        tool.is_answered = True
        self.write_tool_output(tool, output, is_error=is_error)

    def source(self, url: str, title: str | None = None, **metadata: Any) -> None:
        """Add a web page that the answer cites. The same page is added once."""
        key = ("source", url, repr(metadata))
        if url and key not in self._seen:
            self._seen.add(key)
            self._open()
            self.write_source(url, title, metadata)

    def document(self, title: str, filename: str | None = None, **metadata: Any) -> None:
        """Add a document that the answer cites."""
        self._open()
        self.write_document(title, filename, metadata)

    def file(self, url: str, media_type: str) -> None:
        """Add a file that the model made."""
        self._open()
        self.write_file(url, media_type)

    def data(self, name: str, value: Any, *, transient: bool = False) -> None:
        """Add a value for which the protocol has no event of its own."""
        self._open()
        self.write_data(name, value, transient=transient)

    def finish_step(self) -> None:
        """End the step: the model has answered."""
        self._close_parts()
        if self._step_is_open:
            self._step_is_open = False
            self.write_step_end(self.steps[-1])

    def finish(self) -> None:
        """End the answer, which is complete."""
        if self._has_ended:
            return
        self._open()
        self.finish_step()
        self._has_ended = True
        self.write_end()

    def fail(self, message: str, code: str | None = None) -> None:
        """End the answer with an error."""
        if self._has_ended:
            return
        self._open()
        self.finish_step()
        self._has_ended = True
        self.write_error(message, code)

    @property
    def has_begun(self) -> bool:
        """Whether the answer has begun."""
        return self._has_begun

    def begin_replay(self) -> None:
        """Write no beginning of the answer: the events come from a log, which has one."""
        self._has_begun = True

    def cancel(self) -> None:
        """End a replayed answer early, because it was stopped."""
        if self._has_ended:
            return
        self._open()
        self._has_ended = True
        self.write_cancellation()

    @property
    def counts(self) -> TokenCounts | None:
        """The tokens of all model calls; None if no provider sent its counts."""
        sent = [step.counts for step in self.steps if step.counts is not None]
        total = None
        for counts in sent:
            total = counts if total is None else total.plus(counts)
        return total

    @property
    def reason(self) -> FinishReason:
        """Why the last model call ended."""
        return (self.steps[-1].reason if self.steps else None) or "other"

    def new_id(self) -> str:
        """An id that no other part has."""
        self._ids += 1
        return f"{self._prefix}-{self._ids}"

    def _open(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self.write_start(self.steps[0].id if self.steps else "")

    def _close_parts(self) -> None:
        for key in list(self._parts):
            self.end(key)
        for tool in self.tools.values():
            if not tool.is_ready:
                self.ready(tool)

    # The subclass of a protocol overrides these.

    def write_start(self, id: str) -> None:
        """Write the beginning of the answer; ``id`` is the id of the first model's answer."""

    def write_step(self, step: Step) -> None:
        """Write the beginning of a model call."""

    def write_part(self, part: Part) -> None:
        """Write the beginning of a part."""

    def write_delta(self, part: Part, delta: str) -> None:
        """Write new text of a part."""

    def write_part_end(self, part: Part) -> None:
        """Write the end of a part, whose metadata is complete."""

    def write_tool(self, tool: Tool) -> None:
        """Write the beginning of a tool call."""

    def write_tool_delta(self, tool: Tool, delta: str) -> None:
        """Write new text of a tool call's input."""

    def write_tool_input(self, tool: Tool) -> None:
        """Write a tool call's input, which is complete."""

    def write_tool_output(self, tool: Tool, output: Any, *, is_error: bool) -> None:
        """Write the output of a tool."""

    def write_source(self, url: str, title: str | None, metadata: dict[str, Any]) -> None:
        """Write a web page that the answer cites."""

    def write_document(self, title: str, filename: str | None, metadata: dict[str, Any]) -> None:
        """Write a document that the answer cites."""

    def write_file(self, url: str, media_type: str) -> None:
        """Write a file that the model made."""

    def write_data(self, name: str, value: Any, *, transient: bool) -> None:
        """Write a value for which the protocol has no event of its own."""

    def write_step_end(self, step: Step) -> None:
        """Write the end of a model call."""

    def write_end(self) -> None:
        """Write the end of the answer."""

    def write_error(self, message: str, code: str | None) -> None:
        """Write the error with which the answer ends."""

    def watch(self, event: str) -> None:
        """Look at the data of a log's event, which is passed on unchanged."""

    def write_cancellation(self) -> None:
        """Write that the answer was stopped."""

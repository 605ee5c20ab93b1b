"""What a front end is told of an answer: parts of text, tool calls, sources, and the end."""

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
    """What a tool of the application has returned, between the events of two model calls.

    Attributes:
        tool_call_id: the id of the call.
        output: any JSON value; for an error, its text.
        is_error: whether the tool has failed.
    """

    tool_call_id: str
    output: Any
    is_error: bool = False


class TokenCounts(NamedTuple):
    """The tokens of one model call. Those of caches are input too, and those of reasoning are output too."""

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
    """A part of the answer that grows.

    Attributes:
        kind: what it is.
        id: its id.
        metadata: more about it, by the provider's name.
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
        reason: why it has ended.
        sent_reason: the provider's word for that.
        counts: its tokens.
        usage: its tokens, as the provider sent them.
        details: what else is known of it.
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
        """Add to the details; None is unknown."""
        self.details.update({name: value for name, value in details.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """What is known of it."""
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

    A subclass writes each in its protocol, by appending to ``chunks``.

    Attributes:
        chunks: the events that were not taken yet.
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
        """A model begins to answer."""
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
        """More of a part. The first text of a key begins a part."""
        if not delta:
            return
        self._in_part(key, kind, metadata)
        self.write_delta(self._parts[key], delta)

    def annotate(self, key: Any, kind: Literal["text", "reasoning"], **metadata: Any) -> None:
        """Add metadata to a part, which may be without text."""
        self._in_part(key, kind, metadata)

    def extend(self, key: Any, name: str, more: list[Any]) -> None:
        """Add to a list in the metadata of a part that has begun."""
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
        """A part is complete."""
        part = self._parts.pop(key, None)
        if part is not None:
            self.write_part_end(part)

    def tool(self, id: str, name: str, *, by_provider: bool = False, is_text: bool = False) -> Tool:
        """A tool call begins, unless it has begun."""
        tool = self.tools.get(id)
        if tool is None:
            self._open()
            tool = self.tools[id] = Tool(id, name, by_provider, is_text)
            self.write_tool(tool)
        return tool

    def grow_tool(self, tool: Tool, delta: str) -> None:
        """More of a tool call's input."""
        if delta and not tool.is_ready:
            tool.pieces.append(delta)
            self.write_tool_delta(tool, delta)

    def ready(self, tool: Tool, text: str | None = None, *, value: Any = INVALID) -> None:
        """A tool call's input is complete.

        Args:
            tool: the call.
            text: the input as text, if it comes whole.
            value: the input, if it is not what the text says.
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
        """A tool has returned something."""
        tool = self.tool(id, "unknown", by_provider=by_provider)
        self.ready(tool)
        tool.is_answered = True
        self.write_tool_output(tool, output, is_error=is_error)

    def source(self, url: str, title: str | None = None, **metadata: Any) -> None:
        """A web page that the answer rests on. The same one is told once."""
        key = ("source", url, repr(metadata))
        if url and key not in self._seen:
            self._seen.add(key)
            self._open()
            self.write_source(url, title, metadata)

    def document(self, title: str, filename: str | None = None, **metadata: Any) -> None:
        """A document that the answer rests on."""
        self._open()
        self.write_document(title, filename, metadata)

    def file(self, url: str, media_type: str) -> None:
        """A file that the model has made."""
        self._open()
        self.write_file(url, media_type)

    def data(self, name: str, value: Any, *, transient: bool = False) -> None:
        """What the protocol has no word for."""
        self._open()
        self.write_data(name, value, transient=transient)

    def finish_step(self) -> None:
        """The model has answered."""
        self._close_parts()
        if self._step_is_open:
            self._step_is_open = False
            self.write_step_end(self.steps[-1])

    def finish(self) -> None:
        """The answer is complete."""
        if self._has_ended:
            return
        self._open()
        self.finish_step()
        self._has_ended = True
        self.write_end()

    def fail(self, message: str, code: str | None = None) -> None:
        """The answer ends with an error."""
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
        """The events come from a log that has a beginning of its own."""
        self._has_begun = True

    def cancel(self) -> None:
        """A replayed answer ends early, because somebody has stopped it."""
        if self._has_ended:
            return
        self._open()
        self._has_ended = True
        self.write_cancellation()

    @property
    def counts(self) -> TokenCounts | None:
        """The tokens of all model calls; None if none was told."""
        told = [step.counts for step in self.steps if step.counts is not None]
        total = None
        for counts in told:
            total = counts if total is None else total.plus(counts)
        return total

    @property
    def reason(self) -> FinishReason:
        """Why the last model call has ended."""
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

    # A protocol writes these.

    def write_start(self, id: str) -> None:
        """The answer begins; ``id`` is the first model's id for it."""

    def write_step(self, step: Step) -> None:
        """A model call begins."""

    def write_part(self, part: Part) -> None:
        """A part begins."""

    def write_delta(self, part: Part, delta: str) -> None:
        """More of a part."""

    def write_part_end(self, part: Part) -> None:
        """A part is complete, and so is its metadata."""

    def write_tool(self, tool: Tool) -> None:
        """A tool call begins."""

    def write_tool_delta(self, tool: Tool, delta: str) -> None:
        """More of a tool call's input."""

    def write_tool_input(self, tool: Tool) -> None:
        """A tool call's input is complete."""

    def write_tool_output(self, tool: Tool, output: Any, *, is_error: bool) -> None:
        """A tool's output."""

    def write_source(self, url: str, title: str | None, metadata: dict[str, Any]) -> None:
        """A web page."""

    def write_document(self, title: str, filename: str | None, metadata: dict[str, Any]) -> None:
        """A document."""

    def write_file(self, url: str, media_type: str) -> None:
        """A file of the model."""

    def write_data(self, name: str, value: Any, *, transient: bool) -> None:
        """Anything else."""

    def write_step_end(self, step: Step) -> None:
        """A model call ends."""

    def write_end(self) -> None:
        """The answer ends."""

    def write_error(self, message: str, code: str | None) -> None:
        """The answer ends with an error."""

    def watch(self, event: str) -> None:
        """An event of a log is passed on; this is its data."""

    def write_cancellation(self) -> None:
        """The answer was stopped."""

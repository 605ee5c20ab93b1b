"""Writes an answer for a front end: parts, tool calls, sources and the end, in the order that it expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._json import loads
from ssejet.emit._front_ends.answer import INVALID, Part, Step, Tool

if TYPE_CHECKING:
    from ssejet.emit._front_ends.answer import PartKind
    from ssejet.emit._front_ends.protocol import Protocol

__all__ = ["Writer"]


class Writer:
    """Keeps the order that front ends expect: parts, tools and steps begin once, and end before the answer.

    Args:
        protocol: writes each of them.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._answer = protocol.answer
        self._parts: dict[Any, Part] = {}
        self._seen: set[Any] = set()
        self._has_begun = self._has_ended = self._step_is_open = False

    def begin(self, provider: str, id: str, model: str) -> Step:
        """Begin a step: a model begins to answer."""
        self.finish_step()
        step = Step(provider, id, model)
        self._answer.steps.append(step)
        self._open()
        self._step_is_open = True
        self._protocol.write_step(step)
        return step

    def grow(self, key: Any, delta: str, kind: PartKind = "text", **metadata: Any) -> None:
        """Add text to the part with this key. The first text begins the part."""
        if not delta:
            return
        self._in_part(key, kind, metadata)
        self._protocol.write_delta(self._parts[key], delta)

    def annotate(self, key: Any, kind: PartKind, **metadata: Any) -> None:
        """Add metadata to the part with this key, and begin the part if there is none."""
        self._in_part(key, kind, metadata)

    def extend(self, key: Any, name: str, more: list[Any]) -> None:
        """Extend a list in the metadata of a part, if the part has begun."""
        part = self._parts.get(key)
        if part is not None and more:
            part.metadata.setdefault(name, []).extend(more)

    def _in_part(self, key: Any, kind: PartKind, metadata: dict[str, Any]) -> None:
        part = self._parts.get(key)
        if part is None:
            self._open()
            self._seen.add(key)
            part = self._parts[key] = Part(kind, self._answer.new_id(), metadata)
            self._protocol.write_part(part)
        else:
            part.metadata.update(metadata)

    def has_had(self, key: Any) -> bool:
        """Whether a part of this key has begun, even if it has ended."""
        return key in self._seen

    def end(self, key: Any) -> None:
        """End the part with this key, if it is open."""
        part = self._parts.pop(key, None)
        if part is not None:
            self._protocol.write_part_end(part)

    def tool(self, id: str | None, name: str, *, by_provider: bool = False, is_text: bool = False) -> Tool:
        """Return the tool call with this id. If it is new, or without an id, begin it."""
        id = id or self._answer.new_id()
        tool = self._answer.tools.get(id)
        if tool is None:
            self._open()
            tool = self._answer.tools[id] = Tool(id, name, by_provider, is_text)
            self._protocol.write_tool(tool)
        return tool

    def grow_tool(self, tool: Tool, delta: str) -> None:
        """Add text to a tool call's input."""
        if delta and not tool.is_ready:
            tool.pieces.append(delta)
            self._protocol.write_tool_delta(tool, delta)

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
        self._protocol.write_tool_input(tool)

    def answer(self, id: str, output: Any, *, is_error: bool = False, by_provider: bool = False) -> None:
        """Add the output of a tool."""
        tool = self.tool(id, "unknown", by_provider=by_provider)
        self.ready(tool)
        tool.is_answered = True
        self._protocol.write_tool_output(tool, output, is_error=is_error)

    def source(self, url: str, title: str | None = None, **metadata: Any) -> None:
        """Add a web page that the answer cites. The same page is added once."""
        key = ("source", url, repr(metadata))
        if url and key not in self._seen:
            self._seen.add(key)
            self._open()
            self._protocol.write_source(url, title, metadata)

    def document(self, title: str, filename: str | None = None, **metadata: Any) -> None:
        """Add a document that the answer cites."""
        self._open()
        self._protocol.write_document(title, filename, metadata)

    def file(self, url: str, media_type: str) -> None:
        """Add a file that the model made."""
        self._open()
        self._protocol.write_file(url, media_type)

    def data(self, name: str, value: Any, *, transient: bool = False) -> None:
        """Add a value for which the protocol has no event of its own."""
        self._open()
        self._protocol.write_data(name, value, transient=transient)

    def pass_on(self, chunk: dict[str, Any]) -> None:
        """Add an event of the protocol as it is."""
        self._protocol.chunks.append(chunk)

    def finish_step(self) -> None:
        """End the step: the model has answered."""
        self._close_parts()
        if self._step_is_open:
            self._step_is_open = False
            self._protocol.write_step_end(self._answer.steps[-1])

    def finish(self) -> None:
        """End the answer, which is complete."""
        if self._ends_now():
            self.finish_step()
            self._protocol.write_end()

    def fail(self, message: str, code: str | None = None) -> None:
        """End the answer with an error."""
        if self._ends_now():
            self.finish_step()
            self._protocol.write_error(message, code)

    @property
    def has_begun(self) -> bool:
        """Whether the answer has begun."""
        return self._has_begun

    def begin_replay(self) -> None:
        """Write no beginning of the answer: the events come from a log, which has one."""
        self._has_begun = True

    def cancel(self) -> None:
        """End a replayed answer early, because it was stopped."""
        if self._ends_now():
            self._protocol.write_cancellation()

    def _ends_now(self) -> bool:
        """Return whether this call is the one that ends the answer. An answer that ends has begun."""
        if self._has_ended:
            return False
        self._open()
        self._has_ended = True
        return True

    def _open(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._protocol.write_start(self._answer.id)

    def _close_parts(self) -> None:
        for key in list(self._parts):
            self.end(key)
        for tool in self._answer.tools.values():
            if not tool.is_ready:
                self.ready(tool)

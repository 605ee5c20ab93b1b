"""Reads the Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.emit._front_ends.answer import TokenCounts

if TYPE_CHECKING:
    from ssejet.emit._front_ends.answer import FinishReason, Step, Tool
    from ssejet.emit._front_ends.writer import Writer

__all__ = ["MessagesReader"]

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
}


class MessagesReader:
    """Passes the events of the Messages API to a writer.

    The events of a ``MessageStream`` that repeat those of the server are ignored.

    Args:
        writer: writes them in the front end's protocol.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._step: Step | None = None
        self._usage: dict[str, Any] = {}
        self._tools: dict[int, Tool] = {}
        # Servers may leave out the index.
        self._index = -1

    def add(self, event: Any) -> None:
        """Read an event."""
        kind = event.type
        if kind == "content_block_delta":
            self._add_delta(self._place(event), event.delta)
        elif kind == "content_block_start":
            self._index = self._index + 1 if event.index is None else event.index
            self._begin_block(self._index, event.content_block)
        elif kind == "content_block_stop":
            self._end_block(self._place(event))
        elif kind == "message_start":
            self._index = -1
            self._tools.clear()
            self._usage = {}
            self._step = self._writer.begin("anthropic", event.message.id, event.message.model)
            self._add_usage(event.message.usage)
            for index, block in enumerate(event.message.content):
                self._begin_block(index, block)
                self._end_block(index)
        elif kind == "message_delta":
            step = self._current()
            if event.delta.stop_reason is not None:
                step.sent_reason = event.delta.stop_reason
                step.reason = _REASONS.get(event.delta.stop_reason, "other")
            sent = event.delta.to_dict()
            step.add(
                stopSequence=sent.get("stop_sequence"),
                stopDetails=sent.get("stop_details"),
                container=sent.get("container"),
            )
            if event.usage is not None:
                self._add_usage(event.usage)
        elif kind == "message_stop":
            self._writer.finish_step()
            self._step = None

    def _current(self) -> Step:
        if self._step is None:
            self._step = self._writer.begin("anthropic", "", "")
        return self._step

    def _place(self, event: Any) -> int:
        return self._index if event.index is None else int(event.index)

    def _add_usage(self, usage: Any) -> None:
        self._usage.update(usage.to_dict())
        get = self._usage.get
        cached, written = get("cache_read_input_tokens") or 0, get("cache_creation_input_tokens") or 0
        step = self._current()
        step.usage = dict(self._usage)
        step.counts = TokenCounts(
            # Anthropic counts the tokens of caches beside the input.
            input=(get("input_tokens") or 0) + cached + written,
            output=get("output_tokens") or 0,
            reasoning=(get("output_tokens_details") or {}).get("thinking_tokens") or 0,
            cached=cached,
            cache_written=written,
        )

    def _begin_block(self, index: int, block: Any) -> None:
        self._current()
        writer = self._writer
        kind = block.type
        key = ("block", index)
        if kind == "text":
            writer.grow(key, block.text)
            for citation in block.citations or ():
                self._cite(citation)
        elif kind == "thinking":
            writer.grow(key, block.thinking, "reasoning")
            if block.signature:
                writer.annotate(key, "reasoning", signature=block.signature)
        elif kind == "redacted_thinking":
            writer.annotate(key, "reasoning", redactedData=block.data)
        elif kind in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            tool = writer.tool(block.id, block.name, by_provider=kind != "tool_use")
            # Servers send the input in deltas, or whole at once.
            tool.input = block.input
            self._tools[index] = tool
        elif kind.endswith("_result"):
            self._answer(block)
        else:
            writer.data(f"anthropic-{kind}", block.to_dict())

    def _answer(self, block: Any) -> None:
        sent = block.to_dict()
        content = sent.get("content")
        is_error = bool(sent.get("is_error")) or (
            isinstance(content, dict) and str(content.get("type", "")).endswith("_error")
        )
        self._writer.answer(block.tool_use_id, content, is_error=is_error, by_provider=True)
        for result in content if isinstance(content, list) else ():
            if isinstance(result, dict) and isinstance(result.get("url"), str):
                self._writer.source(result["url"], result.get("title"))

    def _add_delta(self, index: int, delta: Any) -> None:
        self._current()
        writer = self._writer
        kind = delta.type
        key = ("block", index)
        if kind == "text_delta":
            writer.grow(key, delta.text)
        elif kind == "thinking_delta":
            writer.grow(key, delta.thinking, "reasoning")
        elif kind == "signature_delta":
            writer.annotate(key, "reasoning", signature=delta.signature)
        elif kind == "input_json_delta":
            tool = self._tools.get(index)
            if tool is not None:
                writer.grow_tool(tool, delta.partial_json)
        elif kind == "citations_delta":
            self._cite(delta.citation)
        else:
            writer.data(f"anthropic-{kind}", delta.to_dict())

    def _cite(self, citation: Any) -> None:
        if citation is None:
            return
        sent = citation.to_dict()
        url = sent.get("url") or sent.get("source")
        if isinstance(url, str) and url.startswith(("https:", "http:")):
            self._writer.source(url, sent.get("title"), anthropic=sent)
        else:
            title = sent.get("document_title") or sent.get("title") or sent.get("cited_text") or ""
            self._writer.document(str(title), None, anthropic=sent)

    def _end_block(self, index: int) -> None:
        self._writer.end(("block", index))
        tool = self._tools.pop(index, None)
        if tool is not None:
            if tool.pieces:
                self._writer.ready(tool)
            else:
                self._writer.ready(tool, value=tool.input)

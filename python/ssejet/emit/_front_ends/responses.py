"""Reads the Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.emit._front_ends.answer import TokenCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.emit._front_ends.answer import FinishReason, Step, Tool
    from ssejet.emit._front_ends.writer import Writer
    from ssejet.responses._events import ResponseEvent, UnknownResponseEvent

__all__ = ["ResponsesReader"]

# The calls that the application answers; the provider answers all others.
_BY_APPLICATION = {
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "apply_patch_call",
}

_REASONS: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content-filter"}

# Events that only repeat what others say, or how far a call is.
_REPEATING = (
    "keepalive",
    ".in_progress",
    ".queued",
    ".searching",
    ".interpreting",
    ".generating",
    ".completed",
    ".failed",
    ".compacting",
    "content_part.added",
    "content_part.done",
    "reasoning_summary_part.added",
    "reasoning_summary_part.done",
)


class ResponsesReader:
    """Passes the events of the Responses API to a writer.

    Args:
        writer: writes them in the front end's protocol.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._step: Step | None = None
        # By the id of the item, or its place.
        self._tools: dict[Any, Tool] = {}

    def add(self, event: ResponseEvent | UnknownResponseEvent) -> None:
        """Read an event."""
        kind = event.type if isinstance(getattr(event, "type", None), str) else ""
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, event)
        elif not kind.endswith(_REPEATING):
            self._writer.data("openai-event", event.sent or {"type": kind})

    def _begin(self, event: Any) -> None:
        response = event.response
        self._tools.clear()
        self._step = self._writer.begin("openai", response.id, response.model)

    def _end(self, event: Any) -> None:
        # The event has it parsed, which may fail.
        response = getattr(event, "sent_response", None) or event.response
        step = self._step or self._writer.begin("openai", response.id, response.model)
        step.sent_reason = response.status
        step.add(serviceTier=response.service_tier)
        details = response.incomplete_details
        if details is not None:
            step.sent_reason = details.reason
            step.reason = _REASONS.get(details.reason or "", "other")
        elif event.type == "response.failed":
            step.reason = "error"
        else:
            is_open = any(not (tool.is_answered or tool.by_provider) for tool in self._tools.values())
            step.reason = "tool-calls" if is_open else "stop"
        usage = response.usage
        if usage is not None:
            step.usage = usage.to_dict()
            details_in, details_out = step.usage.get("input_tokens_details"), usage.output_tokens_details
            step.counts = TokenCounts(
                input=usage.input_tokens,
                output=usage.output_tokens,
                reasoning=getattr(details_out, "reasoning_tokens", None) or 0,
                cached=(details_in or {}).get("cached_tokens") or 0,
            )
        self._step = None
        if event.type == "response.failed":
            error = response.error
            message = error.message if error is not None else ""
            self._writer.fail(message or "The response has failed.", error.code if error else None)
        else:
            self._writer.finish_step()

    def _error(self, event: Any) -> None:
        self._writer.fail(event.message or "The server reports an error.", event.code)

    def _text(self, event: Any) -> None:
        key = _key(event, "content")
        self._writer.grow(key, event.delta)
        self._writer.extend(key, "logprobs", _dicts(event.logprobs))

    def _text_done(self, event: Any) -> None:
        key = _key(event, "content")
        if not self._writer.has_had(key):
            self._writer.grow(key, event.text)
            self._writer.extend(key, "logprobs", _dicts(event.logprobs))
        self._writer.end(key)

    def _refusal(self, event: Any) -> None:
        self._writer.grow(_key(event, "content"), event.delta, refusal=True)

    def _refusal_done(self, event: Any) -> None:
        self._done(_key(event, "content"), event.refusal, "text", refusal=True)

    def _reasoning(self, event: Any) -> None:
        self._writer.grow(_key(event, "reasoning"), event.delta, "reasoning")

    def _reasoning_done(self, event: Any) -> None:
        self._done(_key(event, "reasoning"), event.text, "reasoning")

    def _done(self, key: Any, text: str, kind: Any, **metadata: Any) -> None:
        if not self._writer.has_had(key):
            self._writer.grow(key, text, kind, **metadata)
        self._writer.end(key)

    def _annotation(self, event: Any) -> None:
        self._annotate(event.annotation)

    def _annotate(self, annotation: Any) -> None:
        kind = getattr(annotation, "type", None)
        if kind == "url_citation":
            self._writer.source(annotation.url, annotation.title or None)
        elif annotation is not None:
            sent = annotation.to_dict()
            name = getattr(annotation, "filename", "") or getattr(annotation, "file_id", "")
            self._writer.document(name or str(kind), name or None, openai=sent)

    def _item_added(self, event: Any) -> None:
        item = event.item
        if _is_call(item):
            self._begin_call(event, item)

    def _begin_call(self, event: Any, item: Any) -> Tool:
        kind = item.type
        id = getattr(item, "call_id", None) or getattr(item, "id", None)
        name = getattr(item, "name", "") or kind.removesuffix("_call")
        tool = self._writer.tool(
            id,
            name,
            by_provider=kind not in _BY_APPLICATION,
            is_text=kind in {"custom_tool_call", "code_interpreter_call"},
        )
        self._tools[getattr(item, "id", None) or event.output_index] = tool
        return tool

    def _call_delta(self, event: Any) -> None:
        tool = self._tools.get(event.item_id or event.output_index)
        if tool is not None:
            self._writer.grow_tool(tool, event.delta)

    def _item_done(self, event: Any) -> None:
        item = event.item
        kind: Any = getattr(item, "type", None)
        writer = self._writer
        if kind == "message":
            self._add_whole(event, item.id, "content", item.content)
        elif kind == "reasoning":
            self._add_whole(event, item.id, "summary", item.summary)
            self._add_whole(event, item.id, "reasoning", item.content)
            if item.encrypted_content:
                key = ("encrypted", item.id)
                writer.annotate(
                    key, "reasoning", reasoningEncryptedContent=item.encrypted_content, itemId=item.id
                )
                writer.end(key)
        elif _is_call(item):
            self._end_call(event, item, kind)
        elif isinstance(kind, str) and kind.endswith("_output") and item.call_id:
            sent = item.to_dict()
            writer.answer(item.call_id, sent.get("output", sent))
        elif item is not None:
            writer.data(f"openai-{kind}", item.to_dict())

    def _add_whole(self, event: Any, id: Any, name: str, parts: Any) -> None:
        """Read the parts of an item that had no deltas."""
        for index, part in enumerate(parts or ()):
            place = (index, None) if name == "summary" else (None, index)
            kind = "content" if name == "content" else "reasoning"
            keys = [(kind, each, *place) for each in (id, event.output_index)]
            sent = part.to_dict()
            text = sent.get("text") or sent.get("refusal")
            if not isinstance(text, str) or any(map(self._writer.has_had, keys)):
                continue
            refusal = {"refusal": True} if sent.get("type") == "refusal" else {}
            self._writer.grow(keys[0], text, "text" if kind == "content" else "reasoning", **refusal)
            self._writer.extend(keys[0], "logprobs", sent.get("logprobs") or [])
            for annotation in getattr(part, "annotations", None) or ():
                self._annotate(annotation)
            self._writer.end(keys[0])

    def _end_call(self, event: Any, item: Any, kind: str) -> None:
        writer = self._writer
        tool = self._tools.get(item.id or event.output_index) or self._begin_call(event, item)
        sent = item.to_dict()
        if kind in {"function_call", "mcp_call"}:
            writer.ready(tool, item.arguments)
        elif kind == "custom_tool_call":
            writer.ready(tool, item.input)
        else:
            given = {name: sent[name] for name in ("action", "code", "queries", "operation") if name in sent}
            writer.ready(tool, value=given)
        if kind == "mcp_call":
            failed = item.error is not None
            writer.answer(tool.id, item.error if failed else item.output, is_error=failed, by_provider=True)
        elif kind == "image_generation_call":
            if item.result:
                media_type = f"image/{item.output_format or 'png'}"
                writer.file(f"data:{media_type};base64,{item.result}", media_type)
            rest = {name: value for name, value in sent.items() if name != "result"}
            writer.answer(tool.id, rest, is_error=item.status == "failed", by_provider=True)
        elif tool.by_provider:
            writer.answer(tool.id, sent, is_error=item.status == "failed", by_provider=True)


def _dicts(values: Any) -> list[Any]:
    return [value.to_dict() for value in values or ()]


def _is_call(item: Any) -> bool:
    return isinstance(getattr(item, "type", None), str) and item.type.endswith("_call")


def _key(event: Any, name: str) -> tuple[Any, ...]:
    place = getattr(event, "summary_index", None), getattr(event, "content_index", None)
    return (name, event.item_id or event.output_index, *place)


_HANDLERS: dict[str, Callable[[ResponsesReader, Any], None]] = {
    "error": ResponsesReader._error,
    "response.created": ResponsesReader._begin,
    "response.completed": ResponsesReader._end,
    "response.incomplete": ResponsesReader._end,
    "response.failed": ResponsesReader._end,
    "response.output_item.added": ResponsesReader._item_added,
    "response.output_item.done": ResponsesReader._item_done,
    "response.output_text.delta": ResponsesReader._text,
    "response.output_text.done": ResponsesReader._text_done,
    "response.output_text.annotation.added": ResponsesReader._annotation,
    "response.refusal.delta": ResponsesReader._refusal,
    "response.refusal.done": ResponsesReader._refusal_done,
    "response.reasoning_text.delta": ResponsesReader._reasoning,
    "response.reasoning_text.done": ResponsesReader._reasoning_done,
    "response.reasoning_summary_text.delta": ResponsesReader._reasoning,
    "response.reasoning_summary_text.done": ResponsesReader._reasoning_done,
    "response.function_call_arguments.delta": ResponsesReader._call_delta,
    "response.custom_tool_call_input.delta": ResponsesReader._call_delta,
    "response.mcp_call_arguments.delta": ResponsesReader._call_delta,
    "response.code_interpreter_call_code.delta": ResponsesReader._call_delta,
    # The item that is done has these.
    "response.function_call_arguments.done": lambda reader, event: None,
    "response.custom_tool_call_input.done": lambda reader, event: None,
    "response.mcp_call_arguments.done": lambda reader, event: None,
    "response.code_interpreter_call_code.done": lambda reader, event: None,
}

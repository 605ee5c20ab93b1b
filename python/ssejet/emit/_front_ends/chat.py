"""Reads chat completions."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ssejet.chat import (
    ChatCompletionStreamState,
    ChunkEvent,
    ContentDeltaEvent,
    ContentDoneEvent,
    ReasoningDeltaEvent,
    ReasoningDoneEvent,
    RefusalDeltaEvent,
    RefusalDoneEvent,
    ToolCallDeltaEvent,
    ToolCallDoneEvent,
)
from ssejet.emit._front_ends.answer import TokenCounts

if TYPE_CHECKING:
    from ssejet.chat import (
        ChatCompletionChunk,
        Choice,
        ChoiceDeltaAudio,
        ChoiceDeltaFunctionCall,
        CompletionUsage,
    )
    from ssejet.emit._front_ends.answer import FinishReason, Step, Tool
    from ssejet.emit._front_ends.writer import Writer

__all__ = ["ChatReader"]

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
}

# Stands for the index of a tool call.
_FUNCTION_CALL = -1


class ChatReader:
    """Passes the events of chat completions to a writer.

    Args:
        writer: writes them in the front end's protocol.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        # Makes events of plain chunks. Events that come ready-made have a state of their own.
        self._state: ChatCompletionStreamState[None] | None = None
        self._source: Any = None
        self._step: Step | None = None
        # Calls whose name or id has not come yet, by choice and index: the texts so far.
        self._waiting: dict[tuple[int, int], list[str]] = {}
        self._calls: dict[tuple[int, int], Tool] = {}
        # The log probabilities of texts that have not begun yet, by the key of the part.
        self._logprobs: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
        # The audio of each choice, in pieces of base64.
        self._audio: defaultdict[int, list[str]] = defaultdict(list)

    def add_chunk(self, chunk: ChatCompletionChunk) -> None:
        """Read a chunk."""
        state = self._state
        step = self._step
        is_next = (
            state is not None
            and state.is_finished
            and bool(chunk.choices)
            and step is not None
            and chunk.id != step.id
        )
        if state is None or is_next:
            self.flush()
            state = self._state = ChatCompletionStreamState()
        for event in state.handle_chunk(chunk):
            self.add_event(event)

    def flush(self) -> None:
        """Read the end of a completion's chunks."""
        state, self._state = self._state, None
        if state is not None:
            for event in state.finish():
                self.add_event(event)

    def add_event(self, event: Any) -> None:
        """Read an event."""
        writer = self._writer
        kind = type(event)
        if kind is ContentDeltaEvent:
            self._grow_text(("content", event.choice_index), event.delta)
        elif kind is ChunkEvent:
            self._add_chunk(event)
        elif kind is ReasoningDeltaEvent:
            writer.grow(("reasoning", event.choice_index), event.delta, "reasoning")
        elif kind is ToolCallDeltaEvent:
            self._add_call(event)
        elif kind is ToolCallDoneEvent:
            self._end_call(event)
        elif kind is RefusalDeltaEvent:
            self._grow_text(("refusal", event.choice_index), event.delta, refusal=True)
        elif kind is ContentDoneEvent:
            writer.end(("content", event.choice_index))
        elif kind is ReasoningDoneEvent:
            writer.end(("reasoning", event.choice_index))
        elif kind is RefusalDoneEvent:
            writer.end(("refusal", event.choice_index))

    def _grow_text(self, key: tuple[str, int], delta: str, **metadata: Any) -> None:
        self._writer.grow(key, delta, **metadata)
        if delta and key in self._logprobs:
            self._writer.extend(key, "logprobs", self._logprobs.pop(key))

    def _add_chunk(self, event: ChunkEvent[Any]) -> None:
        chunk = event.chunk
        if self._step is None or event._state is not self._source:
            self._source = event._state
            self._step = self._writer.begin("openai", chunk.id, chunk.model)
            self._waiting.clear()
            self._calls.clear()
            self._logprobs.clear()
            self._audio.clear()
        step = self._step
        step.add(serviceTier=chunk.service_tier, systemFingerprint=chunk.system_fingerprint)
        step.id = step.id or chunk.id
        step.model = step.model or chunk.model
        for choice in chunk.choices:
            for annotation in choice.delta.annotations or ():
                cited = annotation.url_citation
                if cited is not None:
                    self._writer.source(cited.url, cited.title or None)
            if choice.logprobs is not None:
                self._add_logprobs(choice)
            if choice.delta.audio is not None:
                self._add_audio(choice.index or 0, choice.delta.audio)
            if choice.delta.extra:
                self._add_extra(choice.index or 0, choice.delta.extra)
            if choice.delta.function_call is not None:
                self._add_function_call(choice.index or 0, choice.delta.function_call)
            if choice.finish_reason is not None:
                self._end_audio(choice.index or 0)
                self._end_function_call(choice.index or 0)
                step.sent_reason = choice.finish_reason
                step.reason = _REASONS.get(choice.finish_reason, "other")
        if chunk.usage is not None:
            step.usage = chunk.usage.to_dict()
            step.counts = _counts(chunk.usage)
        for url, title in _searched(chunk.extra):
            self._writer.source(url, title)

    def _add_logprobs(self, choice: Choice) -> None:
        assert choice.logprobs is not None
        sent = choice.logprobs.to_dict()
        for name in ("content", "refusal"):
            if sent.get(name):
                # Their text comes in the next event, if there is any.
                self._logprobs[name, choice.index or 0] += sent[name]
                if not getattr(choice.delta, name):
                    rest = self._logprobs.pop((name, choice.index or 0))
                    self._writer.data("openai-logprobs", {"index": choice.index or 0, name: rest})

    def _add_function_call(self, index: int, function: ChoiceDeltaFunctionCall) -> None:
        """Read the older form of tool calls, which has no ids and no events."""
        key = (index, _FUNCTION_CALL)
        tool = self._calls.get(key)
        if tool is None:
            name, arguments = self._waiting.setdefault(key, ["", ""])
            self._waiting[key] = [name + (function.name or ""), arguments + (function.arguments or "")]
            # A name may come in fragments, all before the arguments.
            if function.arguments:
                self._begin_function_call(key)
        else:
            self._writer.grow_tool(tool, function.arguments or "")

    def _begin_function_call(self, key: tuple[int, int]) -> Tool:
        name, arguments = self._waiting.pop(key)
        tool = self._calls[key] = self._writer.tool(None, name)
        self._writer.grow_tool(tool, arguments)
        return tool

    def _end_function_call(self, index: int) -> None:
        key = (index, _FUNCTION_CALL)
        if key in self._waiting:
            self._begin_function_call(key)
        if key in self._calls:
            self._writer.ready(self._calls.pop(key))

    def _add_audio(self, index: int, audio: ChoiceDeltaAudio) -> None:
        """Pass the audio on at once, so that the page can play it, and its transcript as text."""
        self._writer.data("openai-audio", {"index": index, **audio.to_dict()}, transient=True)
        if audio.data:
            self._audio[index].append(audio.data)
        if audio.transcript:
            self._writer.grow(("transcript", index), audio.transcript, transcript=True)

    def _end_audio(self, index: int) -> None:
        pieces = self._audio.pop(index, None)
        if pieces:
            # OpenAI streams no other format.
            self._writer.file(f"data:audio/pcm;base64,{_joined(pieces)}", "audio/pcm")

    def _add_extra(self, index: int, extra: dict[str, Any]) -> None:
        """Read the fields that servers add to OpenAI's."""
        rest = {name: value for name, value in extra.items() if value not in (None, "", [], {})}
        details = rest.pop("reasoning_details", None)
        if isinstance(details, list):
            # OpenRouter needs them again in the next request: they have signatures and encrypted reasoning.
            self._writer.annotate(("reasoning", index), "reasoning")
            self._writer.extend(("reasoning", index), "reasoningDetails", details)
        images = rest.pop("images", None)
        for image in images if isinstance(images, list) else ():
            url = image.get("image_url", {}).get("url") if isinstance(image, dict) else None
            if isinstance(url, str):
                media_type = url[len("data:") : url.find(";")] if url.startswith("data:") else "image/*"
                self._writer.file(url, media_type)
        if rest:
            self._writer.data("openai-delta", {"index": index, **rest}, transient=True)

    def _add_call(self, event: ToolCallDeltaEvent) -> None:
        key = (event.choice_index, event.index)
        tool = self._calls.get(key)
        if tool is None:
            waiting = self._waiting.setdefault(key, [])
            waiting.append(event.delta)
            name = event.name
            # A name may come in fragments, all before the arguments.
            if not (event.id and name and any(waiting)):
                return
            tool = self._begin(key, event.id, name)
        else:
            self._writer.grow_tool(tool, event.delta)

    def _begin(self, key: tuple[int, int], id: str, name: str) -> Tool:
        tool = self._calls[key] = self._writer.tool(id, name)
        self._writer.grow_tool(tool, "".join(self._waiting.pop(key, ())))
        return tool

    def _end_call(self, event: ToolCallDoneEvent) -> None:
        key = (event.choice_index, event.index)
        tool = self._calls.get(key) or self._begin(key, event.id, event.name)
        tool.is_text = event.parsed_function is None
        self._writer.ready(tool, event.arguments)


def _joined(pieces: list[str]) -> str:
    try:
        return b64encode(b"".join([b64decode(piece) for piece in pieces])).decode()
    except ValueError:
        return "".join(pieces)


def _counts(usage: CompletionUsage) -> TokenCounts:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return TokenCounts(
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        reasoning=(completion.reasoning_tokens if completion else None) or 0,
        cached=(prompt.cached_tokens if prompt else None) or 0,
        cache_written=(prompt.cache_write_tokens if prompt else None) or 0,
    )


def _searched(extra: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The web pages, with their titles, that servers such as Perplexity's add to chunks."""
    results = extra.get("search_results")
    if isinstance(results, list) and results:
        pages = [page for page in results if isinstance(page, dict)]
        return [(str(page.get("url", "")), page.get("title")) for page in pages]
    citations = extra.get("citations")
    return [(url, None) for url in citations if isinstance(url, str)] if isinstance(citations, list) else []

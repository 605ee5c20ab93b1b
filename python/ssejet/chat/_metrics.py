"""Metrics of chat completions, and of the older completions endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.chat._models import ChatCompletionChunk, ChoiceDelta, Completion
from ssejet.metrics._token_metrics import TokenMetrics

if TYPE_CHECKING:
    from ssejet.chat._models import CompletionUsage

__all__ = ["ChatMetrics", "CompletionMetrics"]


class _ChoiceMetrics(TokenMetrics):
    """Tracks finish reasons and token usage for both endpoints.

    ``finished`` is True once every choice so far has a finish reason. The reason ``error`` does not count:
    some servers send it when they fail.
    """

    __slots__ = ("_closed", "_last_open", "_open")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.finished: bool = False
        self._open: set[int] = set()
        # The choice of the last chunk, if it is open: most chunks have the same one, and a lookup costs more.
        self._last_open: int | None = None
        self._closed: set[int] = set()

    def _add_choice(self, index: int, finish_reason: str | None) -> None:
        if finish_reason and finish_reason != "error":
            self._closed.add(index)
            self._open.discard(index)
            self._last_open = None
        elif index not in self._closed:
            self._open.add(index)
            self._last_open = index
        self.finished = not self._open and bool(self._closed)

    def _add_usage(self, usage: CompletionUsage) -> None:
        details = usage.completion_tokens_details
        self.add_usage(
            prompt=usage.prompt_tokens or None,
            completion=usage.completion_tokens or None,
            reasoning=None if details is None else details.reasoning_tokens,
        )


class ChatMetrics(_ChoiceMetrics):
    """The metrics of a stream of chat completion chunks; see ``TokenMetrics``.

    ::

        stream = Stream(response, cast_to=ChatCompletionChunk, metrics=ChatMetrics())

    A chunk may be ssejet's, openai-python's or a dict. If a chunk has several choices, the metrics do not
    separate them.
    """

    __slots__ = ()

    def observe(self, item: Any) -> None:
        """Measure a chunk, or a dict with its fields."""
        chunk = ChatCompletionChunk.from_dict(item) if type(item) is dict else item
        for choice in chunk.choices or ():
            if choice.delta is not None:
                self._add_delta(choice.delta)
            if choice.finish_reason is not None or choice.index != self._last_open:
                self._add_choice(choice.index, choice.finish_reason)
        if chunk.usage is not None:
            self._add_usage(chunk.usage)

    def _add_delta(self, delta: ChoiceDelta) -> None:
        text = delta.content or ""
        if delta.refusal:
            text += delta.refusal
        if delta.tool_calls:
            text += "".join(map(_call_text, delta.tool_calls))
        if delta.function_call is not None:
            text += _function_text(delta.function_call)
        if type(delta) is ChoiceDelta:  # its attributes are properties, which would cost more than the rest
            reasoning = delta.reasoning_content_slot or delta.reasoning_slot or ""
        else:  # openai-python's objects lack the fields that the server did not send
            reasoning = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
        if text or reasoning:
            self.add_token(text, reasoning=reasoning)
        elif getattr(delta, "audio", None):
            self.add_token()


class CompletionMetrics(_ChoiceMetrics):
    """The metrics of a stream of the older completions endpoint; see ``TokenMetrics``."""

    __slots__ = ()

    def observe(self, item: Any) -> None:
        """Measure a chunk, or a dict with its fields."""
        chunk = Completion.from_dict(item) if type(item) is dict else item
        for choice in chunk.choices or ():
            if choice.text:
                self.add_token(choice.text)
            self._add_choice(choice.index, choice.finish_reason)
        if chunk.usage is not None:
            self._add_usage(chunk.usage)


def _call_text(call: Any) -> str:
    if call.function is not None:
        return _function_text(call.function)
    custom = getattr(call, "custom", None)
    return "" if custom is None else (custom.name or "") + (custom.input or "")


def _function_text(function: Any) -> str:
    return (function.name or "") + (function.arguments or "")

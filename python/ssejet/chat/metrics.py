"""Metrics of chat completions, and of completions of the older kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.chat.models import ChatCompletionChunk, Completion
from ssejet.token_metrics import TokenMetrics

if TYPE_CHECKING:
    from ssejet.chat.models import ChoiceDelta, CompletionUsage

__all__ = ["ChatMetrics", "CompletionMetrics"]


class _ChoiceMetrics(TokenMetrics):
    """What both have in common: choices that finish, and usage.

    ``finished`` is True once all choices that were begun have a finish reason.
    """

    __slots__ = ("_closed", "_open")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._open: set[int] = set()
        self._closed: set[int] = set()

    def _add_choice(self, index: int, finish_reason: str | None) -> None:
        if finish_reason:
            self._closed.add(index)
            self._open.discard(index)
        elif index not in self._closed:
            self._open.add(index)
        self.finished = not self._open and bool(self._closed)

    def _add_usage(self, usage: CompletionUsage) -> None:
        details = usage.completion_tokens_details
        self.add_usage(
            prompt=usage.prompt_tokens,
            completion=usage.completion_tokens or None,
            reasoning=None if details is None else details.reasoning_tokens,
        )


class ChatMetrics(_ChoiceMetrics):
    """What a stream of chat completion chunks measured of itself; see ``TokenMetrics``.

    ::

        stream = Stream(response, cast_to=ChatCompletionChunk, metrics=ChatMetrics())

    The chunks may be ssejet's, openai-python's or dicts.
    """

    __slots__ = ()

    def observe(self, item: Any) -> None:
        """Look for tokens in a chunk."""
        chunk = ChatCompletionChunk.from_dict(item) if type(item) is dict else item
        for choice in chunk.choices:
            if choice.delta is not None:
                self._add_delta(choice.delta)
            self._add_choice(choice.index, choice.finish_reason)
        if chunk.usage is not None:
            self._add_usage(chunk.usage)

    def _add_delta(self, delta: ChoiceDelta) -> None:
        if delta.content:
            self.add_token(delta.content)
        elif delta.refusal:
            self.add_token(delta.refusal)
        elif delta.tool_calls:
            self.add_token("".join(map(_tool_text, delta.tool_calls)))
        # openai-python's objects have only the fields that were sent.
        elif text := getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None):
            self.add_token(text, reasoning=True)


class CompletionMetrics(_ChoiceMetrics):
    """What a stream of the older completions endpoint measured of itself; see ``TokenMetrics``."""

    __slots__ = ()

    def observe(self, item: Any) -> None:
        """Look for tokens in a chunk."""
        chunk = Completion.from_dict(item) if type(item) is dict else item
        for choice in chunk.choices:
            if choice.text:
                self.add_token(choice.text)
            self._add_choice(choice.index, choice.finish_reason)
        if chunk.usage is not None:
            self._add_usage(chunk.usage)


def _tool_text(call: Any) -> str:
    if call.function is not None:
        return call.function.arguments or call.function.name or ""
    custom = getattr(call, "custom", None)
    return "" if custom is None else custom.input or custom.name or ""

"""Metrics of Messages streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.messages._raw_events import RawEvent
from ssejet.metrics._token_metrics import TokenMetrics

if TYPE_CHECKING:
    from ssejet.messages._models import MessageDeltaUsage, Usage

__all__ = ["MessageMetrics"]


class MessageMetrics(TokenMetrics):
    """The metrics of a stream of the Messages API; see ``TokenMetrics``.

    ::

        stream = Stream(response, cast_to=RawMessageStreamEvent, metrics=MessageMetrics())

    An event may be ssejet's, anthropic's or a dict. ``finished`` is True after ``message_stop``.
    ``prompt_tokens`` includes the tokens that were read from the cache or written to it.
    """

    __slots__ = ("_lacks_only_end", "_prompt")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._prompt: dict[str, int] = {}
        self._lacks_only_end = False

    def observe(self, item: Any) -> None:
        """Measure an event, or a dict with its fields."""
        event = RawEvent.from_dict(item) if type(item) is dict else item
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            name = _TEXTS.get(delta.type)
            if name is None:
                return
            text = getattr(delta, name) or ""
            if not text:
                return
            if name == "thinking":
                self.add_token(reasoning=text)
            else:
                self.add_token(text)
        elif kind == "message_delta":
            if event.delta.stop_reason is not None:
                self._lacks_only_end = True
            if event.usage is not None:
                self._add_usage(event.usage)
        elif kind == "message_start":
            self._add_prompt(event.message.usage)
            self.prompt_tokens: int | None = sum(self._prompt.values()) or None
        elif kind == "message_stop":
            self.finished = True

    def _add_prompt(self, usage: Usage | MessageDeltaUsage) -> None:
        for name in _PROMPT:
            if (count := getattr(usage, name, None)) is not None:
                self._prompt[name] = count

    def _add_usage(self, usage: MessageDeltaUsage) -> None:
        self._add_prompt(usage)
        details = usage.output_tokens_details
        self.add_usage(
            prompt=sum(self._prompt.values()) or None,
            completion=usage.output_tokens or None,
            reasoning=None if details is None else details.thinking_tokens,
        )


_TEXTS = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}
_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")

# Typed streams of events measure with it, unless they are given other metrics.
RawEvent.default_metrics = MessageMetrics

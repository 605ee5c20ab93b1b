"""The reasoning of one choice, and the events that it causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ssejet.chat._events import ReasoningDeltaEvent, ReasoningDoneEvent

if TYPE_CHECKING:
    from ssejet._answers.text import Text
    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._models import ChoiceDelta

__all__ = ["Reasoning"]


class Reasoning(msgspec.Struct, eq=False):
    """The reasoning so far.

    Attributes:
        text: the reasoning so far.
        names: the fields that the server sends it in.
        is_open: whether it began, and nothing that ends it has come.
    """

    text: Text
    names: set[str] = msgspec.field(default_factory=set)
    is_open: bool = False

    def add(self, delta: ChoiceDelta, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Add what a chunk has of it, and append the event that this causes."""
        content, reasoning = delta.reasoning_content_slot, delta.reasoning_slot
        if content is not None:
            self.names.add("reasoning_content")
        if reasoning is not None:
            self.names.add("reasoning")
        fragment = reasoning if content is None else content or reasoning
        if fragment:
            if not self.is_open:
                self.is_open = True
            text = self.text
            text.parts.append(fragment)
            text.length = end = text.length + len(fragment)
            events.append(ReasoningDeltaEvent(text, end, fragment))

    def end(self, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Append the event for its end, if it has not ended."""
        if self.is_open:
            self.is_open = False
            events.append(ReasoningDoneEvent(self.text, self.text.length))

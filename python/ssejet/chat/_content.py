"""The content and the refusal of one choice, their log probabilities, and the events that they cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ssejet._answers.parsed import Parsed, best_value
from ssejet._answers.text import Text
from ssejet.chat._events import (
    ContentDoneEvent,
    LogprobsContentDeltaEvent,
    LogprobsContentDoneEvent,
    LogprobsRefusalDeltaEvent,
    LogprobsRefusalDoneEvent,
    RefusalDeltaEvent,
    RefusalDoneEvent,
)
from ssejet.chat._models import ChoiceLogprobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._models import ChatCompletionTokenLogprob

__all__ = ["Content"]


class Content(msgspec.Struct, eq=False):
    """What the model says, or why it does not.

    Attributes:
        text: the content; None until the server sends some.
        refusal: the refusal; None until the server sends some.
        has_logprobs: whether the server sent log probabilities.
    """

    _choice_index: int
    _parse: Callable[[str], Any] | None
    text: Text | None = None
    refusal: Text | None = None
    has_logprobs: bool = False
    _parsed: Parsed[Any] | None = None
    _content_logprobs: list[ChatCompletionTokenLogprob] | None = None
    _refusal_logprobs: list[ChatCompletionTokenLogprob] | None = None
    # The types of the events for an end that were sent.
    _done: set[str] = msgspec.field(default_factory=set)

    def parse_partially(self) -> None:
        """Start to parse the content partially. The events so far have no parse."""
        if self.text is not None and self._parse is not None:
            self.text = self.text.fork(is_json=True)

    def add_refusal(self, refusal: str, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Add a fragment of a refusal, and append the event that it causes."""
        text = self.refusal
        if text is None:
            text = self.refusal = Text(self._choice_index)
        text.parts.append(refusal)
        text.length = end = text.length + len(refusal)
        if refusal and self.text is not None and self.text.is_json:
            self.text = self.text.fork(is_json=False)
        events.append(RefusalDeltaEvent(text, end, refusal))

    def add_logprobs(self, more: ChoiceLogprobs, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Add log probabilities, and append the events that they cause."""
        index = self._choice_index
        if not self.has_logprobs:
            # As in openai-python, an empty list counts only here.
            self.has_logprobs = True
            self._content_logprobs = None if more.content is None else []
            self._refusal_logprobs = None if more.refusal is None else []
        if more.content:
            self._content_logprobs = content = self._content_logprobs or []
            content += more.content
            events.append(LogprobsContentDeltaEvent(index, content, len(content), more.content))
        if more.refusal:
            self._refusal_logprobs = refusal = self._refusal_logprobs or []
            refusal += more.refusal
            events.append(LogprobsRefusalDeltaEvent(index, refusal, len(refusal), more.refusal))

    def end(self, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Append the event for the end of each text that has begun; each comes once."""
        index, done = self._choice_index, self._done
        if self.text is not None and self.text.length and ContentDoneEvent.type not in done:
            done.add(ContentDoneEvent.type)
            events.append(ContentDoneEvent(self.text, self.text.length, self._parsed_text(self.text)))
        if self.refusal is not None and RefusalDoneEvent.type not in done:
            done.add(RefusalDoneEvent.type)
            events.append(RefusalDoneEvent(self.refusal, self.refusal.length))
        if self._content_logprobs is not None and LogprobsContentDoneEvent.type not in done:
            done.add(LogprobsContentDoneEvent.type)
            events.append(LogprobsContentDoneEvent(index, self._content_logprobs[:]))
        if self._refusal_logprobs is not None and LogprobsRefusalDoneEvent.type not in done:
            done.add(LogprobsRefusalDoneEvent.type)
            events.append(LogprobsRefusalDoneEvent(index, self._refusal_logprobs[:]))

    def value(self, *, validate: bool) -> Any:
        """The content, parsed; see ``ChoiceState.to_model``."""
        text = self.text
        if text is None or not text.length:
            return None
        if validate:
            return self._parsed_text(text).get()
        return best_value(self._parsed_text(text) if ContentDoneEvent.type in self._done else None, text)

    def logprobs(self) -> ChoiceLogprobs | None:
        """The log probabilities so far; None if the server sent none."""
        if not self.has_logprobs:
            return None
        content, refusal = self._content_logprobs, self._refusal_logprobs
        return ChoiceLogprobs(
            content=None if content is None else content[:], refusal=None if refusal is None else refusal[:]
        )

    def _parsed_text(self, text: Text) -> Parsed[Any]:
        # The content only grows: at the same length, it is the same.
        if self._parsed is None or self._parsed.length != text.length:
            refused = self.refusal is not None and self.refusal.length
            self._parsed = Parsed(text, text.length, None if refused else self._parse)
        return self._parsed

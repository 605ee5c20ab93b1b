"""The text of one choice, content and refusal with their log probabilities, and the events that it causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.chat._events import (
    ContentDoneEvent,
    LogprobsContentDeltaEvent,
    LogprobsContentDoneEvent,
    LogprobsRefusalDeltaEvent,
    LogprobsRefusalDoneEvent,
    RefusalDeltaEvent,
    RefusalDoneEvent,
)
from ssejet.chat._formats import Parsed, best_value
from ssejet.chat._models import ChoiceLogprobs
from ssejet.chat._text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._models import ChatCompletionTokenLogprob

__all__ = ["Content"]


class Content:
    """What the model says, or why it does not.

    Attributes:
        text: the content; None until the server sends some.
        refusal: the refusal; None until the server sends some.
        parses_partially: whether partial parses are computed.
    """

    __slots__ = (
        "_choice_index",
        "_content_logprobs",
        "_done",
        "_has_logprobs",
        "_parse",
        "_parsed",
        "_refusal_logprobs",
        "parses_partially",
        "refusal",
        "text",
    )

    def __init__(
        self, choice_index: int, parse: Callable[[str], Any] | None, *, parses_partially: bool
    ) -> None:
        self.text: Text | None = None
        self.refusal: Text | None = None
        self.parses_partially: bool = parses_partially
        self._choice_index = choice_index
        self._parse = parse
        self._parsed: Parsed[Any] | None = None
        self._has_logprobs = False
        self._content_logprobs: list[ChatCompletionTokenLogprob] | None = None
        self._refusal_logprobs: list[ChatCompletionTokenLogprob] | None = None
        # The types of the events for an end that were sent.
        self._done: set[str] = set()

    def begin(self) -> Text:
        """Begin the content."""
        self.text = Text(self._choice_index, is_json=self.parses_partially and self._parse is not None)
        return self.text

    def parse_partially(self) -> None:
        """Start computing partial parses; the texts of the events so far stay without."""
        self.parses_partially = True
        if self.text is not None:
            self.text = self.text.fork(is_json=self._parse is not None)

    def add_refusal(self, refusal: str, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Take more of a refusal in, and append the event that it causes."""
        text = self.refusal
        if text is None:
            text = self.refusal = Text(self._choice_index)
        if refusal and self.text is not None and self.text.is_json:
            self.text = self.text.fork(is_json=False)
        events.append(RefusalDeltaEvent(text, text.add(refusal), refusal))

    def add_logprobs(self, more: ChoiceLogprobs, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Take log probabilities in, and append the events that they cause."""
        index = self._choice_index
        if not self._has_logprobs:
            # Like openai-python, we take an empty list for one only here.
            self._has_logprobs = True
            self._content_logprobs = None if more.content is None else []
            self._refusal_logprobs = None if more.refusal is None else []
        if more.content:
            self._content_logprobs = content = self._content_logprobs or []
            content += more.content
            events.append(LogprobsContentDeltaEvent(index, more.content, content, len(content)))
        if more.refusal:
            self._refusal_logprobs = refusal = self._refusal_logprobs or []
            refusal += more.refusal
            events.append(LogprobsRefusalDeltaEvent(index, more.refusal, refusal, len(refusal)))

    def end(self, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Append the events for the end of what has begun, each of them once."""
        index, done = self._choice_index, self._done
        if self.text is not None and self.text.length and ContentDoneEvent.type not in done:
            done.add(ContentDoneEvent.type)
            parsed = self._parsed_text(self.text)
            events.append(ContentDoneEvent(index, parsed.text, parsed))
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
        if not self._has_logprobs:
            return None
        content, refusal = self._content_logprobs, self._refusal_logprobs
        return ChoiceLogprobs(
            content=None if content is None else content[:], refusal=None if refusal is None else refusal[:]
        )

    def _parsed_text(self, text: Text) -> Parsed[Any]:
        whole = str(text)
        if self._parsed is None or self._parsed.text != whole:
            refused = self.refusal is not None and self.refusal.length
            self._parsed = Parsed(whole, None if refused else self._parse)
        return self._parsed

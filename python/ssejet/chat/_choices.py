"""One choice of a chat completion: what its chunks have given so far, and the events that each causes.

The order of the events is openai-python's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ssejet.chat._base import added_to, remember
from ssejet.chat._content import Content
from ssejet.chat._events import ContentDeltaEvent
from ssejet.chat._extra import Fields, WholeChoice
from ssejet.chat._lenient import CONTENT_PARTS
from ssejet.chat._models import (
    ChatCompletionAudio,
    ChoiceDeltaToolCall,
    ParsedChatCompletionMessage,
    ParsedChoice,
)
from ssejet.chat._reasoning import Reasoning
from ssejet.chat._text import Text, str_or_none
from ssejet.chat._tool_calls import ToolCall, ToolCalls

if TYPE_CHECKING:
    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._formats import Formats
    from ssejet.chat._models import Annotation, Choice, ChoiceDelta, ChoiceDeltaAudio

__all__ = ["ChoiceState"]


class ChoiceState:
    """One choice under construction.

    Attributes:
        index: of the choice.
        finish_reason: the last that the server gave, or None.
        parses_partially: whether partial parses are computed. openai-python has none for what came with a
            stream's first chunk, until the choice's next.
    """

    __slots__ = (
        "_annotations",
        "_audio",
        "_content",
        "_extra",
        "_formats",
        "_function_call",
        "_message_extra",
        "_reasoning",
        "_role",
        "_tool_calls",
        "finish_reason",
        "index",
        "parses_partially",
    )

    def __init__(self, index: int, formats: Formats, *, parses_partially: bool) -> None:
        self.index: int = index
        self.finish_reason: str | None = None
        self.parses_partially: bool = parses_partially
        self._formats = formats
        self._role: str | None = None
        self._content = Content(index, formats.content, parses_partially=parses_partially)
        self._reasoning: Reasoning | None = None
        self._tool_calls: ToolCalls | None = None
        self._function_call: ToolCall | None = None
        self._audio: _Audio | None = None
        self._annotations: list[Annotation] | None = None
        # What the server added to the choice and to the message, if anything.
        self._extra: Fields | None = None
        self._message_extra: Fields | None = None

    def add(self, choice: Choice, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Take in what a chunk says of this choice, and append the events that it causes.

        Raises:
            StreamError: a tool-call fragment could belong to several calls.
        """
        # This runs once per chunk: it looks at every field, and calls only for those that hold something.
        delta = choice.delta
        if self._role is None and delta.role is not None:
            self._role = delta.role
        reasoning = self._reasoning
        if delta.reasoning_content_slot is not None or delta.reasoning_slot is not None:
            if reasoning is None:
                reasoning = self._reasoning = Reasoning(self.index)
            reasoning.add(delta, events)
        content = delta.content
        if content is not None:
            text = self._content.text
            if text is None:
                text = self._content.begin()
            if content and reasoning is not None:
                reasoning.end(events)
            text.parts.append(content)
            text.length = end = text.length + len(content)
            events.append(ContentDeltaEvent(text, end, content))
        if delta.refusal is not None:
            if delta.refusal and reasoning is not None:
                reasoning.end(events)
            self._content.add_refusal(delta.refusal, events)
        fragments = delta.tool_calls
        touched: list[ToolCall] = []
        if fragments:
            if reasoning is not None:
                reasoning.end(events)
            if self._tool_calls is None:
                self._tool_calls = ToolCalls(self.index, self._formats.arguments)
            touched = self._tool_calls.add(fragments, events, parses=self.parses_partially)
        if choice.logprobs is not None:
            self._content.add_logprobs(choice.logprobs, events)
        if delta.audio is not None or delta.annotations is not None or delta.function_call is not None:
            self._add_rest(delta)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        if self.finish_reason or touched:
            self._end(touched, events)

    def _end(self, touched: list[ToolCall], events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Append the events for what ends with a chunk that has a finish reason, or goes on to a call."""
        calls = self._tool_calls
        if self.finish_reason:
            if self._reasoning is not None:
                self._reasoning.end(events)
            self._content.end(events)
            if calls is not None:
                calls.end(events)
        if calls is None:
            return
        for call in touched:
            if call is not calls.current:
                self._content.end(events)
                calls.turn_to(call, events)
        if self.finish_reason:
            calls.complete(events)

    def _add_rest(self, delta: ChoiceDelta) -> None:
        if delta.audio is not None:
            if self._audio is None:
                self._audio = _Audio()
            self._audio.add(delta.audio)
        if delta.annotations is not None:
            if self._annotations is None:
                self._annotations = []
            self._annotations += delta.annotations
        if delta.function_call is not None:
            if self._function_call is None:
                self._function_call = ToolCall(0, self.index)
            function = delta.function_call
            self._function_call.add(
                ChoiceDeltaToolCall(function=function), function.name or "", function.arguments or ""
            )

    def add_unusual(self, choice: Choice) -> Choice:
        """Take in the fields that the server added to this choice and its delta.

        Returns:
            The choice; if it holds the whole message so far, what is new of it.
        """
        added = added_to(choice)
        if type(added) is WholeChoice:
            choice = self._what_is_new(choice)
        if added:
            if self._extra is None:
                self._extra = Fields()
            self._extra.replace(added)
        if added := added_to(choice.delta):
            fields = self._message_extra
            if fields is None:
                fields = self._message_extra = Fields()
            if isinstance(added.get(CONTENT_PARTS), list):
                fields.add_parts(CONTENT_PARTS, added[CONTENT_PARTS])
                added = {name: value for name, value in added.items() if name != CONTENT_PARTS}
            fields.merge(added)
        return choice

    def _what_is_new(self, choice: Choice) -> Choice:
        """Of a choice that holds the whole message so far, what the deltas before it did not give."""
        delta = choice.delta
        reasoning = None if self._reasoning is None else self._reasoning.text
        changes: dict[str, Any] = {}
        for name, before, value in (
            ("content", self._content.text, delta.content),
            ("refusal", self._content.refusal, delta.refusal),
            ("reasoning_content", reasoning, delta.reasoning_content_slot),
            ("reasoning", reasoning, delta.reasoning_slot),
        ):
            if value and before is not None and before.length and (rest := before.rest_of(value)) is not None:
                changes[name] = rest or None
        if delta.tool_calls and self._tool_calls is not None:
            changes["tool_calls"] = self._tool_calls.what_is_new(delta.tool_calls) or None
        function = delta.function_call
        if function is not None and self._function_call is not None:
            rest = self._function_call.arguments.rest_of(function.arguments or "")
            if rest is not None:
                changes["function_call"] = msgspec.structs.replace(function, name=None, arguments=rest)
        if delta.annotations is not None and self._annotations is not None:
            changes["annotations"] = [each for each in delta.annotations if each not in self._annotations]
        if not changes:
            return choice
        changed = msgspec.structs.replace(delta, **changes)
        if extra := added_to(delta):
            gathered = self._message_extra
            remember(changed, extra if gathered is None else gathered.news(extra))
        again = msgspec.structs.replace(choice, delta=changed)
        remember(again, added_to(choice))
        return again

    def parse_partially(self) -> None:
        """Start computing partial parses; the texts of the events so far stay without."""
        self.parses_partially = True
        self._content.parse_partially()

    def flush(self) -> list[ChatCompletionStreamEvent[Any]]:
        """The event that openai-python leaves out if a call comes in one chunk with the finish reason."""
        events: list[ChatCompletionStreamEvent[Any]] = []
        if self.finish_reason and self._tool_calls is not None:
            self._tool_calls.end(events)
        return events

    def to_model(self, *, validate: bool) -> ParsedChoice[Any]:
        """The choice so far.

        Args:
            validate: whether what is parsed must be valid. If not, what is complete is validated, and what is
                incomplete or invalid parsed as far as it goes.

        Raises:
            Exception: whatever the libraries of the response format and of the tools' models raise.
        """
        reasoning = self._reasoning
        names = {} if reasoning is None else dict.fromkeys(reasoning.names, str(reasoning.text))
        calls = self._tool_calls
        message = ParsedChatCompletionMessage(
            role=self._role,
            content=str_or_none(self._content.text),
            refusal=str_or_none(self._content.refusal),
            parsed=self._content.value(validate=validate),
            tool_calls=None if calls is None else calls.to_models(validate=validate) or None,
            function_call=None if self._function_call is None else self._function_call.to_function_call(),
            audio=None if self._audio is None else self._audio.to_model(),
            annotations=None if self._annotations is None else self._annotations[:],
            **names,
        )
        choice = ParsedChoice(
            index=self.index,
            message=message,
            finish_reason=self.finish_reason,
            logprobs=self._content.logprobs(),
        )
        if self._message_extra:
            remember(message, self._message_extra.plain())
        if self._extra:
            remember(choice, self._extra.plain())
        return choice


class _Audio:
    """Spoken output, of which data and transcript grow."""

    __slots__ = ("_extra", "data", "expires_at", "id", "transcript")

    def __init__(self) -> None:
        self.id: str | None = None
        self.data: Text | None = None
        self.transcript: Text | None = None
        self.expires_at: int | None = None
        self._extra: Fields | None = None

    def add(self, fragment: ChoiceDeltaAudio) -> None:
        self.id = self.id or fragment.id
        self.data = _grown(self.data, fragment.data)
        self.transcript = _grown(self.transcript, fragment.transcript)
        self.expires_at = fragment.expires_at or self.expires_at
        if extra := added_to(fragment):
            if self._extra is None:
                self._extra = Fields()
            self._extra.merge(extra)

    def to_model(self) -> ChatCompletionAudio:
        audio = ChatCompletionAudio(
            id=self.id,
            data=str_or_none(self.data),
            transcript=str_or_none(self.transcript),
            expires_at=self.expires_at,
        )
        if self._extra is not None:
            remember(audio, self._extra.plain())
        return audio


def _grown(text: Text | None, fragment: str | None) -> Text | None:
    if fragment is None:
        return text
    if text is None:
        text = Text()
    text.add(fragment)
    return text

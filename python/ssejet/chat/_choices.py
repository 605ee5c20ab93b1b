"""One choice of a chat completion: what its chunks hold so far, and the events that each causes.

The order of the events is openai-python's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ssejet._answers.source import remember
from ssejet._answers.text import Text, str_or_none
from ssejet.chat._events import ContentDeltaEvent
from ssejet.chat._extra import CONTENT_PARTS, WholeChoice, gather, keep_latest
from ssejet.chat._models import (
    ChatCompletionAudio,
    ChoiceDeltaToolCall,
    ParsedChatCompletionMessage,
    ParsedChoice,
)
from ssejet.chat._reasoning import Reasoning
from ssejet.chat._tool_calls import CallFinder, ToolCall, ToolCalls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssejet._answers.parsed import Formats
    from ssejet.chat._content import Content
    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._extra import Fields
    from ssejet.chat._models import Annotation, Choice, ChoiceDelta, ChoiceDeltaAudio

__all__ = ["ChoiceState"]


class ChoiceState(msgspec.Struct, eq=False):
    """One choice so far.

    Attributes:
        index: of the choice.
        parses_partially: whether partial parses are computed. openai-python has none for a stream's first
            chunk, until the next chunk of the choice.
        finish_reason: the last that the server gave, or None.
    """

    index: int
    parses_partially: bool
    _formats: Formats
    _content: Content
    finish_reason: str | None = None
    _has_begun: bool = False
    _role: str | None = None
    _reasoning: Reasoning | None = None
    _tool_calls: ToolCalls | None = None
    _function_call: ToolCall | None = None
    _audio: _Audio | None = None
    _annotations: list[Annotation] | None = None
    # What the server added to the choice and to the message, if anything.
    _extra: Fields | None = None
    _message_extra: Fields | None = None

    def add(
        self, choice: Choice, events: list[ChatCompletionStreamEvent[Any]], may_have_extra: bool, /
    ) -> None:
        """Add what a chunk has of this choice, and append the events that it causes.

        Args:
            choice: the chunk's part.
            events: gets the events.
            may_have_extra: whether the server may have added fields.

        Raises:
            StreamError: a tool-call fragment could belong to several calls.
        """
        # This runs for each chunk: it looks at every field, and calls only for those that hold something.
        if not self.parses_partially:
            if self._has_begun:
                self._parse_partially()
            self._has_begun = True
        if may_have_extra:
            added = getattr(choice, "_sent", None)
            if type(added) is WholeChoice:
                choice = self._without_repeats(choice)
            if added:
                self._extra = keep_latest(self._extra, choice)
            if getattr(choice.delta, "_sent", None):
                self._message_extra = gather(self._message_extra, choice.delta, parts=CONTENT_PARTS)
        delta = choice.delta
        if self._role is None and delta.role is not None:
            self._role = delta.role
        reasoning = self._reasoning
        if delta.reasoning_content_slot is not None or delta.reasoning_slot is not None:
            if reasoning is None:
                reasoning = self._reasoning = Reasoning(Text(self.index))
            reasoning.add(delta, events)
        content = delta.content
        if content is not None:
            text = self._content.text
            if text is None:
                is_json = self.parses_partially and self._formats.content is not None
                text = self._content.text = Text(self.index, is_json)
            if reasoning is not None and reasoning.is_open and content:
                reasoning.end(events)
            text.parts.append(content)
            text.length = end = text.length + len(content)
            events.append(ContentDeltaEvent(text, end, content))
        if delta.refusal is not None:
            if delta.refusal and reasoning is not None and reasoning.is_open:
                reasoning.end(events)
            self._content.add_refusal(delta.refusal, events)
        fragments = delta.tool_calls
        touched: list[ToolCall] | None = None
        if fragments is not None and fragments:
            if reasoning is not None and reasoning.is_open:
                reasoning.end(events)
            if self._tool_calls is None:
                self._tool_calls = ToolCalls(self._formats.arguments, CallFinder(self.index))
            are_whole = may_have_extra and type(getattr(choice, "_sent", None)) is WholeChoice
            touched = self._tool_calls.add(
                fragments, events, parses=self.parses_partially, are_whole=are_whole
            )
        if choice.logprobs is not None:
            self._content.add_logprobs(choice.logprobs, events)
        if delta.audio is not None or delta.annotations is not None or delta.function_call is not None:
            self._add_rest(delta)
        if choice.finish_reason is not None and choice.finish_reason:
            self.finish_reason = choice.finish_reason
        if touched is not None or self.finish_reason is not None:
            self._end(touched or (), events)

    def _end(self, touched: Sequence[ToolCall], events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Append the events for what ends because of a finish reason, or because a call begins."""
        calls = self._tool_calls
        content = self._content
        has_text = content.text is not None or content.refusal is not None or content.has_logprobs
        if self.finish_reason:
            if self._reasoning is not None and self._reasoning.is_open:
                self._reasoning.end(events)
            if has_text:
                content.end(events)
        if calls is None:
            return
        if self.finish_reason:
            calls.end(events, completes=not touched)
        for call in touched:
            previous = calls.current
            if call is not previous:
                if has_text:
                    content.end(events)
                calls.current = call
                if previous is not None:
                    calls.leave(previous, events)
        if self.finish_reason and touched:
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
                self._function_call = ToolCall(0, Text(self.index))
            function = delta.function_call
            self._function_call.add(
                ChoiceDeltaToolCall(function=function), function.name or "", function.arguments or ""
            )

    def _without_repeats(self, choice: Choice) -> Choice:
        """What is new in a choice that holds the whole message so far.

        ``CallFinder`` does the same for the calls.
        """
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
        function = delta.function_call
        if function is not None and self._function_call is not None:
            rest = self._function_call.arguments.rest_of(function.arguments or "")
            if rest is not None:
                changes["function_call"] = msgspec.structs.replace(function, name=None, arguments=rest)
        if delta.annotations is not None and self._annotations is not None:
            changes["annotations"] = [each for each in delta.annotations if each not in self._annotations]
        extra = getattr(delta, "_sent", None)
        if not changes and not extra:
            return choice
        changed = msgspec.structs.replace(delta, **changes)
        if extra:
            gathered = self._message_extra
            remember(changed, extra if gathered is None else gathered.news(extra))
        again = msgspec.structs.replace(choice, delta=changed)
        msgspec.structs.force_setattr(again, "_sent", choice._sent)
        return again

    def _parse_partially(self) -> None:
        """Start to compute partial parses. The events so far have none."""
        self.parses_partially = True
        if self._formats.content is not None:
            self._content.parse_partially()

    def flush(self) -> list[ChatCompletionStreamEvent[Any]]:
        """The event that openai-python omits if a call and the finish reason come in one chunk."""
        events: list[ChatCompletionStreamEvent[Any]] = []
        if self.finish_reason and self._tool_calls is not None:
            self._tool_calls.end(events)
        return events

    def to_model(self, *, validate: bool) -> ParsedChoice[Any]:
        """The choice so far.

        Args:
            validate: whether what is parsed must be valid. If not, only what is complete and valid is
                validated, and the rest is parsed as far as possible.

        Raises:
            Exception: the error of the response format's or of a tool model's library.
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


class _Audio(msgspec.Struct, eq=False):
    """Spoken output, whose data and transcript grow."""

    id: str | None = None
    data: Text | None = None
    transcript: Text | None = None
    expires_at: int | None = None
    _extra: Fields | None = None

    def add(self, fragment: ChoiceDeltaAudio) -> None:
        self.id = self.id or fragment.id
        self.data = _grown(self.data, fragment.data)
        self.transcript = _grown(self.transcript, fragment.transcript)
        self.expires_at = fragment.expires_at or self.expires_at
        self._extra = gather(self._extra, fragment)

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
        return Text(begin=fragment)
    text.add(fragment)
    return text

"""One choice of a chat completion: what its chunks have given so far, and the events that each causes.

The order of the events is openai-python's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ssejet.chat.base import remember
from ssejet.chat.events import (
    ContentDeltaEvent,
    ContentDoneEvent,
    FunctionToolCallArgumentsDeltaEvent,
    FunctionToolCallArgumentsDoneEvent,
    LogprobsContentDeltaEvent,
    LogprobsContentDoneEvent,
    LogprobsRefusalDeltaEvent,
    LogprobsRefusalDoneEvent,
    ReasoningDeltaEvent,
    ReasoningDoneEvent,
    RefusalDeltaEvent,
    RefusalDoneEvent,
    ToolCallDeltaEvent,
    ToolCallDoneEvent,
)
from ssejet.chat.extra import copy_json, merge_extra, update_extra
from ssejet.chat.lenient import CONTENT_PARTS, WHOLE, join_parts
from ssejet.chat.models import (
    ChatCompletionAudio,
    ChoiceDeltaToolCall,
    ChoiceLogprobs,
    ParsedChatCompletionMessage,
    ParsedChoice,
)
from ssejet.chat.parsed import Parsed
from ssejet.chat.text import Text
from ssejet.chat.toolcalls import ToolCall, ToolCalls

if TYPE_CHECKING:
    from ssejet.chat.events import ChatCompletionStreamEvent
    from ssejet.chat.formats import Formats
    from ssejet.chat.models import (
        Annotation,
        ChatCompletionTokenLogprob,
        Choice,
        ChoiceDelta,
        ChoiceDeltaAudio,
        ParsedFunctionToolCall,
    )

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
        "_content_done",
        "_current_call",
        "_extra",
        "_formats",
        "_function_call",
        "_logprobs",
        "_message_extra",
        "_parsed_content",
        "_reasoning",
        "_reasoning_names",
        "_reasoning_open",
        "_refusal",
        "_refusal_done",
        "_role",
        "_tool_calls",
        "finish_reason",
        "index",
        "parses_partially",
    )

    def __init__(self, index: int, formats: Formats, *, parses_partially: bool) -> None:
        self.index: int = index
        self.finish_reason: str | None = None
        self._formats = formats
        self.parses_partially: bool = parses_partially
        self._role: str | None = None
        self._content: Text | None = None
        self._content_done = False
        self._parsed_content: Parsed | None = None
        self._refusal: Text | None = None
        self._refusal_done = False
        self._reasoning: Text | None = None
        self._reasoning_names: set[str] = set()
        self._reasoning_open = False
        self._tool_calls: ToolCalls | None = None
        self._current_call: ToolCall | None = None
        self._function_call: ToolCall | None = None
        self._audio: _Audio | None = None
        self._annotations: list[Annotation] | None = None
        self._logprobs: _Logprobs | None = None
        # What the server added to the choice and to the message, if anything.
        self._extra: dict[str, Any] = {}
        self._message_extra: dict[str, Any] = {}

    def add(self, choice: Choice, events: list[ChatCompletionStreamEvent]) -> None:
        """Take in what a chunk says of this choice, and append the events that it causes.

        Raises:
            StreamError: a tool-call fragment could belong to several calls.
        """
        # This runs once per chunk: it looks at every field, and calls only for those that hold something.
        delta = choice.delta
        if self._role is None and delta.role is not None:
            self._role = delta.role
        if delta.reasoning_content_slot is not None or delta.reasoning_slot is not None:
            self._add_reasoning(delta, events)
        content = delta.content
        if content is not None:
            text = self._content
            if text is None:
                text = self._content = Text(self.index, is_json=self._parses_content())
            if self._reasoning_open and content:
                self._end_reasoning(events)
            text.parts.append(content)
            text.length = end = text.length + len(content)
            events.append(ContentDeltaEvent(content, text, end))
        if delta.refusal is not None:
            self._add_refusal(delta.refusal, events)
        fragments = delta.tool_calls
        calls = self._add_tool_calls(fragments, events) if fragments else ()
        if choice.logprobs is not None:
            self._add_logprobs(choice.logprobs, events)
        if delta.audio is not None or delta.annotations is not None or delta.function_call is not None:
            self._add_rest(delta)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        if self.finish_reason:
            self._finish(events)
        for call in calls:
            self._turn_to(call, events)
        if self.finish_reason:
            self._complete_calls(events)

    def what_is_new(self, choice: Choice) -> Choice:
        """Of a choice that holds the whole message so far, what the deltas before it did not give."""
        extra = {name: value for name, value in choice.extra.items() if name != WHOLE}
        delta = choice.delta
        changes = {}
        for name, before in (
            ("content", self._content),
            ("refusal", self._refusal),
            ("reasoning_content", self._reasoning),
            ("reasoning", self._reasoning),
        ):
            value = getattr(delta, f"{name}_slot" if name.startswith("reasoning") else name)
            text = _str_or_none(before)
            if value and text and value.startswith(text):
                changes[name] = value[len(text) :] or None
        if changes:
            kept = delta.extra
            delta = msgspec.structs.replace(delta, **changes)
            remember(delta, kept)
        choice = msgspec.structs.replace(choice, delta=delta)
        remember(choice, extra)
        return choice

    def add_extra(self, choice: Choice) -> None:
        """Take in the fields that the server added to this choice and its delta."""
        update_extra(self._extra, choice.extra)
        extra = choice.delta.extra
        join_parts(self._message_extra, extra.pop(CONTENT_PARTS, ()))
        merge_extra(self._message_extra, extra)

    def flush(self) -> list[ChatCompletionStreamEvent]:
        """The event that openai-python leaves out if a call comes in one chunk with the finish reason."""
        events: list[ChatCompletionStreamEvent] = []
        if self.finish_reason and self._current_call is not None:
            self._end_call(self._current_call, events)
        return events

    def parse_partially(self) -> None:
        """Start computing partial parses; the texts of the events so far stay without."""
        self.parses_partially = True
        if self._content is not None:
            self._content = self._content.fork(is_json=self._parses_content())

    def to_model(self, *, validate: bool) -> ParsedChoice[Any]:
        """The choice so far.

        Args:
            validate: whether what is parsed must be valid. If not, what is complete is validated, and what is
                incomplete or invalid parsed as far as it goes.

        Raises:
            Exception: whatever the libraries of the response format and of the tools' models raise.
        """
        reasoning = _str_or_none(self._reasoning)
        message = ParsedChatCompletionMessage(
            role=self._role,
            content=_str_or_none(self._content),
            refusal=_str_or_none(self._refusal),
            parsed=self._content_value(validate=validate),
            tool_calls=[self._call_model(call, validate=validate) for call in self._tool_calls or ()] or None,
            function_call=None if self._function_call is None else self._function_call.to_function_call(),
            audio=None if self._audio is None else self._audio.to_model(),
            annotations=None if self._annotations is None else self._annotations[:],
            **dict.fromkeys(self._reasoning_names, reasoning),
        )
        choice = ParsedChoice(
            index=self.index,
            message=message,
            finish_reason=self.finish_reason,
            logprobs=None if self._logprobs is None else self._logprobs.to_model(),
        )
        for model, extra in ((message, self._message_extra), (choice, self._extra)):
            if extra:
                remember(model, copy_json(extra))
        return choice

    # What a chunk adds.

    def _add_reasoning(self, delta: ChoiceDelta, events: list[ChatCompletionStreamEvent]) -> None:
        if delta.reasoning_content_slot is not None:
            self._reasoning_names.add("reasoning_content")
        if delta.reasoning_slot is not None:
            self._reasoning_names.add("reasoning")
        text = self._reasoning
        if text is None:
            text = self._reasoning = Text(self.index)
        fragment = delta.reasoning_content or delta.reasoning
        if fragment:
            self._reasoning_open = True
            events.append(ReasoningDeltaEvent(fragment, text, text.add(fragment)))

    def _add_refusal(self, refusal: str, events: list[ChatCompletionStreamEvent]) -> None:
        text = self._refusal
        if text is None:
            text = self._refusal = Text(self.index)
        if refusal:
            self._end_reasoning(events)
            if self._content is not None and self._content.is_json:
                self._content = self._content.fork(is_json=False)
        events.append(RefusalDeltaEvent(refusal, text, text.add(refusal)))

    def _add_tool_calls(
        self, fragments: list[ChoiceDeltaToolCall], events: list[ChatCompletionStreamEvent]
    ) -> list[ToolCall]:
        if self._tool_calls is None:
            self._tool_calls = ToolCalls(self.index)
        self._end_reasoning(events)
        calls, deltas = [], []
        for fragment in fragments:
            call = self._tool_calls.find(fragment)
            calls.append(call)
            deltas.append(call.add(fragment))
            if self._parses_arguments(call) and not call.arguments.is_json:
                call.arguments = call.arguments.fork(is_json=True)
        # openai-python's events tell of the whole chunk, also if it holds several fragments of one call.
        for call, delta in zip(calls, deltas, strict=True):
            text = call.arguments
            if call.is_function:
                events.append(
                    FunctionToolCallArgumentsDeltaEvent(call.name, call.index, delta, text, text.length)
                )
            events.append(ToolCallDeltaEvent(delta, call.index, call.id, call.name, text, text.length))
        return calls

    def _add_logprobs(self, logprobs: ChoiceLogprobs, events: list[ChatCompletionStreamEvent]) -> None:
        if self._logprobs is None:
            self._logprobs = _Logprobs(logprobs)
        content, refusal = self._logprobs.add(logprobs)
        if logprobs.content:
            events.append(LogprobsContentDeltaEvent(logprobs.content, content, len(content), self.index))
        if logprobs.refusal:
            events.append(LogprobsRefusalDeltaEvent(logprobs.refusal, refusal, len(refusal), self.index))

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
            self._function_call.add(ChoiceDeltaToolCall(function=delta.function_call))

    # What has ended.

    def _finish(self, events: list[ChatCompletionStreamEvent]) -> None:
        self._end_reasoning(events)
        self._end_content(events)
        for call in self._tool_calls or ():
            if call.deferred or call is self._current_call:
                self._end_call(call, events)

    def _turn_to(self, call: ToolCall, events: list[ChatCompletionStreamEvent]) -> None:
        previous = self._current_call
        if previous is call:
            return
        self._end_content(events)
        self._current_call = call
        if previous is None:
            return
        if self._may_be_ended(previous):
            self._end_call(previous, events)
        else:
            previous.deferred = True
        if not previous.done and previous.arguments.is_complete_json():
            self._complete_call(previous, events)

    def _may_be_ended(self, call: ToolCall) -> bool:
        # openai-python ends a call when the next begins. If its arguments must be parsed and cannot be,
        # because the server interleaves its calls, it fails; we wait.
        if call.ended or self._formats.arguments.get(call.name) is None:
            return True
        if not call.arguments.is_complete_json():
            return False
        try:
            call.parsed(self._formats.arguments).get()
        except Exception:  # of the model's library; reading the event raises it again
            return False
        return True

    def _end_reasoning(self, events: list[ChatCompletionStreamEvent]) -> None:
        if self._reasoning_open:
            self._reasoning_open = False
            events.append(ReasoningDoneEvent(str(self._reasoning), self.index))

    def _end_content(self, events: list[ChatCompletionStreamEvent]) -> None:
        if self._content is not None and self._content.length and not self._content_done:
            self._content_done = True
            parsed = self._parse_content(str(self._content))
            events.append(ContentDoneEvent(parsed.text, parsed, self.index))
        if self._refusal is not None and not self._refusal_done:
            self._refusal_done = True
            events.append(RefusalDoneEvent(str(self._refusal), self.index))
        logprobs = self._logprobs
        if logprobs is not None:
            if logprobs.content is not None and not logprobs.content_done:
                logprobs.content_done = True
                events.append(LogprobsContentDoneEvent(logprobs.content[:], self.index))
            if logprobs.refusal is not None and not logprobs.refusal_done:
                logprobs.refusal_done = True
                events.append(LogprobsRefusalDoneEvent(logprobs.refusal[:], self.index))

    def _end_call(self, call: ToolCall, events: list[ChatCompletionStreamEvent]) -> None:
        if call.ended:
            return
        call.ended = True
        if call.is_function:
            parsed = call.parsed(self._formats.arguments)
            events.append(
                FunctionToolCallArgumentsDoneEvent(call.name, call.index, parsed.text, parsed, self.index)
            )

    def _complete_calls(self, events: list[ChatCompletionStreamEvent]) -> None:
        for call in self._tool_calls or ():
            self._complete_call(call, events)

    def _complete_call(self, call: ToolCall, events: list[ChatCompletionStreamEvent]) -> None:
        if call.done:
            return
        call.done = True
        parsed = call.parsed(self._formats.arguments)
        events.append(
            ToolCallDoneEvent(
                call.id, call.index, call.name, parsed.text, parsed if call.is_function else None, self.index
            )
        )

    # What is parsed.

    def _parses_content(self) -> bool:
        return self.parses_partially and self._formats.content is not None

    def _parses_arguments(self, call: ToolCall) -> bool:
        return self.parses_partially and self._formats.arguments.get(call.name) is not None

    def _parse_content(self, text: str) -> Parsed:
        if self._parsed_content is None or self._parsed_content.text != text:
            refused = self._refusal is not None and self._refusal.length
            self._parsed_content = Parsed(text, None if refused else self._formats.content)
        return self._parsed_content

    def _content_value(self, *, validate: bool) -> Any:
        text = self._content
        if text is None or not text.length:
            return None
        if validate:
            return self._parse_content(str(text)).get()
        return _best_value(self._parse_content(str(text)) if self._content_done else None, text)

    def _call_model(self, call: ToolCall, *, validate: bool) -> ParsedFunctionToolCall:
        if validate:
            return call.to_model(call.parsed(self._formats.arguments).get())
        return call.to_model(
            _best_value(call.parsed(self._formats.arguments) if call.ended else None, call.arguments)
        )


def _best_value(complete: Parsed | None, text: Text) -> Any:
    """What is valid, or else what there is."""
    if complete is not None:
        try:
            return complete.get()
        except Exception:  # whatever the response format's or the model's library raises
            pass
    return text.value(text.length)


class _Logprobs:
    """Log probabilities; a list is None until the server sends it."""

    __slots__ = ("content", "content_done", "refusal", "refusal_done")

    def __init__(self, first: ChoiceLogprobs) -> None:
        self.content: list[ChatCompletionTokenLogprob] | None = None if first.content is None else []
        self.refusal: list[ChatCompletionTokenLogprob] | None = None if first.refusal is None else []
        self.content_done = self.refusal_done = False

    def add(
        self, more: ChoiceLogprobs
    ) -> tuple[list[ChatCompletionTokenLogprob], list[ChatCompletionTokenLogprob]]:
        """Take more in, and return all of the content's and all of the refusal's."""
        if more.content:
            self.content = self.content or []
            self.content += more.content
        if more.refusal:
            self.refusal = self.refusal or []
            self.refusal += more.refusal
        return self.content or [], self.refusal or []

    def to_model(self) -> ChoiceLogprobs:
        return ChoiceLogprobs(
            content=None if self.content is None else self.content[:],
            refusal=None if self.refusal is None else self.refusal[:],
        )


class _Audio:
    """Spoken output, of which data and transcript grow."""

    __slots__ = ("data", "expires_at", "id", "transcript")

    def __init__(self) -> None:
        self.id: str | None = None
        self.data: Text | None = None
        self.transcript: Text | None = None
        self.expires_at: int | None = None

    def add(self, fragment: ChoiceDeltaAudio) -> None:
        self.id = self.id or fragment.id
        self.data = _grown(self.data, fragment.data)
        self.transcript = _grown(self.transcript, fragment.transcript)
        self.expires_at = fragment.expires_at or self.expires_at

    def to_model(self) -> ChatCompletionAudio:
        return ChatCompletionAudio(
            id=self.id,
            data=_str_or_none(self.data),
            transcript=_str_or_none(self.transcript),
            expires_at=self.expires_at,
        )


def _grown(text: Text | None, fragment: str | None) -> Text | None:
    if fragment is None:
        return text
    if text is None:
        text = Text()
    text.add(fragment)
    return text


def _str_or_none(text: Text | None) -> str | None:
    return None if text is None else str(text)

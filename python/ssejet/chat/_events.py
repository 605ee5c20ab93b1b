"""The events of a chat stream: openai-python's, with its names and fields, and a few more.

An event holds what is new in its chunk. What came before, such as the text so far and its JSON, is computed
when it is read, and is always as it was at the event. Only ``ChunkEvent.snapshot`` is the newest one, as in
openai-python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeAlias

import msgspec

from ssejet._json import dump_builtins, to_json_types
from ssejet.chat._models import (
    ChatCompletionChunk,
    ChatCompletionTokenLogprob,
    ParsedChatCompletion,
    ParsedFunction,
    ResponseFormatT,
)

if TYPE_CHECKING:
    from ssejet._answers.parsed import Parsed
    from ssejet._answers.text import Prefix, Text

__all__ = [
    "EVENT_TYPES",
    "ChatCompletionStreamEvent",
    "ChunkEvent",
    "ContentDeltaEvent",
    "ContentDoneEvent",
    "FunctionToolCallArgumentsDeltaEvent",
    "FunctionToolCallArgumentsDoneEvent",
    "LogprobsContentDeltaEvent",
    "LogprobsContentDoneEvent",
    "LogprobsRefusalDeltaEvent",
    "LogprobsRefusalDoneEvent",
    "ReasoningDeltaEvent",
    "ReasoningDoneEvent",
    "RefusalDeltaEvent",
    "RefusalDoneEvent",
    "ToolCallDeltaEvent",
    "ToolCallDoneEvent",
]


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event: it has a ``type``, and ``fields``, the names of its other fields.

    All but ``chunk`` also have ``choice_index``, the index of the choice, if there are several (n > 1).
    Match them by keyword: ``case ContentDeltaEvent(delta=new, snapshot=text)``.
    """

    type: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """The type and the fields, as JSON types."""
        fields = {name: to_json_types(getattr(self, name)) for name in self.fields}
        return {"type": self.type, **fields}

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text of ``to_dict()``.

        Args:
            indent: spaces per level; None writes one line.
        """
        return dump_builtins(self.to_dict(), indent)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.fields)
        return f"{type(self).__name__}({fields})"


class _OfText(Event, frozen=True):
    """Mixin: an event about a text of the stream. It remembers the length that the text had."""

    _text: Text
    _end: int

    @property
    def choice_index(self) -> int:
        """The index of the choice."""
        return self._text.choice_index


class _TextDelta(_OfText, frozen=True):
    """Mixin: new characters of a text."""

    fields: ClassVar[tuple[str, ...]] = ("delta", "snapshot")

    delta: str

    @property
    def snapshot(self) -> str:
        """The text so far."""
        return self._text.prefix(self._end)


class HasSnapshot(Protocol[ResponseFormatT]):
    """An object that puts a completion together."""

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion so far."""


class ChunkEvent(Event, Generic[ResponseFormatT], frozen=True):
    """A chunk arrived. This is the first event of each chunk.

    Attributes:
        chunk: as the stream gave it.
        snapshot: the completion as it is now.
    """

    type: ClassVar[Literal["chunk"]] = "chunk"
    fields: ClassVar[tuple[str, ...]] = ("chunk", "snapshot")

    chunk: ChatCompletionChunk
    _state: HasSnapshot[ResponseFormatT]

    @property
    def snapshot(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion as it is now."""
        return self._state.current_completion_snapshot


class ContentDeltaEvent(_TextDelta, frozen=True):
    """More of the answer's text.

    Attributes:
        delta: the new text.
        snapshot: the text so far.
        parsed: with a class as ``response_format``, the JSON value of the text so far, which is not yet an
            instance of the class. An unfinished string, number or literal is left out. None if there is no
            value yet, or if the text is not JSON. Do not change it: later events share its finished parts.
    """

    type: ClassVar[Literal["content.delta"]] = "content.delta"
    fields: ClassVar[tuple[str, ...]] = ("delta", "snapshot", "parsed")

    @property
    def parsed(self) -> object:
        """The JSON value of the text so far."""
        return self._text.value(self._end, self.delta)


class ContentDoneEvent(_OfText, Generic[ResponseFormatT], frozen=True):
    """The answer's text is complete, or a tool call follows it.

    Attributes:
        content: the text.
        parsed: an instance of the ``response_format``; None without one, and after a refusal. Reading it
            validates the text, and raises what the ``response_format``'s library raises if it does not fit.
    """

    type: ClassVar[Literal["content.done"]] = "content.done"
    fields: ClassVar[tuple[str, ...]] = ("content", "parsed")

    _parsed: Parsed[ResponseFormatT]

    @property
    def content(self) -> str:
        """The text."""
        return self._text.prefix(self._end)

    @property
    def parsed(self) -> ResponseFormatT | None:
        """The text as an instance of the response format."""
        return self._parsed.get()


class RefusalDeltaEvent(_TextDelta, frozen=True):
    """More of a refusal: ``delta`` is the new text, ``snapshot`` the text so far."""

    type: ClassVar[Literal["refusal.delta"]] = "refusal.delta"


class RefusalDoneEvent(_OfText, frozen=True):
    """The refusal is complete; ``refusal`` is its text."""

    type: ClassVar[Literal["refusal.done"]] = "refusal.done"
    fields: ClassVar[tuple[str, ...]] = ("refusal",)

    @property
    def refusal(self) -> str:
        """The text of the refusal."""
        return self._text.prefix(self._end)


class ReasoningDeltaEvent(_TextDelta, frozen=True):
    """More of the model's reasoning: ``delta`` is the new text, ``snapshot`` the text so far.

    The server may send it as ``reasoning_content`` or as ``reasoning``.
    """

    type: ClassVar[Literal["reasoning.delta"]] = "reasoning.delta"


class ReasoningDoneEvent(_OfText, frozen=True):
    """The reasoning has stopped, for now: ``reasoning`` is all of it so far."""

    type: ClassVar[Literal["reasoning.done"]] = "reasoning.done"
    fields: ClassVar[tuple[str, ...]] = ("reasoning",)

    @property
    def reasoning(self) -> str:
        """All of the reasoning so far."""
        return self._text.prefix(self._end)


class FunctionToolCallArgumentsDeltaEvent(_OfText, frozen=True):
    """More of a function call's arguments.

    Attributes:
        name: of the function; ``""`` if the server has not sent it yet.
        index: of the call.
        arguments: the JSON text so far.
        parsed_arguments: if the tool is strict, the JSON value so far, like ``ContentDeltaEvent.parsed``.
        arguments_delta: the new text.
    """

    type: ClassVar[Literal["tool_calls.function.arguments.delta"]] = "tool_calls.function.arguments.delta"
    fields: ClassVar[tuple[str, ...]] = ("name", "index", "arguments", "parsed_arguments", "arguments_delta")

    _name: str | Prefix
    index: int
    arguments_delta: str

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self._name)

    @property
    def arguments(self) -> str:
        """The JSON text so far."""
        return self._text.prefix(self._end)

    @property
    def parsed_arguments(self) -> object:
        """The JSON value of the arguments so far."""
        return self._text.value(self._end, self.arguments_delta)


class FunctionToolCallArgumentsDoneEvent(_OfText, frozen=True):
    """A function call has ended, by openai-python's rule: the next one began, or the answer finished.

    If a server interleaves calls, it may come too early. ``ToolCallDoneEvent`` comes when a call is complete.

    Attributes:
        name: of the function.
        index: of the call.
        arguments: the JSON text.
        parsed_arguments: if the tool is strict, the arguments as its type, or as JSON if it has none; else
            None. Reading it validates the text, and raises what the type's library raises if it does not fit.
    """

    type: ClassVar[Literal["tool_calls.function.arguments.done"]] = "tool_calls.function.arguments.done"
    fields: ClassVar[tuple[str, ...]] = ("name", "index", "arguments", "parsed_arguments")

    name: str
    index: int
    _parsed: Parsed[Any]

    @property
    def arguments(self) -> str:
        """The JSON text."""
        return self._text.prefix(self._end)

    @property
    def parsed_arguments(self) -> Any:
        """The arguments, parsed."""
        return self._parsed.get()


class ToolCallDeltaEvent(_TextDelta, frozen=True):
    """More of a tool call, of a function or of a custom tool.

    Attributes:
        delta: the new text of the arguments, or of a custom tool's input.
        snapshot: that text so far.
        index: of the call.
        id: of the call; ``""`` if the server has not sent it yet.
        name: of the tool; ``""`` if the server has not sent it yet.
    """

    type: ClassVar[Literal["tool_calls.delta"]] = "tool_calls.delta"
    fields: ClassVar[tuple[str, ...]] = ("delta", "snapshot", "index", "id", "name")

    index: int
    id: str
    _name: str | Prefix

    @property
    def name(self) -> str:
        """The tool's name."""
        return str(self._name)


class ToolCallDoneEvent(_OfText, frozen=True):
    """A tool call is complete. Each call has one of these.

    It comes when another call begins and the arguments are complete JSON, or at the end.

    Attributes:
        parsed_function: the function, with its arguments parsed if the tool is strict; None for a custom
            tool. Reading it validates the text, and raises what the model's library raises if that fails.
        id: of the call.
        index: of the call.
        name: of the tool.
        arguments: the JSON text, or a custom tool's input.
    """

    type: ClassVar[Literal["tool_calls.done"]] = "tool_calls.done"
    fields: ClassVar[tuple[str, ...]] = ("parsed_function", "id", "index", "name", "arguments")

    id: str
    index: int
    name: str
    _parsed: Parsed[Any] | None

    @property
    def arguments(self) -> str:
        """The JSON text, or a custom tool's input."""
        return self._text.prefix(self._end)

    @property
    def parsed_function(self) -> ParsedFunction[Any] | None:
        """The function, with its arguments parsed."""
        if self._parsed is None:
            return None
        return ParsedFunction(name=self.name, arguments=self.arguments, parsed_arguments=self._parsed.get())


class _LogprobsDelta(Event, frozen=True):
    """Mixin: more log probabilities."""

    choice_index: int
    _all: list[ChatCompletionTokenLogprob]
    _end: int

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """All so far."""
        return self._all[: self._end]


class LogprobsContentDeltaEvent(_LogprobsDelta, frozen=True):
    """More log probabilities of the answer: ``content`` is new, ``snapshot`` is all so far."""

    type: ClassVar[Literal["logprobs.content.delta"]] = "logprobs.content.delta"
    fields: ClassVar[tuple[str, ...]] = ("content", "snapshot")

    content: list[ChatCompletionTokenLogprob]


class LogprobsContentDoneEvent(Event, frozen=True):
    """All of the answer's log probabilities."""

    type: ClassVar[Literal["logprobs.content.done"]] = "logprobs.content.done"
    fields: ClassVar[tuple[str, ...]] = ("content",)

    choice_index: int
    content: list[ChatCompletionTokenLogprob]


class LogprobsRefusalDeltaEvent(_LogprobsDelta, frozen=True):
    """More log probabilities of the refusal: ``refusal`` is new, ``snapshot`` is all so far."""

    type: ClassVar[Literal["logprobs.refusal.delta"]] = "logprobs.refusal.delta"
    fields: ClassVar[tuple[str, ...]] = ("refusal", "snapshot")

    refusal: list[ChatCompletionTokenLogprob]


class LogprobsRefusalDoneEvent(Event, frozen=True):
    """All of the refusal's log probabilities."""

    type: ClassVar[Literal["logprobs.refusal.done"]] = "logprobs.refusal.done"
    fields: ClassVar[tuple[str, ...]] = ("refusal",)

    choice_index: int
    refusal: list[ChatCompletionTokenLogprob]


# Generic in the response format; without one, it is any.
ChatCompletionStreamEvent: TypeAlias = (
    ChunkEvent[ResponseFormatT]
    | ContentDeltaEvent
    | ContentDoneEvent[ResponseFormatT]
    | RefusalDeltaEvent
    | RefusalDoneEvent
    | ReasoningDeltaEvent
    | ReasoningDoneEvent
    | FunctionToolCallArgumentsDeltaEvent
    | FunctionToolCallArgumentsDoneEvent
    | ToolCallDeltaEvent
    | ToolCallDoneEvent
    | LogprobsContentDeltaEvent
    | LogprobsContentDoneEvent
    | LogprobsRefusalDeltaEvent
    | LogprobsRefusalDoneEvent
)

EVENT_TYPES: dict[str, type[Event]] = {
    event.type: event
    for event in (getattr(each, "__origin__", each) for each in ChatCompletionStreamEvent.__args__)
}

"""The state behind openai-python's ``chat.completions.stream()``, with a constant cost per chunk.

For every chunk, openai-python dumps and rebuilds the whole message, and parses all of its JSON. This module
only adds the text of a chunk to a copy of the message, so that messages which the user kept do not change. A
chunk that contains more than text goes to openai-python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jiter import from_json
from openai.lib._parsing import get_input_tool_by_name
from openai.lib.streaming.chat import (
    ChatCompletionStreamState,
    ChunkEvent,
    ContentDeltaEvent,
    FunctionToolCallArgumentsDeltaEvent,
    RefusalDeltaEvent,
)
from openai.lib.streaming.chat._types import ParsedChatCompletionMessageSnapshot
from openai.types.chat import ChatCompletionChunk, ParsedFunction, ParsedFunctionToolCall
from openai.types.chat.chat_completion_chunk import (
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)

from ssejet._answers.text import PartialJSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openai._models import BaseModel

__all__ = ["LinearState"]

_MAX_ESCAPE_LENGTH = len(r"\ud83d\ude00")

_new = object.__new__
_set = object.__setattr__

_MESSAGE_FIELDS = frozenset(ParsedChatCompletionMessageSnapshot.model_fields)
_DUMPED_FIELDS = _MESSAGE_FIELDS - {"parsed"}
_CALL_FIELDS = frozenset(ParsedFunctionToolCall.model_fields)
_FUNCTION_FIELDS = frozenset(ParsedFunction.model_fields) - {"parsed_arguments"}
_TEXT_FIELDS = ("content", "refusal", "role")
_OTHER_FIELDS = _DUMPED_FIELDS - {*_TEXT_FIELDS, "tool_calls"}


class _Step(NamedTuple):
    """What one choice of a chunk changes: the new message, and the fragments of tool calls in it."""

    choice: Any
    snapshot: Any
    message: Any
    fragments: list[Any] | None


class LinearState(ChatCompletionStreamState[Any]):
    """openai-python's state, but it handles chunks that only add text itself."""

    _texts: dict[Any, PartialJSON]

    @classmethod
    def of(cls, state: ChatCompletionStreamState[Any]) -> ChatCompletionStreamState[Any]:
        """Convert openai-python's own state. A subclass of it is returned unchanged."""
        if type(state) is not ChatCompletionStreamState:
            return state
        self = _new(cls)
        vars(self).update(vars(state))
        self._texts = {}
        return self

    def handle_chunk(self, chunk: ChatCompletionChunk) -> Iterable[Any]:
        """Add a chunk, and return its events."""
        completion = self._ChatCompletionStreamState__current_completion_snapshot  # type: ignore[attr-defined]
        steps = self._steps(completion, chunk)
        if steps is None:
            return super().handle_chunk(chunk)
        values = completion.__dict__
        values["usage"] = chunk.usage
        values["system_fingerprint"] = chunk.system_fingerprint
        completion.__pydantic_fields_set__ |= _FIELDS_FROM_CHUNK
        events = [_event(ChunkEvent, {"type": "chunk", "chunk": chunk, "snapshot": completion})]
        for step in steps:
            step.snapshot.__dict__["message"] = step.message
            self._add_events(step, events)
        return events

    def _steps(self, completion: Any, chunk: Any) -> list[_Step] | None:
        """Compute the changes of a chunk without applying them; None if openai-python must handle it."""
        if (
            completion is None
            or type(chunk) is not ChatCompletionChunk
            or getattr(chunk, "moderation", None) is not None
        ):
            return None
        steps = []
        for choice in chunk.choices:
            step = self._step(completion.choices, choice)
            if step is None:
                return None
            steps.append(step)
        if len(steps) > 1 and len({step.choice.index for step in steps}) < len(steps):
            return None
        return steps

    def _step(self, snapshots: list[Any], choice: Any) -> _Step | None:
        if type(choice) is not Choice or choice.finish_reason or choice.logprobs is not None:
            return None
        index, delta = choice.index, choice.delta
        if type(index) is not int or not 0 <= index < len(snapshots) or type(delta) is not ChoiceDelta:
            return None
        snapshot = snapshots[index]
        message = snapshot.message
        if (
            snapshot.finish_reason
            or type(message) is not ParsedChatCompletionMessageSnapshot
            or not message.__pydantic_fields_set__ >= _DUMPED_FIELDS
        ):
            return None
        values = _with_delta(message.__dict__, delta.__dict__)
        if values is None or any(values[name] is not None for name in _OTHER_FIELDS):
            return None
        extra: Any = message.__pydantic_extra__
        if delta.__pydantic_extra__:
            extra = _with_extra_delta(extra, delta.__pydantic_extra__)
            if extra is None:
                return None
        fields_set = set(_DUMPED_FIELDS)
        fragments = delta.tool_calls
        if values["tool_calls"] is not None or fragments is not None:
            tool_calls = self._tool_calls(index, values["tool_calls"] or [], fragments)
            if tool_calls is None:
                return None
            values["tool_calls"] = tool_calls
        values["parsed"] = None
        content = values["content"]
        if (
            content
            and not values["refusal"]
            and isinstance(self._rich_response_format, type)
            and content.strip()
        ):
            values["parsed"] = self._parsed(index, content)
            if values["parsed"] is None:
                return None
            fields_set.add("parsed")
        return _Step(
            choice,
            snapshot,
            _model(ParsedChatCompletionMessageSnapshot, values, extra, fields_set),
            fragments,
        )

    def _tool_calls(self, choice: int, calls: list[Any], fragments: list[Any] | None) -> list[Any] | None:
        """Copy the tool calls and add the fragments; None if openai-python must handle the chunk."""
        if not calls:
            return None
        grown = list(calls)
        for position, call in enumerate(calls):
            if not _has_all_fields(call):
                return None
            if "parsed_arguments" not in call.function.__pydantic_fields_set__:
                grown[position] = _with_function(call, call.function.__dict__)
        for fragment in fragments or ():
            if (
                type(fragment) is not ChoiceDeltaToolCall
                or type(fragment.function) is not ChoiceDeltaToolCallFunction
            ):
                return None
            position = fragment.index
            if type(position) is not int or not 0 <= position < len(grown):
                return None
            call = _with_fragment(grown[position], fragment)
            if call is None:
                return None
            grown[position] = call
        for fragment in fragments or ():
            position = fragment.index
            function = grown[position].function
            tool = get_input_tool_by_name(input_tools=self._input_tools, name=function.name)
            if tool and tool.get("function", {}).get("strict") and function.arguments:
                parsed = self._parsed((choice, position), function.arguments)
                if parsed is None:
                    return None
                function.__dict__["parsed_arguments"] = parsed
        return grown

    def _parsed(self, key: Any, text: str) -> Any:
        """Parse the new end of a partial JSON text; None if openai-python must parse it."""
        partial = self._texts.get(key)
        if partial is None:
            partial = self._texts[key] = PartialJSON()
        parsed_length = partial.length
        partial.feed(text[parsed_length:])
        if partial.broken:
            return None
        if "\\" in text[max(0, parsed_length - _MAX_ESCAPE_LENGTH) :]:
            try:  # jiter rejects an invalid escape even in an unfinished string
                return from_json(text.encode(), partial_mode=True)
            except ValueError:
                return None
        return partial.value()

    def _add_events(self, step: _Step, events: list[Any]) -> None:
        delta, message = step.choice.delta, step.message
        state = self._get_choice_state(step.choice)
        if delta.content is not None:
            values = {
                "type": "content.delta",
                "delta": delta.content,
                "snapshot": message.content,
                "parsed": message.parsed,
            }
            events.append(_event(ContentDeltaEvent, values))
        if delta.refusal is not None:
            values = {"type": "refusal.delta", "delta": delta.refusal, "snapshot": message.refusal}
            events.append(_event(RefusalDeltaEvent, values))
        if not step.fragments:
            return
        for fragment in step.fragments:
            function = message.tool_calls[fragment.index].function
            values = {
                "type": "tool_calls.function.arguments.delta",
                "name": function.name,
                "index": fragment.index,
                "arguments": function.arguments,
                "parsed_arguments": function.parsed_arguments,
                "arguments_delta": fragment.function.arguments or "",
            }
            events.append(_event(FunctionToolCallArgumentsDeltaEvent, values))
        events += state.get_done_events(
            choice_chunk=step.choice, choice_snapshot=step.snapshot, response_format=self._response_format
        )


_FIELDS_FROM_CHUNK = {"usage", "system_fingerprint"}


def _model(cls: type[BaseModel], values: dict[str, Any], extra: Any, fields_set: set[str]) -> Any:
    """Create a model without validation, as ``construct`` does."""
    model = _new(cls)
    _set(model, "__dict__", values)
    _set(model, "__pydantic_private__", None)
    _set(model, "__pydantic_extra__", extra)
    _set(model, "__pydantic_fields_set__", fields_set)
    return model


def _event(cls: type[BaseModel], values: dict[str, Any]) -> Any:
    return _model(cls, values, {}, set(values))


def _with_delta(message: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any] | None:
    """Copy a message's fields and add a delta's text; None if the delta contains more than text."""
    values = message.copy()
    for name in _TEXT_FIELDS:
        text = delta[name]
        if text is not None:
            before = message[name]
            if type(text) is not str or (before is not None and type(before) is not str):
                return None
            values[name] = text if before is None else before + text
    if delta["function_call"] is not None or delta.get("audio") is not None:
        return None
    return values


def _with_extra_delta(extra: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any] | None:
    values = extra.copy()
    for name, text in delta.items():
        if name not in extra:
            return None
        if text is not None:
            before = extra[name]
            if type(text) is not str or (before is not None and type(before) is not str):
                return None
            values[name] = text if before is None else before + text
    return values


def _has_all_fields(call: Any) -> bool:
    """Whether fragments can only add text to a tool call, because all its fields are set."""
    if type(call) is not ParsedFunctionToolCall or type(call.function) is not ParsedFunction:
        return False
    return (
        call.type == "function"
        and type(call.id) is type(call.function.name) is type(call.function.arguments) is str
        and call.__pydantic_fields_set__ >= _CALL_FIELDS
        and call.function.__pydantic_fields_set__ >= _FUNCTION_FIELDS
    )


def _with_fragment(call: Any, fragment: Any) -> Any:
    """Copy a tool call and add a fragment; None if the fragment contains more than text."""
    if fragment.__pydantic_extra__ or fragment.function.__pydantic_extra__:
        return None
    if fragment.type != call.type and "type" in fragment.__pydantic_fields_set__:
        return None
    function = call.function.__dict__.copy()
    for name in ("arguments", "name"):
        text = getattr(fragment.function, name)
        if text is not None:
            if type(text) is not str:
                return None
            function[name] += text
    grown = _with_function(call, function)
    if fragment.id is not None:
        if type(fragment.id) is not str:
            return None
        grown.__dict__["id"] += fragment.id
    return grown


def _with_function(call: Any, function: dict[str, Any]) -> Any:
    old = call.function
    fields_set = old.__pydantic_fields_set__ | {"parsed_arguments"}
    values = {**call.__dict__, "function": _model(type(old), function, old.__pydantic_extra__, fields_set)}
    return _model(type(call), values, call.__pydantic_extra__, call.__pydantic_fields_set__)

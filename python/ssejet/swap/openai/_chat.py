"""The state behind openai-python's ``chat.completions.stream()``, with a constant cost per chunk.

For every chunk, openai-python dumps and rebuilds the whole message, and parses all of its JSON. This module
only adds the text of a chunk to a copy of the message, so that messages which the user kept do not change. A
chunk that contains more than text goes to openai-python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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

from ssejet._core import GrowingJSON, ModelMaker
from ssejet.swap._growing_json import growing_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openai._models import BaseModel

__all__ = ["LinearState"]

_new = object.__new__

_MESSAGE_FIELDS = frozenset(ParsedChatCompletionMessageSnapshot.model_fields)
_DUMPED_FIELDS = _MESSAGE_FIELDS - {"parsed"}
_PARSED_FIELDS = _DUMPED_FIELDS | {"parsed"}
_CALL_FIELDS = frozenset(ParsedFunctionToolCall.model_fields)
_FUNCTION_FIELDS = frozenset(ParsedFunction.model_fields) - {"parsed_arguments"}
_TEXT_FIELDS = ("content", "refusal", "role")
_OTHER_FIELDS = tuple(_DUMPED_FIELDS - {*_TEXT_FIELDS, "tool_calls"})


class _Step(NamedTuple):
    """What one choice of a chunk changes: the new message, and the fields of the delta in it."""

    place: int
    choice: Any
    snapshot: Any
    message: Any
    delta: dict[str, Any]


class LinearState(ChatCompletionStreamState[Any]):
    """openai-python's state, but it handles chunks that only add text itself."""

    _texts: dict[Any, tuple[GrowingJSON, int]]
    # The messages that were made here, by the index of their choice: they have all fields.
    _made: dict[int, Any]
    _parses: bool

    @classmethod
    def of(cls, state: ChatCompletionStreamState[Any]) -> ChatCompletionStreamState[Any]:
        """Convert openai-python's own state. A subclass of it is returned unchanged."""
        if type(state) is not ChatCompletionStreamState:
            return state
        self = _new(cls)
        vars(self).update(vars(state))
        self._texts = {}
        self._made = {}
        self._parses = isinstance(self._rich_response_format, type)
        return self

    def handle_chunk(self, chunk: ChatCompletionChunk) -> Iterable[Any]:
        """Add a chunk, and return its events."""
        completion: Any = self._ChatCompletionStreamState__current_completion_snapshot  # type: ignore[attr-defined]
        steps = self._steps(completion, chunk)
        if steps is None:
            self._made.clear()
            return super().handle_chunk(chunk)
        # Values are read from the dicts of models: pydantic looks up each attribute by a Python method.
        values, of_chunk = completion.__dict__, chunk.__dict__
        values["usage"] = of_chunk["usage"]
        values["system_fingerprint"] = of_chunk["system_fingerprint"]
        fields_set = completion.__pydantic_fields_set__
        if not fields_set >= _FIELDS_FROM_CHUNK:
            fields_set |= _FIELDS_FROM_CHUNK
        events = [_chunk_event({"type": "chunk", "chunk": chunk, "snapshot": completion})]
        for step in steps:
            step.snapshot.__dict__["message"] = step.message
            self._made[step.place] = step.message
            self._add_events(step, events)
        return events

    def _steps(self, completion: Any, chunk: Any) -> list[_Step] | None:
        """Compute the changes of a chunk without applying them; None if openai-python must handle it."""
        if completion is None or type(chunk) is not ChatCompletionChunk:
            return None
        values = chunk.__dict__
        # Older versions do not know the field, and keep it as an extra value.
        moderation = values["moderation"] if "moderation" in values else getattr(chunk, "moderation", None)
        if moderation is not None:
            return None
        snapshots = completion.__dict__["choices"]
        steps = []
        for choice in values["choices"]:
            step = self._step(snapshots, choice)
            if step is None:
                return None
            steps.append(step)
        if len(steps) > 1 and len({step.place for step in steps}) < len(steps):
            return None
        return steps

    def _step(self, snapshots: list[Any], choice: Any) -> _Step | None:
        if type(choice) is not Choice:
            return None
        of_choice = choice.__dict__
        index, delta = of_choice["index"], of_choice["delta"]
        if of_choice["finish_reason"] or of_choice["logprobs"] is not None:
            return None
        if type(index) is not int or not 0 <= index < len(snapshots) or type(delta) is not ChoiceDelta:
            return None
        snapshot = snapshots[index]
        of_snapshot = snapshot.__dict__
        message = of_snapshot["message"]
        if of_snapshot["finish_reason"] or message is None:
            return None
        if not (message is self._made.get(index) or _is_whole(message)):
            return None
        of_delta = delta.__dict__
        values = _with_delta(message.__dict__, of_delta)
        if values is None:
            return None
        extra: Any = message.__pydantic_extra__
        extra_delta = delta.__pydantic_extra__
        if extra_delta:
            extra = _with_extra_delta(extra, extra_delta)
            if extra is None:
                return None
        fields_set = _DUMPED_FIELDS
        fragments = of_delta["tool_calls"]
        if values["tool_calls"] is not None or fragments is not None:
            tool_calls = self._tool_calls(index, values["tool_calls"] or [], fragments)
            if tool_calls is None:
                return None
            values["tool_calls"] = tool_calls
        values["parsed"] = None
        if self._parses:
            content = values["content"]
            if content and not values["refusal"] and not content.isspace():
                values["parsed"] = self._parsed(index, content)
                if values["parsed"] is None:
                    return None
                fields_set = _PARSED_FIELDS
        return _Step(index, choice, snapshot, _message.make(values, extra, set(fields_set)), of_delta)

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
        growing, length = self._texts.get(key) or (growing_json(), 0)
        try:
            growing.add(text[length:])
        except UnicodeEncodeError:  # a lone surrogate
            return None
        self._texts[key] = growing, len(text)
        return growing.value()

    def _add_events(self, step: _Step, events: list[Any]) -> None:
        delta, message = step.delta, step.message.__dict__
        # openai-python makes the state of a choice when it comes for the first time.
        state = self._get_choice_state(step.choice)
        text = delta["content"]
        if text is not None:
            events.append(
                _content_event(
                    {
                        "type": "content.delta",
                        "delta": text,
                        "snapshot": message["content"],
                        "parsed": message["parsed"],
                    }
                )
            )
        text = delta["refusal"]
        if text is not None:
            events.append(
                _refusal_event({"type": "refusal.delta", "delta": text, "snapshot": message["refusal"]})
            )
        fragments = delta["tool_calls"]
        if not fragments:
            return
        for fragment in fragments:
            of_fragment = fragment.__dict__
            function = message["tool_calls"][of_fragment["index"]].__dict__["function"].__dict__
            values = {
                "type": "tool_calls.function.arguments.delta",
                "name": function["name"],
                "index": of_fragment["index"],
                "arguments": function["arguments"],
                "parsed_arguments": function["parsed_arguments"],
                "arguments_delta": of_fragment["function"].__dict__["arguments"] or "",
            }
            events.append(_arguments_event(values))
        events += state.get_done_events(
            choice_chunk=step.choice, choice_snapshot=step.snapshot, response_format=self._response_format
        )


_FIELDS_FROM_CHUNK = {"usage", "system_fingerprint"}


_message = ModelMaker(ParsedChatCompletionMessageSnapshot)
_call = ModelMaker(ParsedFunctionToolCall)
_function = ModelMaker(ParsedFunction)


def _event_maker(cls: type[BaseModel]) -> Callable[[dict[str, Any]], Any]:
    """Give a function that makes an event without validation, as ``construct`` does."""
    make = ModelMaker(cls).make
    return lambda values: make(values, {}, {*values})


_chunk_event = _event_maker(ChunkEvent)
_content_event = _event_maker(ContentDeltaEvent)
_refusal_event = _event_maker(RefusalDeltaEvent)
_arguments_event = _event_maker(FunctionToolCallArgumentsDeltaEvent)


def _is_whole(message: Any) -> bool:
    """Whether openai-python has set all fields of a message."""
    return (
        type(message) is ParsedChatCompletionMessageSnapshot
        and message.__pydantic_fields_set__ >= _DUMPED_FIELDS
    )


def _with_delta(message: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any] | None:
    """Copy a message's fields and add a delta's text; None if either contains more than text."""
    values = message.copy()
    for name in _TEXT_FIELDS:
        text = delta[name]
        if text is not None:
            before = message[name]
            if type(text) is not str or (before is not None and type(before) is not str):
                return None
            values[name] = text if before is None else before + text
    if delta["function_call"] is not None or ("audio" in delta and delta["audio"] is not None):
        return None
    for name in _OTHER_FIELDS:
        if values[name] is not None:
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
    of_fragment = fragment.__dict__
    of_function = of_fragment["function"]
    if fragment.__pydantic_extra__ or of_function.__pydantic_extra__:
        return None
    if of_fragment["type"] != call.type and "type" in fragment.__pydantic_fields_set__:
        return None
    of_function = of_function.__dict__
    function = call.__dict__["function"].__dict__.copy()
    for name in ("arguments", "name"):
        text = of_function[name]
        if text is not None:
            if type(text) is not str:
                return None
            function[name] += text
    grown = _with_function(call, function)
    text = of_fragment["id"]
    if text is not None:
        if type(text) is not str:
            return None
        grown.__dict__["id"] += text
    return grown


def _with_function(call: Any, function: dict[str, Any]) -> Any:
    old = call.__dict__["function"]
    fields_set = old.__pydantic_fields_set__ | {"parsed_arguments"}
    values = {**call.__dict__, "function": _function.make(function, old.__pydantic_extra__, fields_set)}
    return _call.make(values, call.__pydantic_extra__, call.__pydantic_fields_set__)

"""The state behind anthropic's ``messages.stream()``, with a constant cost per event.

For every piece of a tool's input, anthropic parses all of its JSON again. This module parses the new piece
only, and makes a value with many items when it is read. It handles deltas of exactly the types that it knows;
anthropic handles all others.
"""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from inspect import isasyncgenfunction, signature
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from ssejet._core import GrowingJSON, ModelMaker
from ssejet.swap._growing_json import growing_json
from ssejet.swap._late_field import read_late, set_late
from ssejet.swap._plan.probe import seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["linear_stream"]

_DELTA = "content_block_delta"

# Copies of so few items cost less than what computes them later.
_MAX_COPIED = 256

# With this beta, a value contains the beginning of an unfinished string.
_UNFINISHED_STRINGS = "fine-grained-tool-streaming"


class _Kind(NamedTuple):
    """What is done with the deltas of one class.

    Attributes:
        delta: the type of the delta, as its field ``type`` says.
        text: the name of its field that has the text.
        block: the type of the content block to which the text is added; None for the input of a tool.
        type: the type of the event that is made in addition.
        make: makes that event of its fields.
    """

    delta: str
    text: str
    block: str | None
    type: str
    make: Callable[[dict[str, Any], dict[str, Any], set[str]], Any]


class _Functions:
    """What one of anthropic's modules has: its own functions, and the classes that they work on."""

    def __init__(self, module: Any) -> None:
        self.accumulate = module.accumulate_event
        self.build = module.build_events
        names = "Beta" if hasattr(module, "BetaRawMessageStreamEvent") else ""
        types = import_module("anthropic.types.beta" if names else "anthropic.types")
        self.event_type = getattr(types, f"{names}RawMessageStreamEvent")
        self.event = getattr(types, f"{names}RawContentBlockDeltaEvent")
        self.tools = module.TRACKS_TOOL_INPUT
        text_event = getattr(module, "ParsedBetaTextEvent" if names else "TextEvent")
        thinking_event = getattr(module, f"{names}ThinkingEvent")
        json_event = getattr(module, f"{names}InputJsonEvent")
        self.kinds = {
            getattr(types, f"{names}TextDelta"): _Kind(
                "text_delta", "text", "text", "text", ModelMaker(text_event).make
            ),
            getattr(types, f"{names}ThinkingDelta"): _Kind(
                "thinking_delta", "thinking", "thinking", "thinking", ModelMaker(thinking_event).make
            ),
            getattr(types, f"{names}InputJSONDelta"): _Kind(
                "input_json_delta", "partial_json", None, "input_json", ModelMaker(json_event).make
            ),
        }


class _State:
    """The state of one stream. It handles the usual deltas, and anthropic's functions handle all else."""

    def __init__(self, functions: _Functions) -> None:
        self._functions = functions
        self._event, self._kinds, self._tools = functions.event, functions.kinds, functions.tools
        # Both are anthropic's, which gives them to ``accumulate``.
        self._message: Any = None
        self._buffers: dict[int, Any] = {}
        self._inputs: dict[int, GrowingJSON] = {}
        self._late: dict[int, Any] = {}
        self._has_unfinished_strings = False

    def take(self, event: Any) -> Any:
        """Handle a usual delta, and give the event that follows it; None if anthropic must handle it."""
        # This runs for most events. Reading attributes of a pydantic model costs more than reading its dict.
        if self._message is None or type(event) is not self._event:
            return None
        values = event.__dict__
        index, delta = values["index"], values["delta"]
        kind = self._kinds.get(type(delta))
        if kind is None or type(index) is not int or values["type"] != _DELTA:
            return None
        kind_of_delta, field, block_type, event_type, make = kind
        blocks = self._message.__dict__["content"]
        if not 0 <= index < len(blocks):
            return None
        fields = delta.__dict__
        text = fields[field]
        if fields["type"] != kind_of_delta or type(text) is not str:
            return None
        block = blocks[index]
        if block_type is None:
            return self._take_input(index, block, text, make)
        own = block.__dict__
        before = own.get(field)
        if type(before) is not str or own.get("type") != block_type:
            return None
        own[field] = snapshot = before + text
        if not before:  # else it is in the set
            block.__pydantic_fields_set__.add(field)
        return make({"type": event_type, field: text, "snapshot": snapshot}, {}, {"type", field, "snapshot"})

    def _take_input(self, index: int, block: Any, text: str, make: Callable[..., Any]) -> Any:
        growing = self._inputs.get(index)
        if growing is None:
            if not isinstance(block, self._tools) or index in self._buffers or self._has_unfinished_strings:
                return None
            growing = self._inputs[index] = growing_json()
        try:
            growing.add(text)
        except UnicodeEncodeError:  # a lone surrogate
            self._return_input(index)
            return None
        fields = {"type": "input_json", "partial_json": text, "snapshot": None}
        if growing.open_items > _MAX_COPIED and growing.is_partial:
            value = _Once(growing)
            set_late(block, "input", value)
            self._late[index] = block
            block.__pydantic_fields_set__.add("input")
            event = make(fields, {}, {*fields})
            set_late(event, "snapshot", value)
            return event
        if self._late:
            read_late(self._late.pop(index, None))
        own = block.__dict__
        if growing.length:
            value = growing.value()
            if value is None:
                self._return_input(index, without=text)
                return None
            own["input"] = value
            block.__pydantic_fields_set__.add("input")
        fields["snapshot"] = own["input"]
        return make(fields, {}, {*fields})

    def _return_input(self, index: int, without: str = "") -> None:
        """Let anthropic go on with the input of a tool, without its last piece."""
        growing = self._inputs.pop(index, None)
        if growing is not None:
            self._buffers[index] = growing.encoded[: growing.length - len(without.encode())]

    def accumulate(self, *, event: Any, current_snapshot: Any, json_bufs: Any, **options: Any) -> Any:
        """Take the place of ``accumulate_event``, for the events that ``take`` does not handle."""
        if event is _NOTHING:
            return current_snapshot
        self._buffers = json_bufs
        headers = options.get("request_headers")
        if headers:
            self._has_unfinished_strings = _UNFINISHED_STRINGS in headers.get("anthropic-beta", "")
        while self._late:
            read_late(self._late.popitem()[1])
        index = getattr(event, "index", None)
        if type(index) is int and getattr(event, "type", None) == _DELTA:
            self._return_input(index)
        self._message = self._functions.accumulate(
            event=event, current_snapshot=current_snapshot, json_bufs=json_bufs, **options
        )
        return self._message

    def build(self, *, event: Any, message_snapshot: Any) -> Any:
        """Take the place of ``build_events``."""
        if event is _NOTHING:
            return [_NOTHING]
        return self._functions.build(event=event, message_snapshot=message_snapshot)


class _Once:
    """Computes the value that a growing JSON text has now, when it is called for the first time."""

    __slots__ = ("_growing", "_length", "_value")

    def __init__(self, growing: GrowingJSON) -> None:
        self._growing: GrowingJSON | None = growing
        self._length = growing.length
        self._value: Any = None

    def __call__(self) -> Any:
        growing = self._growing
        if growing is not None:
            self._value = growing.value_at(self._length)
            self._growing = None
        return self._value


class _Nothing:
    """An event that anthropic's generator gives back at once, so that it does not wait for another one."""

    type = "ssejet.nothing"


_NOTHING: Any = _Nothing()


class _Relay:
    """Takes the place of the stream that a helper reads, until the helper begins to read it."""

    def __init__(self, stream: Any) -> None:
        self.event: Any = None
        self.ended = False
        self._stream = stream
        self._raw_stream = stream._raw_stream
        stream._raw_stream = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw_stream, name)

    def __iter__(self) -> Iterator[Any]:
        self._stream._raw_stream = self._raw_stream
        while not self.ended:
            event, self.event = self.event, _NOTHING
            yield event

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self:
            yield event


def linear_stream(stream_cls: Any) -> Callable[[Any], Any] | None:
    """Make a ``__stream__`` for a helper's class that costs the same for each event; None if it is unknown.

    It gives what it does not handle to anthropic's own method, which finds other functions under two names.
    """
    stock = stream_cls.__stream__
    names = stock.__globals__
    try:
        functions = _Functions(SimpleNamespace(**names))
        used = {"_raw_stream", "accumulate_event", "build_events"}
        if not used <= {*stock.__code__.co_names} or not _agree(SimpleNamespace(**names), functions):
            return None
    except Exception:
        return None  # the helper stays as it is; the items that it reads are fast nevertheless

    def rest_of(stream: Any, state: _State) -> Any:
        changed = {**names, "accumulate_event": state.accumulate, "build_events": state.build}
        made = FunctionType(stock.__code__, changed, stock.__name__, stock.__defaults__, stock.__closure__)
        made.__kwdefaults__ = stock.__kwdefaults__
        return made(stream)

    @wraps(stock)
    def iterate(self: Any) -> Iterator[Any]:
        events, state, relay = iter(self._raw_stream), _State(functions), _Relay(self)
        take, rest = state.take, rest_of(self, state)
        try:
            for event in events:
                made = take(event)
                if made is not None:
                    yield event
                    yield made
                    continue
                relay.event = event
                for each in rest:
                    if each is _NOTHING:
                        break
                    yield each
            relay.ended = True
            yield from rest
        finally:
            rest.close()

    @wraps(stock)
    async def aiterate(self: Any) -> AsyncIterator[Any]:
        events, state, relay = aiter(self._raw_stream), _State(functions), _Relay(self)
        take, rest = state.take, rest_of(self, state)
        try:
            async for event in events:
                made = take(event)
                if made is not None:
                    yield event
                    yield made
                    continue
                relay.event = event
                async for each in rest:
                    if each is _NOTHING:
                        break
                    yield each
            relay.ended = True
            async for each in rest:
                yield each
        finally:
            await rest.aclose()

    return aiterate if isasyncgenfunction(stock) else iterate


_MESSAGE: dict[str, Any] = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
_BLOCKS = (
    ({"type": "text", "text": ""}, "text_delta", "text", ("a", "b")),
    ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking", ("a", "b")),
    (
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        "input_json_delta",
        "partial_json",
        ("", '{"a": ', '[1, "b', '\\u00e9"]', ', "c": 2}'),
    ),
    ({"type": "tool_use", "id": "t", "name": "f", "input": {}}, "input_json_delta", "partial_json", ("x",)),
)


def _events() -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _MESSAGE}
    for index, (block, delta, text, pieces) in enumerate(_BLOCKS):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for piece in pieces:
            yield {"type": _DELTA, "index": index, "delta": {"type": delta, text: piece}}
        yield {"type": "content_block_stop", "index": index}


def _agree(module: Any, functions: _Functions) -> bool:
    """Whether the fast functions make the same of a few events as anthropic's."""
    taken = signature(module.accumulate_event).parameters.keys()
    if not {"event", "current_snapshot", "json_bufs"} <= taken:
        return False
    options: dict[str, Any] = {"request_headers": {}} if "request_headers" in taken else {}
    seen_by = []
    for state in (None, _State(functions)):
        accumulate = module.accumulate_event if state is None else state.accumulate
        buffers: dict[int, Any] = {}
        snapshot, found = None, []
        for values in _events():
            event = module.construct_type_unchecked(type_=functions.event_type, value=values)
            try:
                made = None if state is None else state.take(event)
                if made is None:
                    snapshot = accumulate(
                        event=event, current_snapshot=snapshot, json_bufs=buffers, **options
                    )
                    events = module.build_events(event=event, message_snapshot=snapshot)
                else:
                    events = [event, made]
                found += [seen(each) for each in events]
                found.append(seen(snapshot))
            except ValueError as error:
                found.append(str(error))
        seen_by.append(found)
    return seen_by[0] == seen_by[1]

"""The state behind anthropic's ``messages.stream()``, with a constant cost per event.

For every piece of a tool's input, anthropic parses all of its JSON again. The functions of this module parse
the new piece only. They handle deltas of exactly the types that they know; anthropic handles all others.
"""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from inspect import signature
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from ssejet._core import ModelMaker
from ssejet.swap._growing_json import GrowingJSON
from ssejet.swap._plan.probe import seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["linear_stream"]

_DELTA = "content_block_delta"


class _Kind(NamedTuple):
    """What is done with the deltas of one class.

    Attributes:
        delta: the type of the delta, as its field ``type`` says.
        text: the name of its field that has the text.
        block: the type of the content block to which the text is added, if it is added to a field.
        type: the type of the event that is made in addition.
        make: makes that event of its fields.
    """

    delta: str
    text: str
    block: str | None
    type: str
    make: Callable[[dict[str, Any], dict[str, Any], set[str]], Any]


class _Functions:
    """Fast functions in place of those of one of anthropic's modules, which they call for all else."""

    def __init__(self, module: Any) -> None:
        self._accumulate = module.accumulate_event
        self._build = module.build_events
        names = "Beta" if hasattr(module, "BetaRawMessageStreamEvent") else ""
        types = import_module("anthropic.types.beta" if names else "anthropic.types")
        self.event_type = getattr(types, f"{names}RawMessageStreamEvent")
        self._event = getattr(types, f"{names}RawContentBlockDeltaEvent")
        self._tools = module.TRACKS_TOOL_INPUT
        text_event = getattr(module, "ParsedBetaTextEvent" if names else "TextEvent")
        thinking_event = getattr(module, f"{names}ThinkingEvent")
        json_event = getattr(module, f"{names}InputJsonEvent")
        self._kinds = {
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

    def _known(self, event: Any, message: Any) -> tuple[_Kind, Any, str] | None:
        """Give the kind of a delta, its block and its text; None if anthropic must handle it."""
        if message is None or type(event) is not self._event:
            return None
        values, blocks = event.__dict__, message.__dict__["content"]
        index, delta = values["index"], values["delta"]
        kind = self._kinds.get(type(delta))
        if kind is None or values["type"] != _DELTA or type(index) is not int:
            return None
        if not 0 <= index < len(blocks):
            return None
        block, fields = blocks[index], delta.__dict__
        text = fields[kind.text]
        if fields["type"] != kind.delta or type(text) is not str:
            return None
        if kind.block is None:
            return (kind, block, text) if isinstance(block, self._tools) else None
        own = block.__dict__
        if own.get("type") != kind.block or type(own.get(kind.text)) is not str:
            return None
        return kind, block, text

    def accumulate(self, *, event: Any, current_snapshot: Any, json_bufs: Any, **options: Any) -> Any:
        """Take the place of ``accumulate_event``."""
        known = self._known(event, current_snapshot)
        if known is not None:
            kind, block, text = known
            values = block.__dict__
            if kind.block is not None:
                values[kind.text] += text
                block.__pydantic_fields_set__.add(kind.text)
                return current_snapshot
            index = event.__dict__["index"]
            growing = json_bufs.get(index)
            if growing is None:
                growing = json_bufs[index] = GrowingJSON()
            if type(growing) is GrowingJSON:
                growing.add(text)
                if not growing.length:
                    return current_snapshot
                value = growing.value()
                if value is not None:
                    values["input"] = value
                    block.__pydantic_fields_set__.add("input")
                    return current_snapshot
                growing.pieces.pop()
                json_bufs[index] = "".join(growing.pieces).encode()
        return self._accumulate(
            event=event, current_snapshot=current_snapshot, json_bufs=json_bufs, **options
        )

    def build(self, *, event: Any, message_snapshot: Any) -> Any:
        """Take the place of ``build_events``."""
        known = self._known(event, message_snapshot)
        if known is None:
            return self._build(event=event, message_snapshot=message_snapshot)
        kind, block, text = known
        snapshot = block.__dict__[kind.text if kind.block is not None else "input"]
        values = {"type": kind.type, kind.text: text, "snapshot": snapshot}
        return [event, kind.make(values, {}, {*values})]


def linear_stream(stream_cls: Any) -> Callable[[Any], Any] | None:
    """Make a ``__stream__`` for a helper's class that costs the same for each event; None if it is unknown.

    It is anthropic's own method, which finds other functions under two names.
    """
    stock = stream_cls.__stream__
    names = stock.__globals__
    try:
        functions = _Functions(SimpleNamespace(**names))
        if not _agree(SimpleNamespace(**names), functions):
            return None
    except Exception:
        return None  # the helper stays as it is; the items that it reads are fast nevertheless
    changed = {**names, "accumulate_event": functions.accumulate, "build_events": functions.build}
    made = FunctionType(stock.__code__, changed, stock.__name__, stock.__defaults__, stock.__closure__)
    made.__kwdefaults__ = stock.__kwdefaults__
    return wraps(stock)(made)


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
    for accumulate, build in (
        (module.accumulate_event, module.build_events),
        (functions.accumulate, functions.build),
    ):
        buffers: dict[int, Any] = {}
        snapshot, found = None, []
        for values in _events():
            event = module.construct_type_unchecked(type_=functions.event_type, value=values)
            try:
                snapshot = accumulate(event=event, current_snapshot=snapshot, json_bufs=buffers, **options)
                found += [seen(each) for each in build(event=event, message_snapshot=snapshot)]
                found.append(seen(snapshot))
            except ValueError as error:
                found.append(str(error))
        seen_by.append(found)
    return seen_by[0] == seen_by[1]

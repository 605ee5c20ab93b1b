"""The swap-in for huggingface_hub's ``InferenceClient`` and ``AsyncInferenceClient``.

Its streams call a function for each line, which makes a dataclass that is a dict, too. The functions of this
module make the same of lines that are usual. huggingface_hub's own functions handle all others.
"""

from __future__ import annotations

import inspect
import json
import types
from functools import cached_property, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, get_args
from weakref import WeakValueDictionary, ref

from huggingface_hub.inference import _common
from huggingface_hub.inference._generated.types import base
from huggingface_hub.inference._generated.types.chat_completion import ChatCompletionStreamOutput
from huggingface_hub.inference._generated.types.text_generation import TextGenerationStreamOutput

from ssejet._core import Assembler
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap._twins import arguments_before_start, copy_of, subclass_of, with_other_result

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SWAP_IN"]

_CHAT = "_format_chat_completion_stream_output"
_TEXT = "_format_text_generation_stream_output"
_STREAMS = (
    "_stream_chat_completion_response",
    "_async_stream_chat_completion_response",
    "_stream_text_generation_response",
    "_async_stream_text_generation_response",
)
_METHODS = ("chat_completion", "text_generation")
_START = "data: {"

_Base: Any = base.BaseInferenceType
_read = Assembler(("dict", ("any",)), []).build


class _RefusedError(Exception):
    """It is not known what huggingface_hub makes of a value."""


class _Maker:
    """Makes the instances of a class from JSON objects."""

    def __init__(self, cls: Any, makers: dict[Any, _Maker]) -> None:
        makers[cls] = self
        own = ("__post_init__", "__setattr__", "__setitem__", "parse_obj")
        if any(_function(getattr(cls, name)) is not _function(getattr(_Base, name)) for name in own):
            raise UnsupportedError(f"{cls.__name__} has its own way to make instances")
        self._cls = cls
        self._empty = dict.fromkeys(cls.__dataclass_fields__)
        self._fields: dict[str, _Maker | None] = {}
        self._names: dict[str, str] = {}
        for name, field in cls.__dataclass_fields__.items():
            part = _part(field.type)
            self._fields[name] = part and (makers.get(part) or _Maker(part, makers))
            self._names[name] = base.normalize_key(name)

    def make(self, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Make an instance, and the plain dict of its fields."""
        attributes, plain, others = self._empty.copy(), self._empty.copy(), {}
        for key, value in values.items():
            name = self._names.get(key) or base.normalize_key(key)
            if name not in self._fields:
                others[name] = value
                continue
            kind = type(value)
            if kind is dict or kind is list:
                maker = self._fields[name]
                if maker is None:
                    raise _RefusedError
                make: Any = maker.make if kind is dict else maker.make_list
                attributes[name], plain[name] = make(value)
            else:
                attributes[name] = plain[name] = value
        item = dict.__new__(self._cls)
        # A field gets into the dict when it is set to anything but None, and the others do later.
        item.update([pair for pair in plain.items() if pair[1] is not None])
        item.update(plain)
        if others:
            item.update(others)
            attributes.update(others)
        object.__setattr__(item, "__dict__", attributes)
        return item, plain

    def make_list(self, values: list[Any]) -> tuple[list[Any], list[Any]]:
        """Make instances, and their plain dicts."""
        items, plains = [], []
        for value in values:
            if type(value) is not dict:
                raise _RefusedError
            item, plain = self.make(value)
            items.append(item)
            plains.append(plain)
        return items, plains


def _function(method: Any) -> Any:
    return getattr(method, "__func__", method)


def _part(type_: Any) -> Any:
    """Find the class of which huggingface_hub makes the objects and the lists in a field."""
    for each in (type_, *get_args(type_)):
        is_list = isinstance(each, types.GenericAlias) and each.__origin__ is list
        if each is not type_ and (is_list or getattr(each, "_name", None) == "List"):
            each = get_args(each)[0]
        if inspect.isclass(each) and issubclass(each, _Base):
            return each
    return None


def _made(maker: _Maker, line: Any) -> Any:
    """Make the item of a line; None if huggingface_hub must do it."""
    if type(line) is not str or not line.startswith(_START) or line[-1] != "}":
        return None
    values: Any = _read(line[len(_START) - 1 :])
    if values is None or values.get("error") is not None:
        return None
    try:
        return maker.make(values)[0]
    except (_RefusedError, RecursionError):
        return None


class _SwapIn:
    def __init__(self) -> None:
        for name in (_CHAT, _TEXT, *_STREAMS):
            if not isinstance(getattr(_common, name, None), FunctionType):
                raise UnsupportedError(f"its module inference._common has no function {name}")
        self._stock = {name: getattr(_common, name) for name in (_CHAT, _TEXT)}
        chat = self._chat(self._stock[_CHAT], _Maker(ChatCompletionStreamOutput, {}))
        text = self._text(self._stock[_TEXT], _Maker(TextGenerationStreamOutput, {}))
        self.PATCHES = [Patch(_common, _CHAT, chat), Patch(_common, _TEXT, text)]
        self._accelerated: WeakValueDictionary[ref[type], type] = WeakValueDictionary()

    @staticmethod
    def _chat(stock: Any, maker: _Maker) -> Any:
        @wraps(stock)
        def _format(line: Any) -> Any:
            item = _made(maker, line)
            return stock(line) if item is None else item

        return _format

    @staticmethod
    def _text(stock: Any, maker: _Maker) -> Any:
        @wraps(stock)
        def _format(line: Any, details: Any) -> Any:
            item = _made(maker, line)
            if item is None:
                return stock(line, details)
            return item if details else item.token.text

        return _format

    @cached_property
    def _generators(self) -> dict[Any, Any]:
        """The fast generator functions, by the code of huggingface_hub's own."""
        found = {}
        for name in _STREAMS:
            stock = getattr(_common, name)
            names = vars(_common) | {patch.name: patch.value for patch in self.PATCHES}
            found[stock.__code__] = FunctionType(stock.__code__, names, name, stock.__defaults__)
        return found

    def check(self) -> None:
        """Check that this version works as expected.

        Raises:
            UnsupportedError: it does not.
        """
        if "line" not in inspect.signature(self._stock[_CHAT]).parameters:
            raise UnsupportedError("its streams are read in bytes")
        for values in _PROBES:
            line = f"data: {json.dumps(values)}"
            for (name, stock), patch in zip(self._stock.items(), self.PATCHES, strict=True):
                for more in [(True,), (False,)] if name == _TEXT else [()]:
                    if _see(stock, line, *more) != _see(patch.value, line, *more):
                        raise UnsupportedError(f"its function {name} gives other items than expected")

    def accelerate(self, client: Any) -> Any:
        """Make a client with fast streams, see ``ssejet.accelerate``."""
        if type(client) in self._accelerated.values():
            return client
        return copy_of(client, self._subclass(type(client)))

    def _subclass(self, cls: Any) -> type:
        known = self._accelerated.get(ref(cls))
        if known is not None:
            return known
        methods = {name: with_other_result(getattr(cls, name), self._swapped) for name in _METHODS}
        made: type = subclass_of(cls, methods)
        self._accelerated[ref(cls)] = made
        return made

    def _swapped(self, result: Any) -> Any:
        """Make a stream fast that has not begun; leave other results as they are."""
        call = arguments_before_start(result)
        if call is None or call[0] not in self._generators:
            return result
        return self._generators[call[0]](**call[1])


_CHOICE = {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}
_CALL = {"id": "a", "index": 0, "type": "function", "function": {"name": "f", "arguments": "{}"}}
_TOKEN = {"id": 1, "logprob": -0.5, "special": False, "text": "a"}
_PROBES: list[dict[str, Any]] = [
    {"id": "a", "created": 1, "model": "m", "object": "chunk", "choices": [_CHOICE]},
    {
        "choices": [{**_CHOICE, "delta": {"tool_calls": [_CALL], "content": None, "x-Y z": [1]}}],
        "usage": None,
    },
    {"usage": {"completion_tokens": 1, "prompt_tokens": 2, "total_tokens": 3}, "choices": []},
    {"choices": _CHOICE, "model": {"a": 1}},
    {"choices": [[_CHOICE]], "id": [1]},
    {"index": 1, "token": _TOKEN, "generated_text": None, "details": None, "top_tokens": [_TOKEN]},
    {"token": None},
    {"error": "no", "error_type": "overloaded"},
    {},
]


def _see(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return _seen(function(*arguments))
    except Exception as error:
        return type(error), str(error)


def _seen(value: Any) -> Any:
    """Convert an item to a value that can be compared."""
    if isinstance(value, _Base):
        return type(value), _seen(dict(value)), _seen(vars(value))
    if isinstance(value, dict):
        return [(key, _seen(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [_seen(each) for each in value]
    return repr(value)


SWAP_IN = _SwapIn()

"""The swap-in for SDKs that Speakeasy generated, such as mistralai.

They are recognised by their module ``utils.eventstreaming`` and what it contains. Its functions
``stream_events`` and ``stream_events_async`` are generators that read a response, cut it into blocks, and
make an item of each. For each event, an SDK makes a new pydantic class, which costs most of its time.
"""

from __future__ import annotations

from functools import cached_property, wraps
from importlib import import_module
from inspect import getattr_static, unwrap
from types import CodeType, FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary, ref

from ssejet._core import Assembler, BlockDecoder
from ssejet._http.direct import ResponseBytes
from ssejet.swap._driver import BlockRelay, adrive, drive
from ssejet.swap._plan.probe import Response, outcome_of
from ssejet.swap._plan.validated import Validated
from ssejet.swap._speakeasy_probe import compare
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap._twins import arguments_before_start, subclass_of, with_other_result

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MARK", "SpeakeasySwapIn", "module_of"]

MARK = ".utils.eventstreaming"
"""The end of the name of the module by which an SDK is recognised."""

_FUNCTIONS = ("stream_events", "stream_events_async")
_CLASSES = ("EventStream", "EventStreamAsync")
# The functions that make items of JSON, and the place of the type among their arguments.
_PLACES = {"unmarshal_json": 1, "unmarshal_json_response": 0}


def module_of(package: str) -> Any:
    """Import the module with an SDK's streams."""
    try:
        return import_module(f"{package}.client{MARK}")
    except ModuleNotFoundError:
        return import_module(f"{package}{MARK}")


class SpeakeasySwapIn:
    """Makes the streams of one SDK fast.

    Attributes:
        PATCHES: what ``install()`` changes.
    """

    def __init__(self, module: Any) -> None:
        """Make the swap-in for the SDK with this module ``eventstreaming``.

        Raises:
            UnsupportedError: the SDK differs from what is expected.
        """
        self.module = module
        self.root = module.__name__.removesuffix(MARK)
        for each in (*_FUNCTIONS, "MESSAGE_BOUNDARIES"):
            if not hasattr(module, each):
                raise UnsupportedError(f"its module {module.__name__} has no {each}")
        self._boundaries = list(module.MESSAGE_BOUNDARIES)
        self._strips_bom = hasattr(module, "UTF8_BOM")
        self._assemblers: dict[tuple[str, CodeType], Assembler | None] = {}
        self._stock = {each: getattr(module, each) for each in _FUNCTIONS}
        self._codes = {stock.__code__: each for each, stock in self._stock.items()}
        self.PATCHES = [Patch(module, each, self._patch(stock)) for each, stock in self._stock.items()]
        self._accelerated: WeakValueDictionary[ref[type], type] = WeakValueDictionary()
        self._checked = False

    @cached_property
    def _base_sdk(self) -> Any:
        return import_module(f"{self.root}.basesdk").BaseSDK

    def check(self) -> None:
        """Check that this version of the SDK works as expected.

        Raises:
            UnsupportedError: it does not.
        """
        if not self._checked:
            unmarshal_json = import_module(f"{self.root}.utils.serializers").unmarshal_json
            types = import_module(f"{self.root}.types.basemodel")
            compare(self._stock, self._fast, assembler_of, types, unmarshal_json)
            self._checked = True

    @cached_property
    def _keeps_ids(self) -> bool:
        """Whether the SDK gives the ID of a block to those that follow it, as newer versions do."""
        texts: list[str] = []
        response = Response([b"id: probe\ndata: {}\n\n", b"data: {}\n\n"])
        outcome_of(lambda: self._stock["stream_events"](response, texts.append))
        return "probe" in texts[-1]

    def _patch(self, stock: Any) -> Any:
        @wraps(stock)
        def stream(response: Any, decoder: Any, sentinel: Any = None, *more: Any, **options: Any) -> Any:
            assembler = self._assembler(decoder)
            if assembler is None:
                return stock(response, decoder, sentinel, *more, **options)
            return self._fast(stock, assembler, response, decoder, sentinel, *more, **options)

        return stream

    def _fast(
        self,
        stock: Any,
        assembler: Assembler,
        response: Any,
        decoder: Callable[[str], Any],
        sentinel: str | None = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        """Make the generator that takes the place of one of the SDK's."""
        if sentinel and (sentinel.startswith("{") or "\n" in sentinel or "\r" in sentinel):
            return stock(response, decoder, sentinel, *more, **options)
        blocks = BlockDecoder(
            assembler,
            boundaries=self._boundaries,
            strips_bom=self._strips_bom,
            keeps_ids=self._keeps_ids,
        )
        relay = BlockRelay(decoder, sentinel)
        rest = stock(relay, relay.decode, sentinel, *more, **options)
        start: Any = adrive if hasattr(rest, "__aiter__") else drive
        return start(ResponseBytes(response), blocks, relay, rest, response)

    def _assembler(self, decoder: Any) -> Assembler | None:
        """Give what builds the items of a stream; None if the SDK must build them."""
        code = getattr(decoder, "__code__", None)
        if type(decoder) is not FunctionType or code is None:
            return None
        key = (decoder.__module__, code)
        if key not in self._assemblers:
            type_ = self._item_type(decoder)
            self._assemblers[key] = None if type_ is None else assembler_of(type_)
        return self._assemblers[key]

    def _item_type(self, decoder: FunctionType) -> Any:
        """Find the type of which a function makes items, or None if it does anything else."""
        raw, made, types = object(), object(), []

        def recorder(place: int) -> Any:
            def record(*arguments: Any) -> Any:
                if any(argument is raw for argument in arguments):
                    types.append(arguments[place])
                return made

            return record

        names = dict(decoder.__globals__)
        for name, place in _PLACES.items():
            stock = names.get(name)
            if stock is not None and not self._is_own(stock):
                return None
            names[name] = recorder(place)
        utils = names.get("utils")
        if utils is not None and self._is_own(getattr(utils, "unmarshal_json", None)):
            names["utils"] = SimpleNamespace(unmarshal_json=recorder(_PLACES["unmarshal_json"]))
        twin = FunctionType(decoder.__code__, names, closure=decoder.__closure__)
        try:
            is_plain = twin(raw) is made and len(types) == 1
        except Exception:
            return None
        return types[0] if is_plain else None

    def _is_own(self, function: Any) -> bool:
        """Whether a function is the SDK's own, and nothing has replaced it."""
        return (
            type(function) is FunctionType
            and function.__module__.startswith(f"{self.root}.utils.")
            and function.__name__ in _PLACES
        )

    def accelerate(self, client: Any) -> Any:
        """Make a client with fast streams, see ``ssejet.accelerate``."""
        if any(cls in self._accelerated.values() for cls in type(client).__mro__):
            return client
        twin = self._remade(client)
        # The SDK closes the HTTP client when its own client is freed.
        vars(twin)["_ssejet_origin"] = client
        return twin

    def _remade(self, client: Any, parent: Any = None) -> Any:
        """Copy a client, or a part of one, into a subclass of its class, with its parts."""
        twin: Any = object.__new__(self._subclass(type(client)))
        values = dict(vars(client))
        if parent is not None and "parent_ref" in values:
            values["parent_ref"] = parent
        elif values.get("parent_ref") is client:
            values["parent_ref"] = twin
        parent = values.get("parent_ref") or twin
        for name, value in values.items():
            is_part = isinstance(value, self._base_sdk) and name != "parent_ref"
            vars(twin)[name] = self._remade(value, parent) if is_part else value
        return twin

    def _subclass(self, cls: Any) -> type:
        """Make a subclass of a class of clients whose streams are fast. There is one for each class."""
        known = self._accelerated.get(ref(cls))
        if known is not None:
            return known
        members: dict[str, Any] = {}
        streaming = {
            name
            for base in cls.__mro__
            for name, value in vars(base).items()
            if isinstance(value, FunctionType) and _names(unwrap(value)) & {*_FUNCTIONS, *_CLASSES}
        }
        for name in streaming:
            if isinstance(method := getattr_static(cls, name), FunctionType):
                members[name] = with_other_result(method, self._swapped)
        if hasattr(cls, "__getattr__"):
            # Newer versions make the parts of a client when they are asked for.
            def get(client: Any, name: str) -> Any:
                value = cls.__getattr__(client, name)
                if isinstance(value, self._base_sdk):
                    value = vars(client)[name] = self._remade(value)
                return value

            members["__getattr__"] = get
        made: type = subclass_of(cls, members)
        self._accelerated[ref(cls)] = made
        return made

    def _swapped(self, result: Any) -> Any:
        """Make a stream fast that has not begun; leave other results as they are."""
        classes: Any = tuple(getattr(self.module, name, ()) for name in _CLASSES)
        if isinstance(result, classes):
            result.generator = self._swapped(result.generator)
            return result
        call = arguments_before_start(result)
        if call is None or call[0] not in self._codes:
            return result
        patched = {patch.name: patch.value for patch in self.PATCHES}
        return patched[self._codes[call[0]]](**call[1])


def assembler_of(type_: Any) -> Assembler | None:
    """Make what builds the items of a type; None if the SDK must build them all."""
    definitions: list[Any] = []
    try:
        plan = Validated.plan(type_, definitions)
        if plan[0] == "definition":
            plan = definitions[plan[1]]
        # An item has more fields if an event has an ID, or if others are kept.
        if plan[0] != "model" or plan[3] is not None:
            return None
        keys = {key for _, key, *_ in plan[2]}
        return Assembler(plan, definitions) if {"data"} <= keys <= {"data", "event"} else None
    except Exception:  # pydantic does not understand the type either, or it is unknown here
        return None


def _names(function: Any) -> set[str]:
    return {*function.__code__.co_names} if isinstance(function, FunctionType) else set()

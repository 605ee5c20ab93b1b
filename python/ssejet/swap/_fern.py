"""Swaps the streams of SDKs that Fern generated with its own reader of event streams (``core.http_sse``).

A method of a raw client reads the events of an ``EventSource``, and gives each to ``parse_sse_obj``. It gets
others of both here. They decode events as long as these are ordinary, and build the objects directly from the
JSON. The SDK's own class and function do what is not ordinary.
"""

from __future__ import annotations

import codecs
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from copy import copy
from functools import wraps
from importlib import import_module
from inspect import isasyncgenfunction
from types import CellType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import TypeAdapter

from ssejet._core import Assembler, ItemBuilder, OrdinaryEvents
from ssejet.swap._handover import AsyncBytes, Bytes
from ssejet.swap._plan.validated import Plan, Validated
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

__all__ = ["Chunks", "Fern", "rebound", "remade", "run"]

_NAMES = frozenset({"EventSource", "parse_sse_obj"})


class Fern:
    """The parts of an SDK.

    Args:
        package: its name.

    Raises:
        UnsupportedError: it has no such reader of event streams.
    """

    def __init__(self, package: str) -> None:
        try:
            api = import_module(f"{package}.core.http_sse._api")
            self._event_cls: Any = import_module(f"{package}.core.http_sse._models").ServerSentEvent
            self._utilities = import_module(f"{package}.core.pydantic_utilities")
            self._parse: Any = self._utilities.parse_sse_obj
            self._aliases_of: Any = import_module(f"{package}.core.serialization").get_field_to_alias_mapping
            self.source_cls: Any = api.EventSource
        except (ImportError, AttributeError) as error:
            raise UnsupportedError(
                "it has no reader of event streams of the kind that is known here"
            ) from error
        for name in ("iter_sse", "aiter_sse", "_check_content_type", "_get_charset"):
            if not callable(getattr(self.source_cls, name, None)):
                raise UnsupportedError(f"its class EventSource has no method {name}()")
        self._limit = getattr(api, "MAX_LINE_SIZE", sys.maxsize)
        self._fast_source = self._source()
        self._build: Any = None
        self._built_type: Any = None

    def fast(self, method: Any, **others: Any) -> Any:
        """Make a fast method of a raw client's method that gives a stream.

        Args:
            method: the method, which is made by ``contextmanager`` or ``asynccontextmanager``.
            others: what else the method finds under these global names.

        Raises:
            UnsupportedError: it does not use the parts that are known here.
        """
        stock = getattr(method, "__wrapped__", None)
        if not isinstance(stock, FunctionType) or not _names(stock.__code__) >= _NAMES:
            raise UnsupportedError(f"its method {method.__qualname__}() reads streams in another way")
        known = stock.__globals__
        if known["EventSource"] is not self.source_cls or known["parse_sse_obj"] is not self._parse:
            raise UnsupportedError(f"its method {method.__qualname__}() uses other parts")
        return remade(
            method, {**known, "EventSource": self._fast_source, "parse_sse_obj": self._parser(), **others}
        )

    def _parser(self) -> Callable[..., Any]:
        stock = self._parse

        @wraps(stock)
        def parse_sse_obj(sse: Any, type_: Any) -> Any:
            if type_ is not self._built_type:
                self._build = self._builder(type_)
                self._built_type = type_
            item = self._build(sse.data)
            return stock(sse=sse, type_=type_) if item is None else item

        return parse_sse_obj

    def _builder(self, type_: Any) -> Callable[[str], Any]:
        try:
            plans: list[Any] = []
            plan = _Planner.plan_of(type_, plans, self._utilities, self._aliases_of)
            return ItemBuilder(Assembler(plan, plans)).build
        except Exception:  # a part of the type is unknown here
            return lambda _: None

    def _source(self) -> Any:
        stock: Any = self.source_cls
        event_cls = self._event_cls
        new, members = object.__new__, vars

        def make(event_type: str, data: str, event_id: str, retry: int | None) -> Any:
            made = new(event_cls)
            members(made).update(event=event_type, data=data, id=event_id, retry=retry)
            return made

        if vars(make("a", "b", "c", 5)) != vars(event_cls(event="a", data="b", id="c", retry=5)):
            raise UnsupportedError("its events have other attributes")
        cut = self._data(["data: é".encode()[:-1], "é".encode()[-1:] + b"\n\n"])
        joins = [data == ["é"] for data in cut]
        line = "a\u2028\u2029\x85\x0b\x1cb"
        unicode_lines = [data != [line] for data in self._data([f"data: {line}\n\n".encode()])]

        def beginning(source: Any, *, is_async: bool) -> _Beginning | None:
            if vars(source) != vars(type(source)(source._response)):
                return None  # it reconnects
            if codecs.lookup(source._get_charset()).name != "utf-8":
                return None
            source._check_content_type()
            events = OrdinaryEvents(make, limit=self._limit, unicode_lines=unicode_lines[is_async])
            return _Beginning(events, joins=joins[is_async])

        class EventSource(stock):  # type: ignore[misc]
            def iter_sse(self) -> Iterator[Any]:
                part = beginning(self, is_async=False)
                if part is None:
                    yield from super().iter_sse()
                    return
                body = Bytes(self._response)
                try:
                    for chunk in body:
                        yield from part.feed(chunk)
                        if part.is_over:
                            break
                    yield from stock.iter_sse(part.rest(self, body))
                finally:
                    body.close()

            async def aiter_sse(self) -> AsyncIterator[Any]:
                part = beginning(self, is_async=True)
                if part is None:
                    async for event in super().aiter_sse():
                        yield event
                    return
                body = AsyncBytes(self._response)
                try:
                    async for chunk in body:
                        for event in part.feed(chunk):
                            yield event
                        if part.is_over:
                            break
                    rest = stock.aiter_sse(part.rest(self, body))
                    try:
                        async for event in rest:
                            yield event
                    finally:
                        await rest.aclose()
                finally:
                    await body.aclose()

        return EventSource

    def _data(self, chunks: list[bytes]) -> tuple[list[str], list[str]]:
        """Return the data of the events that the SDK reads, synchronously and asynchronously."""
        found: tuple[list[str], list[str]] = ([], [])

        async def read() -> None:
            async for event in self.source_cls(Chunks(chunks).response()).aiter_sse():
                found[1].append(event.data)

        found[0].extend(event.data for event in self.source_cls(Chunks(chunks).response()).iter_sse())
        run(read())
        return found


class _Beginning:
    """Reads a stream as long as its events are ordinary. The SDK reads the rest.

    Args:
        events: finds the ordinary events.
        joins: whether a character that two chunks share comes out right. Some versions decode chunks alone.

    Attributes:
        is_over: whether the SDK must go on.
    """

    def __init__(self, events: OrdinaryEvents, *, joins: bool) -> None:
        self.is_over = False
        self._events = events
        self._joins = joins
        self._last = b""

    def feed(self, chunk: bytes) -> list[Any]:
        """Give the events that are complete."""
        if not self._joins and chunk[-1:] >= b"\x80":
            self._last, self.is_over = chunk, True
            return []
        made = self._events.feed(chunk)
        self.is_over = self._events.is_odd
        return made

    def rest(self, source: Any, body: Bytes | AsyncBytes) -> Any:
        """Give a copy of the SDK's source that has the bytes that were not read here."""
        twin = copy(source)
        twin._response = body.rest(self._events.rest, self._last)
        return twin


def remade(method: Any, names: dict[str, Any]) -> Any:
    """Copy a method that gives a context manager, with other global names."""
    stock = method.__wrapped__
    function = FunctionType(stock.__code__, names, stock.__name__, stock.__defaults__, stock.__closure__)
    function.__kwdefaults__ = stock.__kwdefaults__
    made: Any = asynccontextmanager if isasyncgenfunction(stock) else contextmanager
    return made(wraps(stock)(function))


def rebound(value: Any, before: Any, after: Any) -> Any:
    """Copy a function that wraps a method of an object, so that it wraps that of another object."""
    if isinstance(value, MethodType) and value.__self__ is before:
        return MethodType(value.__func__, after)
    if not isinstance(value, FunctionType) or not value.__closure__:
        return value
    cells = value.__closure__
    # A function that calls itself is in its own closure.
    contents = [cell.cell_contents for cell in cells]
    inner = [each if each is value else _rebound_method(each, before, after) for each in contents]
    if all(one is other for one, other in zip(contents, inner, strict=True)):
        return value
    closure = tuple(
        cell if cell.cell_contents is each else CellType(each)
        for cell, each in zip(cells, inner, strict=True)
    )
    made = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, closure)
    made.__kwdefaults__ = value.__kwdefaults__
    vars(made).update(vars(value))
    return made


def _rebound_method(value: Any, before: Any, after: Any) -> Any:
    return rebound(value, before, after) if isinstance(value, MethodType) else value


def run(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that never waits."""
    with suppress(StopIteration):
        coroutine.send(None)


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in memory.

    Args:
        chunks: what it is read in.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def response(self) -> httpx.Response:
        """A response with this body."""
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=self)


def _names(code: CodeType) -> set[str]:
    """The names that a function's code, and the functions in it, refer to."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


class _Planner(Validated):
    """Plans what ``parse_sse_obj`` makes of the data of an event."""

    def __init__(self, schemas: dict[str, Any], plans: list[Any], utilities: Any, aliases_of: Any) -> None:
        super().__init__(schemas, plans)
        self._aliases_of = aliases_of
        self._coerce = utilities.UniversalBaseModel._coerce_field_names_to_aliases.__func__

    @classmethod
    def plan_of(cls, type_: Any, plans: list[Any], utilities: Any, aliases_of: Any) -> Plan:
        """Plan a type.

        Raises:
            UnsupportedError: the SDK changes values of this type before pydantic validates them.
        """
        schema: Any = TypeAdapter(type_).core_schema
        schemas = {}
        if schema["type"] == "definitions":
            schemas = {definition["ref"]: definition for definition in schema["definitions"]}
            schema = schema["schema"]
        return cls(schemas, plans, utilities, aliases_of)._plan(schema)

    def _plain(self, schema: Any) -> Any:
        """Leave out the SDK's validator that looks at names of keys: with such keys, nothing is built."""
        if schema["type"] != "model":
            return schema
        inner = schema["schema"]
        while (
            inner["type"] == "function-before"
            and getattr(inner["function"]["function"], "__func__", None) is self._coerce
        ):
            inner = inner["schema"]
        return {**schema, "schema": inner}

    def _resolved(self, schema: Any) -> Any:
        return self._plain(super()._resolved(schema))

    def _discriminator(self, field: Any) -> Any:
        # It has a default, but nothing is built of an object without it.
        schema = field["schema"]
        return schema["schema"] if schema["type"] == "default" else schema

    def _model(self, schema: Any) -> Plan | None:
        cls = schema["cls"]
        if self._aliases_of(cls):
            raise UnsupportedError("it renames keys before pydantic validates them")
        plan = super()._model(self._plain(schema))
        if plan is None or plan[0] != "model":
            return plan
        declared = {name for field in plan[2] for name in field[:2]}
        keys = {key for _, key, *_ in plan[2]}
        if any(name != key and (name in keys or key in declared - keys) for name, key, *_ in plan[2]):
            raise UnsupportedError("a key stands for two fields")
        return (*plan[:5], sorted(declared), ["any case"])

# ruff: noqa: UP007, UP045 - some versions of the SDKs do not understand the newer form
"""Compares the items that an SDK and its fast classes make of a few streams.

How the SDKs handle a stream is not documented, so a version is used only after this comparison succeeds.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from itertools import zip_longest
from types import GenericAlias, SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from pydantic import BaseModel, create_model

from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["Response", "compare", "outcome_of", "require_same", "see", "seen"]

_BRIEF = 200
_TAG = "response.probe"

_GOOD: dict[str, Any] = {
    "text": "a",
    "whole": 1,
    "number": 2,
    "when": "2026-01-02T03:04:05Z",
    "optional": 3,
    "options": ["b", None],
    "inner": {"kind": "x", "text": "c"},
    "many": [{"kind": "x", "text": "d"}],
    "table": {"e": {"kind": "x", "text": "f"}},
}

_CHANGES: list[dict[str, Any]] = [
    {},
    {"more": {"g": [1]}},
    {"inner": {"kind": "x", "text": "c", "more": 1}, "many": [{"kind": "x", "text": "d", "more": 1}]},
    {"text": 5, "whole": "5"},
    {"optional": "5", "options": [1]},
    dict.fromkeys(_GOOD),
    {"number": 2**53 + 1},
    {"number": True, "when": "never", "options": 3},
    {"inner": {"kind": "y"}, "many": {"kind": "z"}, "table": []},
    {"inner": {"kind": "y", "count": "1"}, "many": [None]},
    {"inner": {"kind": "z"}},
    {"type": "none"},
]


def compare(
    streams: dict[Any, Any], clients: tuple[type, type], base: type[BaseModel], event_type: str = ""
) -> None:
    """Check that fast streams give the same as the SDK's own.

    Args:
        streams: the fast classes, by the SDK's own: one synchronous and one asynchronous.
        clients: the SDK's client class, and the fast one.
        base: the base class of the SDK's models.
        event_type: the type of the events, if they need one.

    Raises:
        UnsupportedError: they differ.
    """
    for stock, fast in streams.items():
        for item_type in _item_types(base, event_type or _TAG):
            for chunks in _bodies(event_type):
                expected = see(stock, clients[0], item_type, chunks)
                seen = see(fast, clients[1], item_type, chunks)
                for one, other in zip_longest(expected, seen):
                    require_same(f"its {stock.__name__} gives", one, other)


def _item_types(base: type[BaseModel], tag: str) -> list[Any]:
    # Type checkers do not understand types that are made at run time.
    make: Any = partial(create_model, __base__=base)
    x: Any = make("X", kind=(Literal["x"], ...), text=(str, ...))
    y: Any = make("Y", kind=(Literal["y"], ...), count=(int, ...))
    one = make(
        "One",
        type=(Literal[tag], ...),
        text=(str, ...),
        whole=(int, ...),
        number=(float, ...),
        when=(datetime, ...),
        optional=(Optional[int], 7),
        options=(list[Optional[str]], ...),
        inner=(Union[x, y], ...),
        many=(GenericAlias(list, (x,)), ...),
        table=(GenericAlias(dict, (str, x)), ...),
        other=(Optional[x], None),
    )
    other = make("Other", type=(Literal["other"], ...), text=(str, ...))
    return [one, Union[one, other]]


def _bodies(event_type: str) -> Iterator[list[bytes]]:
    tag = event_type or _TAG
    event = f"event: {event_type}\n".encode() if event_type else b""
    whole = {"type": tag, **_GOOD}
    items = [json.dumps(whole | change) for change in _CHANGES]
    items += [json.dumps({"type": tag}), json.dumps(whole)[:-1] + r', "number": NaN, "text": "\ud800"}']
    items += [json.dumps(_GOOD), "{}"]
    yield [event + b"data: " + item.encode() + b"\n\n" for item in items]
    good = event + b"data: " + items[0].encode() + b"\n\n"
    for odd in (
        b"data: [DONE]\n\ndata: {}\n\n",
        event + b"data: [DONE] \n\n",
        event + b'data: {"error": {"message": "no", "code": 1}}\n\n',
        event + b'data: {"error": "no"}\n\n',
        event + b"data: {\n\n",
        event + b"data: null\n\n",
        b'event: error\ndata: {"type": "error", "error": {"message": "no"}}\n\n',
        b"event: ping\ndata: {}\n\n",
        b'event: thread.probe\ndata: {"type": "probe"}\n\n',
        b"data: " + items[0].encode() + b"\n\n",
        f"event: {tag}\ndata: ".encode() + items[0].encode() + b"\n\n",
        b"event: odd\ndata: " + items[0].encode() + b"\n\n",
    ):
        yield [good, odd, good, good]


class Response:
    """A response in memory.

    Args:
        chunks: what its body is read in.
    """

    http_version = "HTTP/2"  # so that the SDK does not drain it, which needs an event loop
    status_code = 200
    stream = None

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks
        self.request = SimpleNamespace(method="GET", url="")
        self.headers: dict[str, str] = {}

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self._chunks

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def see(stream_cls: Any, client_cls: type, item_type: Any, chunks: list[bytes]) -> list[Any]:
    """Return what a stream gives: its items, and the error that ends it."""
    client: Any = object.__new__(client_cls)
    client._strict_response_validation = False
    response = Response(chunks)
    return outcome_of(lambda: stream_cls(cast_to=item_type, response=response, client=client))


def outcome_of(make: Callable[[], Any], found: list[Any] | None = None) -> list[Any]:
    """Return what a stream gives: its items, and the error that ends it.

    Args:
        make: makes the stream, or what is awaited for it. It may raise the error. Nothing may wait.
        found: where to add what the stream gives.
    """
    found = [] if found is None else found

    async def read(stream: Any) -> None:
        async for item in await stream if hasattr(stream, "__await__") else stream:
            found.append(seen(item))

    try:
        stream = make()
        if hasattr(stream, "__aiter__") or hasattr(stream, "__await__"):
            read(stream).send(None)  # never suspends
        else:
            found.extend(map(seen, stream))
    except StopIteration:
        pass
    except Exception as error:
        found.append((type(error), str(error)))
    return found


def require_same(what: str, stock: Any, fast: Any) -> None:
    """Check that the SDK's own parts and the fast ones give the same.

    Args:
        what: the beginning of the error's text, such as ``"its streams give"``.
        stock: what the SDK's own parts give.
        fast: what the fast ones give.

    Raises:
        UnsupportedError: they differ.
    """
    if stock != fast:
        raise UnsupportedError(f"{what} {_brief(stock)} where {_brief(fast)} was expected")


def _brief(seen: Any) -> str:
    text = repr(seen)
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}…"


def seen(value: Any) -> Any:
    """Convert an item to a value that can be compared."""
    if isinstance(value, BaseModel):
        extra = seen(value.__pydantic_extra__)
        return (
            type(value),
            seen(vars(value)),
            extra,
            value.__pydantic_fields_set__,
            value.__pydantic_private__,
        )
    if isinstance(value, dict):
        return [(key, seen(item)) for key, item in value.items()]
    if isinstance(value, list):
        return list(map(seen, value))
    return repr(value)

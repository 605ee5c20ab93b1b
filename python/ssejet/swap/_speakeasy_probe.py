"""Compares the items that an SDK from Speakeasy and its fast generators make of a few streams."""

from __future__ import annotations

import json
from functools import partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal, Union

from pydantic import Field, create_model

from ssejet.swap._plan.probe import Response, outcome_of
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["compare"]

_INNER = {"text": "a", "count": 1, "kind": "x"}
_DATA: dict[str, Any] = {"id": "b", "inner": _INNER, "many": [_INNER], "number": 1.5, "either": "c"}
_CHANGES: list[dict[str, Any]] = [
    {},
    {"more": [1], "event": "z"},
    {"id": None},
    {"id": 5, "number": "2"},
    {"number": 3, "either": [1]},
    {"optional": None, "either": None, "count": None},
    {"optional": "d", "either": {"text": "e"}},
    {"inner": {"text": "f"}},
    {"inner": {**_INNER, "kind": "y"}},
    {"many": [], "field_name": "g"},
    {"fieldName": "h"},
    {"number": 2**64},
]
_BLOCKS = (
    b"data: [DONE]\n\n",
    b"data:[DONE]\r\n\r\n",
    b": comment\n\n",
    b": \xff\n\n",
    b"event: y\n\n",
    b"id: 1\n\n",
    b"retry: 5\n\n",
    b"id: 1\nretry: 5\n",
    b"data\n\n",
    b"data: {\n\n",
    b'data: {"a":\ndata: 1}\n\n',
    b"data: null\n\n",
    b"\xef\xbb\xbf\n\n",
    b"\n\n\n",
)


def compare(
    stock: dict[str, Any],
    fast: Callable[..., Any],
    assembler_of: Callable[[Any], Any],
    types: Any,
    unmarshal_json: Callable[[str, Any], Any],
) -> None:
    """Check that fast generators give the same as the SDK's own.

    Args:
        stock: the SDK's generators.
        fast: makes the fast generator in place of one, and of its arguments.
        assembler_of: makes what builds the items of a type.
        types: the SDK's module with the base class of its models.
        unmarshal_json: makes an item of JSON and its type.

    Raises:
        UnsupportedError: they differ, or nothing of a usual stream is built.
    """
    for type_ in _item_types(types):
        assembler = assembler_of(type_)
        if assembler is None:
            raise UnsupportedError("the models of its streams are of an unknown kind")

        def decode(text: str, type_: Any = type_) -> Any:
            return unmarshal_json(text, type_)

        for chunks in _bodies("event" in type_.model_fields):
            for function in stock.values():
                rest = (Response(chunks), decode, "[DONE]")
                expected = outcome_of(partial(function, *rest))
                if outcome_of(partial(fast, function, assembler, *rest)) != expected:
                    raise UnsupportedError(f"its {function.__name__} gives other items than expected")


def _item_types(types: Any) -> list[Any]:
    def make(name: str, **fields: Any) -> Any:
        return create_model(name, __base__=types.BaseModel, **fields)

    unset, optional = types.UNSET, types.OptionalNullable
    inner = make("Inner", text=(str, ...), count=(optional[int], unset), kind=(Literal["x"], "x"))
    data = make(
        "Data",
        id=(str, ...),
        inner=(inner, ...),
        many=(GenericAlias(list, (inner,)), ...),
        number=(float, ...),
        either=(Union[str, inner, None], None),  # noqa: UP007 - old versions of pydantic are used too
        optional=(optional[str], unset),
        field_name=(str, Field("none", alias="fieldName")),
    )
    return [make("One", data=(data, ...)), make("Two", event=(str, ...), data=(data, ...))]


def _bodies(has_event: bool) -> Iterator[list[bytes]]:
    head = b"event: x\n" if has_event else b""
    blocks = [head + f"data: {json.dumps(_DATA | change)}\n\n".encode() for change in _CHANGES]
    good = blocks[0]
    for block in blocks[2:]:
        yield [good, block, good]
    yield [b"".join(blocks[:2])]
    for odd in _BLOCKS:
        yield [good, odd + good, good[:20], good[20:] + good[:-2]]
    crlf = good.replace(b"\n", b"\r\n")
    yield [crlf, crlf[:-1], crlf[-1:], good.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + good]

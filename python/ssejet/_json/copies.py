"""Makes deeply nested JSON pass through pickle and copy."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet._json.depth import is_deeper
from ssejet._json.reading import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["copyable"]

# pickle and copy get values up to this depth unchanged. Their own limit is a few hundred levels, or fewer if
# the call stack is deep.
_MAX_DEPTH = 50


def copyable(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace values that are nested too deep for pickle and copy by JSON text, which both decode again."""
    deep: dict[str, Any] = {}
    for name, value in fields.items():
        if is_deeper(value, _MAX_DEPTH):
            with suppress(TypeError):  # it is not JSON, or holds an object twice: it stays as it is
                deep[name] = _Text("".join(_encoded(value)))
    return {**fields, **deep} if deep else fields


class _Text(str):
    """JSON text. To unpickle or copy it is to decode it."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _decode, (str(self),)


def _decode(text: str) -> Any:
    try:
        return loads(text)
    except (RecursionError, ValueError):  # the stack of this thread may be too small
        return text


def _encoded(value: Any) -> Iterator[str]:
    """The JSON text of a value, in pieces.

    Raises:
        TypeError: the value is not JSON, or holds an object twice, as its text could be endless then.
    """
    seen: set[int] = set()
    # A list of iterators takes the place of recursion, so any depth works.
    todo: list[Iterator[Any]] = [iter((value,))]
    while todo:
        for each in todo[-1]:
            if isinstance(each, _Text):
                yield each
            elif isinstance(each, (dict, list)):
                if id(each) in seen:
                    raise TypeError("the value holds an object twice")
                seen.add(id(each))
                todo.append(_pieces(each))
                break
            else:
                yield json.dumps(each)
        else:
            todo.pop()


def _pieces(value: list[Any] | dict[str, Any]) -> Iterator[Any]:
    """The values in a list or dict, and the JSON text around them."""
    comma = _Text("")
    if isinstance(value, list):
        yield _Text("[")
        for each in value:
            yield comma
            yield each
            comma = _Text(",")
        yield _Text("]")
        return
    yield _Text("{")
    for name, each in value.items():
        if not isinstance(name, str):
            raise TypeError("the keys of a JSON object must be strings")
        yield _Text(f"{comma}{json.dumps(name)}:")
        yield each
        comma = _Text(",")
    yield _Text("}")

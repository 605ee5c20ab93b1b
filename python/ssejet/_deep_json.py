"""JSON that is nested so deep that functions which call themselves at each level cannot follow it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ssejet._core import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["copyable"]

# How deep values may be nested for pickle and copy to take them as they are. Their limits depend on how deep
# their callers are nested, and are a few hundred levels at best.
_MOST_DEPTH = 50


def copyable(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an object, for pickle and deepcopy: values that are too deep for them as JSON text.

    The text is decoded again when it is unpickled or copied, by the decoder that made the value.
    """
    deep: dict[str, Any] = {}
    for name, value in fields.items():
        if _is_deep(value):
            with suppress(TypeError):  # it holds something that is no JSON, and stays as it is
                deep[name] = _Text("".join(_encoded(value)))
    return {**fields, **deep} if deep else fields


class _Text(str):
    """JSON text. Unpickled or copied, it becomes what it says."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _decode, (str(self),)


def _decode(text: str) -> Any:
    try:
        return ServerSentEvent(data=text).json()
    except (RecursionError, ValueError):  # there may be less of a stack here
        return text


def _is_deep(value: Any) -> bool:
    """Whether a value of JSON types is nested deep; a value of others is not looked at."""
    level = [value]
    for _ in range(_MOST_DEPTH):
        level = [inner for each in level for inner in _parts(each)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Iterator[Any]:
    # Of these types alone, as nothing else comes from JSON.
    if type(value) is list:
        yield from (each for each in value if type(each) in (list, dict))
    elif type(value) is dict:
        yield from (each for each in value.values() if type(each) in (list, dict))


def _encoded(value: Any) -> Iterator[str]:
    """The JSON text of a value, in pieces."""
    # What is still to be written, the next last: text, and iterators over the inner parts of lists and dicts.
    todo: list[Iterator[Any]] = [iter((value,))]
    while todo:
        for each in todo[-1]:
            if isinstance(each, _Text):
                yield each
            elif type(each) in (list, dict):
                todo.append(_pieces(each))
                break
            else:
                yield json.dumps(each)
        else:
            todo.pop()


def _pieces(value: list[Any] | dict[str, Any]) -> Iterator[Any]:
    """The JSON text between the parts of a list or dict, and these parts."""
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
            raise TypeError("JSON has no such key")
        yield _Text(f"{comma}{json.dumps(name)}:")
        yield each
        comma = _Text(",")
    yield _Text("}")

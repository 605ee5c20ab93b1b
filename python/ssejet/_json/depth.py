"""Measures how deep values are nested, and finds what an object holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet import _pydantic
from ssejet._core import _stack_left

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_depth", "field_names", "is_deeper", "parts"]

# How many bytes of stack an encoder needs at most for one level of builtins, or of pydantic models.
_LEVEL_SIZE = 512
_MODEL_LEVEL_SIZE = 2048

# Encoders stop at fewer levels than this.
_MAX_LEVELS = 10_000


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and dicts in a value are nested deeper than this many levels."""
    level = [value]
    for _ in range(levels):
        # Each object counts once: a value that holds itself twice would double the level each time.
        below: dict[int, Any] = {}
        for item in level:
            if isinstance(item, (dict, list)):
                for inner in item.values() if isinstance(item, dict) else item:
                    if isinstance(inner, (dict, list)):
                        below[id(inner)] = inner
        if not below:
            return False
        level = [*below.values()]
    return True


def check_depth(value: Any) -> None:
    """Check that the stack of this thread is large enough to encode a nested value.

    Raises:
        TypeError: the stack is too small.
    """
    left = _stack_left()
    if left >= _MAX_LEVELS * _LEVEL_SIZE:
        return
    needed = 0
    size = _LEVEL_SIZE
    level = [value]
    while level:
        # Each object counts once, even if it is in many places.
        below: dict[int, Any] = {}
        for item in level:
            if _pydantic.keeps_fields_set(type(item)):
                size = _MODEL_LEVEL_SIZE  # for this level and all levels below it
            below.update((id(part), part) for part in parts(item))
        needed += size
        if needed > left:
            raise TypeError(
                f"cannot send {value.__class__.__qualname__} as JSON: it is nested too deep for the stack of "
                "this thread, or contains itself; send it from a thread with a larger stack, see "
                "threading.stack_size()"
            )
        level = [*below.values()]


def parts(value: Any) -> Iterable[Any]:
    """The values directly inside a value."""
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return ()
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    cls = type(value)
    if _pydantic.keeps_fields_set(cls):
        return [*value.__dict__.values(), *(value.__pydantic_extra__ or {}).values()]
    return [getattr(value, name, None) for name in field_names(cls)]


def field_names(cls: type[Any]) -> list[str]:
    """The names of the fields of a Struct, a dataclass or an attrs class; of any other class none."""
    for fields in ("__struct_fields__", "__dataclass_fields__"):
        if hasattr(cls, fields):
            return [*getattr(cls, fields)]
    return [field.name for field in getattr(cls, "__attrs_attrs__", ())]

"""Replaces the instances of some classes inside a value."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from ssejet import _pydantic
from ssejet._json.depth import field_names
from ssejet._json.depth import parts as parts_of
from ssejet._per_class import per_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "hold_models",
    "keeps_added_fields",
    "no_parts",
    "part_reader",
    "replace",
    "with_added_fields",
    "without_private_fields",
]


@per_class
def keeps_added_fields(cls: type[Any]) -> bool:
    """Whether a class is a model of ours, which keeps fields that msgspec does not see."""
    return issubclass(cls, msgspec.Struct) and hasattr(cls, "to_json") and hasattr(cls, "to_dict")


def with_added_fields(value: Any) -> Any:
    """The value, or a copy of it with a dict in place of each of our models.

    msgspec encodes a Struct itself, and so loses the fields that a server added to our models.
    """
    return replace(value, keeps_added_fields, lambda model: model.to_dict())


def hold_models(values: Iterable[Any]) -> bool:
    """Whether one of these values is or holds a model of ours, as far as the types of fields allow it."""
    # A loop, as any() with a generator costs as much as the rest of encoding a small Struct.
    for value in values:
        cls = value.__class__
        if cls not in _SCALARS and _is_open(cls) and _holds(value, keeps_added_fields, structs=True):
            return True
    return False


@per_class
def _is_open(cls: type[Any]) -> bool:
    return keeps_added_fields(cls) or part_reader(cls) is not no_parts


def without_private_fields(value: Any) -> Any:
    """The value, or a copy of it with a dict in place of each dataclass, as orjson encodes it."""
    from ssejet._without_orjson import dataclass_fields  # here, as few programs need it

    return replace(value, lambda cls: hasattr(cls, "__dataclass_fields__"), dataclass_fields, structs=False)


def replace(
    value: Any,
    is_replaced: Callable[[type[Any]], bool],
    replacement: Callable[[Any], Any],
    *,
    structs: bool = True,
) -> Any:
    """Replace the instances of some classes in a value. What holds one is copied, all else stays.

    Args:
        value: the value.
        is_replaced: whether to replace the instances of a class.
        replacement: gives the value that replaces an instance, and is searched too.
        structs: whether to search msgspec's Structs.
    """
    if not _holds(value, is_replaced, structs=structs):
        return value
    from copy import copy  # here, as few programs need it

    def replaced(each: Any) -> Any:
        cls = type(each)
        if is_replaced(cls):
            return replaced(replacement(each))
        if isinstance(each, dict):
            return {key: replaced(inner) for key, inner in each.items()}
        if isinstance(each, (list, tuple, set, frozenset)):
            return [replaced(inner) for inner in each]
        fields = field_names(cls) if structs or not issubclass(cls, msgspec.Struct) else ()
        if not fields:
            return each
        # A copy keeps what the class says about its encoding, such as other names and a tag.
        each = copy(each)
        for name in fields:
            if hasattr(each, name):
                _set_field(each, name, replaced(getattr(each, name)))
        return each

    return replaced(value)


def _holds(value: Any, is_searched: Callable[[type[Any]], bool], *, structs: bool) -> bool:
    """Whether a value is, or holds at any depth, an instance of a class that is searched for."""
    # Each object is visited once, as a value may hold itself. The list keeps them alive, so ids are unique.
    seen: set[int] = set()
    todo = [value]
    for each in todo:
        cls = type(each)
        inner: Iterable[Any]
        if cls is dict:
            inner = each.values()
        elif cls is list:
            inner = each
        elif is_searched(cls):
            return True
        elif structs or not issubclass(cls, msgspec.Struct):
            inner = part_reader(cls)(each)
        else:
            continue
        if id(each) not in seen:
            seen.add(id(each))
            todo += [part for part in inner if part.__class__ not in _SCALARS]
    return False


# Reading the types of a class takes as long as encoding hundreds of its instances, so the result is kept.
@per_class
def part_reader(cls: type[Any]) -> Callable[[Any], Iterable[Any]]:
    """Find the function that reads, from an instance, the values that may be or hold models of ours."""
    if issubclass(cls, msgspec.Struct):
        return _field_reader(cls)
    return no_parts if _pydantic.can_dump(cls) else parts_of  # pydantic's models encode what they hold


def _field_reader(cls: type[msgspec.Struct]) -> Callable[[Any], Iterable[Any]]:
    from msgspec import inspect

    try:
        fields = inspect.type_info(cls).fields  # type: ignore[attr-defined]
    except Exception:  # types that cannot be found or understood: msgspec encodes without them
        return msgspec.structs.astuple
    names = [field.name for field in fields if not _is_scalar(field.type)]
    if not names:
        return no_parts
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda struct: (read(struct),)


def _is_scalar(type_: Any) -> bool:
    """Whether a field of this type holds only scalars, and lists and dicts of scalars."""
    from msgspec import inspect

    if isinstance(type_, inspect.DictType):
        return _is_scalar(type_.key_type) and _is_scalar(type_.value_type)
    if isinstance(type_, inspect.UnionType):
        return all(map(_is_scalar, type_.types))
    if isinstance(type_, (inspect.ListType, inspect.SetType, inspect.VarTupleType)):
        return _is_scalar(type_.item_type)
    return isinstance(
        type_, (inspect.BoolType, inspect.FloatType, inspect.IntType, inspect.NoneType, inspect.StrType)
    )


def no_parts(_: Any) -> tuple[()]:
    return ()


def _set_field(instance: Any, name: str, value: Any) -> None:
    if isinstance(instance, msgspec.Struct):
        msgspec.structs.force_setattr(instance, name, value)
    else:
        object.__setattr__(instance, name, value)  # also if it is frozen


_SCALARS = frozenset({bool, bytes, float, int, str, type(None)})

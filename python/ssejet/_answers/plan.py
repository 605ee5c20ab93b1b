"""Plans that build models directly from JSON texts of known shapes, equal to what msgspec decodes.

The plan of a model says where its instances have their fields, and what JSON fits into each field. Any other
JSON is refused: msgspec then decodes it.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, Union, get_args, get_origin

import msgspec

from ssejet._core import Assembler

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["assembler_of", "assembler_of_union"]

Plan: TypeAlias = "tuple[Any, ...]"

_SCALARS: dict[Any, Plan] = {
    str: ("str",),
    int: ("int",),
    float: ("float",),
    bool: ("bool",),
    NoneType: ("null",),
}

# Nothing is built, of whatever kind the JSON is.
_REFUSED: Plan = ("by kind", {})


def assembler_of(model: type[msgspec.Struct], base: type[msgspec.Struct]) -> Assembler | None:
    """Make the assembler that builds the instances of a model; None if only msgspec can make them.

    Args:
        model: the model.
        base: the class of its parts that are models, too.
    """
    try:
        return Assembler(_model(model, base, ()), [])
    except TypeError:
        return None


def assembler_of_union(models: Iterable[Any], base: type[msgspec.Struct]) -> Assembler | None:
    """Make the assembler that builds the instances of models with tags; None if only msgspec can make them.

    Args:
        models: the models. Those that only msgspec can make are refused when they come.
        base: as for ``assembler_of``.
    """
    try:
        return Assembler(_union(models, base, ()), [])
    except TypeError:
        return None


def _union(models: Iterable[Any], base: type[Any], within: tuple[Any, ...]) -> Plan:
    """The plan of models with tags, of those that have one.

    Raises:
        TypeError: none has one.
    """
    plans: dict[str, Plan] = {}
    keys = set()
    for model in models:
        config = model.__struct_config__
        if not isinstance(config.tag, str):
            raise TypeError(f"{model.__name__} has no tag")
        try:
            plan = (*_model(model, base, within, in_union=True), (config.tag_field, config.tag))
            Assembler(plan, [])
        except TypeError:
            continue
        plans[config.tag] = plan
        keys.add(config.tag_field)
    if len(keys) != 1:
        raise TypeError("the tags have no key in common")
    return ("tagged", keys.pop(), {tag: place for place, tag in enumerate(plans)}, [*plans.values()])


def _model(model: Any, base: type[Any], within: tuple[Any, ...], *, in_union: bool = False) -> Plan:
    """The plan of a model.

    Raises:
        TypeError: its instances are more than plain fields, or it holds itself.
    """
    config = model.__struct_config__
    has_tag = config.tag is not None and not in_union
    if config.array_like or has_tag or hasattr(model, "__post_init__") or model in within:
        raise TypeError(f"{model.__name__} is more than plain fields, or holds itself")
    within = (*within, model)
    fields = [
        (_slot(model, field.name), field.encode_name, _value(field.type, base, within), _default(field))
        for field in msgspec.structs.fields(model)
    ]
    return ("struct", model, fields, model._sent)


def _value(type_: Any, base: type[Any], within: tuple[Any, ...]) -> Plan:
    """The plan of the value of a field."""
    if isinstance(type_, type) and issubclass(type_, base):
        return _model(type_, base, within)
    if type_ is Any:
        return ("nullable", _REFUSED)
    origin, members = get_origin(type_), get_args(type_)
    if origin is list:
        return ("list", _value(members[0], base, within))
    if origin in {Union, UnionType} and len(members) == 2 and members[1] is NoneType:
        return ("nullable", _value(members[0], base, within))
    if origin in {Union, UnionType} and all(
        isinstance(each, type) and issubclass(each, base) for each in members
    ):
        return _union(members, base, within)
    return _SCALARS.get(type_, _REFUSED)


def _slot(model: Any, name: str) -> Any:
    """The descriptor of a field, which another attribute may hide."""
    return getattr(model, f"{name}_slot", None) or getattr(model, name)


def _default(field: Any) -> Plan:
    if field.default_factory is list:
        return ("list",)
    if field.default is msgspec.NODEFAULT:
        raise TypeError(f"{field.name} has no constant default")
    return ("value", field.default)

"""Builds models of decoded JSON, even if it does not fit them.

msgspec reads a well-formed object in one pass, and refuses a wrong type. Then ``build`` goes field by field,
with the default for each field that does not fit. Servers that send clean objects do not pay for this.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, ClassVar, TypeVar, Union, cast, get_args, get_origin

import msgspec

from ssejet.chat._extra import Place, Sent, WholeChoice, names_in_json, remember

__all__ = ["Buildable", "attach_extra", "build", "build_documented", "documented"]


class Buildable(msgspec.Struct, Sent, frozen=True, gc=False):
    """What every model is: a struct with a slot for what the server sent."""

    keeps_source: ClassVar[bool] = False
    """Whether the model finds the fields that the server added to it in its ``Source``."""

    @staticmethod
    def documented(data: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The data in the form that OpenAI documents; the same object if nothing changes."""
        return data

    @classmethod
    def class_for(cls, _: Mapping[str, Any], /) -> type[Buildable]:
        """The class to build of the data: this one, unless the data names another of a union."""
        return cls


BuildableT = TypeVar("BuildableT", bound=Buildable)


def build(cls: type[BuildableT], data: Any) -> BuildableT:
    """Make a model of decoded JSON, with the default for each field that does not fit.

    Raises:
        msgspec.ValidationError: it is not an object.
    """
    return build_documented(cls, documented(cls, data) if isinstance(data, Mapping) else data)


def build_documented(cls: type[BuildableT], data: Any) -> BuildableT:
    """Do what ``build`` does, for data in the form that OpenAI documents."""
    model = _fitted(cls, data)
    attach_extra(model, data)
    return model


def _fitted(cls: type[BuildableT], data: Any) -> BuildableT:
    if isinstance(data, Mapping):
        cls = cast("type[BuildableT]", cls.class_for(data))
    try:
        return msgspec.convert(data, cls)
    except (msgspec.ValidationError, UnicodeEncodeError):
        if not isinstance(data, Mapping):
            raise
        fitted = {
            field.name: _fit(data[field.encode_name], field.type)
            for field in _fields_of(cls)
            if field.encode_name in data
        }
        return cls(**{name: value for name, value in fitted.items() if value is not None})


def documented(cls: type[Buildable], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data with all its parts in the form that OpenAI documents; the same object if nothing changes."""
    data = cls.documented(data)
    cls = cls.class_for(data)
    changes = {}
    for name, model in _parts_of(cls):
        value = data.get(name)
        if isinstance(value, Mapping):
            part: Any = documented(model, value)
        elif isinstance(value, list):
            parts = [documented(model, each) if isinstance(each, Mapping) else each for each in value]
            part = value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
        else:
            continue
        if part is not value:
            changes[name] = part
    return _kind_of(data)(data, **changes) if changes else data


def attach_extra(model: Buildable, data: Mapping[str, Any], path: tuple[Any, ...] = ()) -> list[Place]:
    """Give each part of a model the fields that a server added to it. A whole response has its own in its source.

    Args:
        model: the part.
        data: what it was made from.
        path: what leads to it.

    Returns:
        Where these fields are.
    """
    names, parts, keeps_source = _layout_of(type(model))
    places = []
    added = data.keys() - names
    if added:
        places.append(Place(path, tuple(name for name in data if name in added)))
    if (not keeps_source or path) and (added or type(data) is WholeChoice):
        # The type goes with the fields: it says that the choice holds a whole message.
        remember(model, _kind_of(data)((name, data[name]) for name in data if name in added))
    for name in parts:
        sent = data.get(name)
        if not sent:
            continue
        value = getattr(model, name)
        if isinstance(value, list):
            if isinstance(sent, list):
                kept = [each for each in sent if isinstance(each, dict)]
                if len(kept) == len(value):
                    for index, (part, each) in enumerate(zip(value, kept, strict=True)):
                        places += attach_extra(part, each, (*path, name, index))
        elif isinstance(value, Buildable) and isinstance(sent, dict):
            places += attach_extra(value, sent, (*path, name))
    return places


def _kind_of(data: Mapping[str, Any]) -> type[dict[str, Any]]:
    return WholeChoice if type(data) is WholeChoice else dict


@functools.cache
def _layout_of(cls: type[Buildable]) -> tuple[frozenset[str], list[str], bool]:
    """A model's fields, those of them that are models or lists of models, and if it keeps a source."""
    return names_in_json(cls), [name for name, _ in _parts_of(cls)], cls.keeps_source


@functools.cache
def _parts_of(cls: type[Buildable]) -> list[tuple[str, type[Buildable]]]:
    """The fields of a model that are models or lists of models."""
    parts = []
    for field in _fields_of(cls):
        types = [field.type]
        while types:
            type_ = types.pop()
            if isinstance(type_, type) and issubclass(type_, Buildable):
                parts.append((field.name, type_))
                break
            origin = get_origin(type_)
            if isinstance(origin, type) and issubclass(origin, Buildable):
                parts.append((field.name, origin))
                break
            if origin in {Union, UnionType, list}:
                types += get_args(type_)
    return parts


_fields_of = functools.cache(msgspec.structs.fields)


def _fit(value: Any, type_: Any) -> Any:
    """The value as a type, converted if need be; None if that is not possible."""
    try:
        return msgspec.convert(value, type_)
    except (msgspec.ValidationError, UnicodeEncodeError):
        for member in get_args(type_) if get_origin(type_) in {Union, UnionType} else (type_,):
            if (fitted := _converted(value, member)) is not None:
                return fitted
        return None


def _converted(value: Any, type_: Any) -> Any:
    """The value converted to a type that it does not have, or None."""
    if isinstance(value, dict) and isinstance(type_, type) and issubclass(type_, Buildable):
        return _fitted(type_, value)
    if isinstance(value, list) and get_origin(type_) is list:
        (item_type,) = get_args(type_)
        return [fitted for item in value if (fitted := _fit(item, item_type)) is not None]
    if type_ is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if type_ is int and isinstance(value, float) and math.isfinite(value):
        return int(value)
    if type_ in {int, float} and isinstance(value, str) and _is_number(value):
        return float(value) if type_ is float else int(float(value)) if _is_fraction(value) else int(value)
    return None


_is_number = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?").fullmatch
_is_fraction = re.compile(r"[^.]*\..*").fullmatch

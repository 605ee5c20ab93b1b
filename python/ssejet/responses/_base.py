"""What the models of the Responses API share: each keeps the JSON object that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import msgspec

from ssejet._answers.base import Model
from ssejet._answers.source import copy_json, names_in_json, remember
from ssejet._json import to_json_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typing_extensions

    TextFormatT = typing_extensions.TypeVar("TextFormatT", default=Any)
else:
    TextFormatT = TypeVar("TextFormatT")

__all__ = ["Class", "Part", "TextFormatT", "by_type", "plain"]


class Part(Model, frozen=True):
    """A part of a response or of an event.

    ``to_dict()`` gives all that the server sent, and ``extra`` what it sent beyond the fields.
    ``msgspec.structs.replace`` makes objects that have their fields only.
    """

    keeps_all: ClassVar[bool] = True

    @property
    def sent(self) -> Mapping[str, Any] | None:
        """The JSON object that the server sent; None if this object was made by hand. Do not change it."""
        return getattr(self, "_sent", None)

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that the server added to this object, as a copy."""
        known = names_in_json(type(self))
        return {name: copy_json(value) for name, value in (self.sent or {}).items() if name not in known}

    def to_dict(self) -> dict[str, Any]:
        """All that the server sent. If the object was made by hand: the fields that are not None."""
        return plain(self) if self.sent is None else dict(copy_json(self.sent))

    def to_param(self) -> dict[str, Any]:
        """The object in the form that a request's ``input`` takes."""
        return self.to_dict()

    def __reduce__(self) -> Any:
        if self.sent is None:
            return super().__reduce__()
        return _restore, (type(self), self.to_dict(), msgspec.structs.astuple(self))


def plain(part: Part) -> dict[str, Any]:
    """The fields of an object that are not None, and its type, as JSON types."""
    config = part.__struct_config__
    fields = {} if config.tag_field is None else {config.tag_field: config.tag}
    for name, value in zip(part.__struct_encode_fields__, msgspec.structs.astuple(part), strict=True):
        if value is not None:
            fields[name] = _json_types(value)
    return fields


def _json_types(value: Any) -> Any:
    if isinstance(value, Part):
        return value.to_dict()
    return list(map(_json_types, value)) if isinstance(value, list) else to_json_types(value)


# Some models have a field ``type``, which would hide the builtin in annotations.
Class: TypeAlias = type[Part]

PartT = TypeVar("PartT", bound=Part)


def _restore(cls: type[PartT], sent: dict[str, Any], fields: tuple[Any, ...]) -> PartT:
    part = cls(*fields)
    remember(part, sent)
    return part


def by_type(*classes: type[Part]) -> dict[Any, type[Part]]:
    """The classes of a union, by the ``type`` that each has in JSON."""
    return {cls.__struct_config__.tag: cls for cls in classes}

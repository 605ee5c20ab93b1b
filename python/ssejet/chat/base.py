"""What the models share: reading that tolerates what servers really send, and writing it back.

msgspec reads a well-formed object in one pass and refuses a wrong type. ``build`` is the second
chance: field by field, with the default for whatever does not fit. It runs only after msgspec's refusal,
so servers that send clean objects pay nothing for those that don't.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Union, get_args, get_origin

import msgspec
import orjson

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Model", "Response"]


class Model(msgspec.Struct, frozen=True, gc=False, repr_omit_defaults=True):
    """A part of what the server sent: immutable, equal by value, with every field optional.

    The garbage collector does not track models: being immutable, they cannot come to hold themselves.
    """

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Builds the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object; keys that are no field are left out.
        """
        return build(cls, data)

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not None, as JSON types."""
        fields = msgspec.structs.asdict(self)
        return {name: to_builtins(value) for name, value in fields.items() if value is not None}

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text of ``to_dict()``.

        Args:
            indent: spaces per level; None writes one line.
        """
        return dump_json(self.to_dict(), indent)


class _Sent:
    """A slot for what a model was made from. No field, so that no comparison or encoding sees it."""

    __slots__ = ("_sent",)


class Response(Model, _Sent, frozen=True):
    """A whole object from the wire. It remembers what it was made from, for whoever asks.

    Remembering costs one reference; only ``extra`` and ``to_dict()`` parse the text again. A copy with
    other values (``msgspec.structs.replace``) forgets it.
    """

    # Typed streams decode the text themselves, and leave it here.
    text_slot: ClassVar[str] = "_sent"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Reads JSON text; what is null, missing or of a wrong type becomes the field's default.

        Raises:
            json.JSONDecodeError: the text is not JSON.
            msgspec.ValidationError: it is not an object.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        try:
            response = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:  # a field of a wrong type, or JSON that msgspec does not accept
            response = build(cls, load_json(text))
        remember(response, text)
        return response

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Builds the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object; keys that are no field are found in ``extra``.
        """
        response = build(cls, data)
        remember(response, data)
        return response

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that the server added to this object; those added further in are in ``to_dict()``."""
        return {name: value for name, value in self._as_sent().items() if name not in self.__struct_fields__}

    def to_dict(self) -> dict[str, Any]:
        """The object as the server sent it, every field included; made by hand: the fields not None."""
        return self._as_sent() or super().to_dict()

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text as the server sent it; made by hand, or with an indent: that of ``to_dict()``.

        Args:
            indent: spaces per level; None leaves the text as it came.
        """
        source = self._source
        return source if isinstance(source, str) and indent is None else super().to_json(indent=indent)

    @property
    def _source(self) -> Any:
        """The text or the mapping that this was made from, or None."""
        return getattr(self, "_sent", None)

    def _as_sent(self) -> dict[str, Any]:
        source = self._source
        if source is None:
            return {}
        return dict(load_json(source) if isinstance(source, str) else source)

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> Any:
        source = self._source
        return super().__reduce__() if source is None else (_restore, (type(self), source))


def remember(response: Response, source: Any) -> None:
    """Let a response, frozen as it is, know what it was made from."""
    msgspec.structs.force_setattr(response, "_sent", source)


ModelT = TypeVar("ModelT", bound=Model)
ResponseT = TypeVar("ResponseT", bound=Response)


def _restore(cls: type[ResponseT], sent: str | Mapping[str, Any]) -> ResponseT:
    return cls.from_json(sent) if isinstance(sent, str) else cls.from_dict(sent)


def build(cls: type[ModelT], data: Any) -> ModelT:
    """Makes a model of decoded JSON, with the default for every field that does not fit.

    Raises:
        msgspec.ValidationError: it is not an object.
    """
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError:
        if not isinstance(data, Mapping):
            raise
        fitted = {
            field.name: _fit(data[field.encode_name], field.type)
            for field in _fields_of(cls)
            if field.encode_name in data
        }
        return cls(**{name: value for name, value in fitted.items() if value is not None})


_fields_of = functools.cache(msgspec.structs.fields)


def _fit(value: Any, type_: Any) -> Any:
    """The value as the type, or None if it cannot be."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError:
        for member in get_args(type_) if get_origin(type_) in {Union, UnionType} else (type_,):
            if (fitted := _bend(value, member)) is not None:
                return fitted
        return None


def _bend(value: Any, type_: Any) -> Any:
    """The value bent to a type that it is not, or None."""
    if isinstance(value, dict) and isinstance(type_, type) and issubclass(type_, Model):
        return build(type_, value)
    if isinstance(value, list) and get_origin(type_) is list:
        (item_type,) = get_args(type_)
        return [fitted for item in value if (fitted := _fit(item, item_type)) is not None]
    if type_ is str and isinstance(value, (int, float)):
        return str(value)
    if type_ is int and isinstance(value, float) and math.isfinite(value):
        return int(value)
    if type_ in {int, float} and isinstance(value, str):
        try:
            return type_(value)
        except ValueError:
            return None
    return None


def load_json(text: str) -> Any:
    """Whatever ``json.loads`` accepts, at orjson's speed where orjson accepts it."""
    try:
        return orjson.loads(text)
    except ValueError:  # NaN, lone surrogates, integers beyond 64 bits; or not JSON, which this says again
        return json.loads(text)


def dump_json(value: Any, indent: int | None = None) -> str:
    """The JSON text of a value made of JSON types, lone surrogates escaped."""
    try:
        text = msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return (msgspec.json.format(text, indent=indent) if indent is not None else text).decode()


def to_builtins(value: Any) -> Any:
    """Models, and the users' own typed objects, as JSON types."""
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, list):
        return [to_builtins(item) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return msgspec.to_builtins(value)

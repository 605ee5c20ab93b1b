"""What the models share: reading that tolerates what servers really send, and writing it back.

msgspec reads a well-formed object in one pass and refuses a wrong type. ``_build`` is the second
chance: field by field, with the default for whatever does not fit. It runs only after msgspec's refusal,
so servers that send clean objects pay nothing for those that don't.

Texts of a shape that was seen before, and that holds nothing but known fields, are taken as msgspec reads
them. Any other text is parsed once more, to look for what the types do not know: see ``Response.adopt``.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from ssejet._core import KnownShapes, ServerSentEvent
from ssejet.reported import is_error_answer

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Gathered", "Model", "Response", "Unusual"]


class _Sent:
    """A slot for what a server sent besides the fields. No comparison and no encoding sees a slot."""

    __slots__ = ("_sent",)


class Model(msgspec.Struct, _Sent, frozen=True, gc=False, repr_omit_defaults=True):
    """A part of what the server sent: immutable, equal by value, with every field optional.

    The garbage collector does not track models: being immutable, they cannot come to hold themselves.
    """

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Builds the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object; keys that are no field are found in ``extra``.
        """
        return _build(cls, data)

    @staticmethod
    def documented(data: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The data in the form that OpenAI documents, or as it is."""
        return data

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that the server added to this object.

        Parts of a chunk have theirs in any case; ``msgspec.structs.replace`` makes copies without.
        """
        return dict(getattr(self, "_sent", None) or {})

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not None, and those that the server added, as JSON types."""
        fields = msgspec.structs.asdict(self)
        return {
            **{name: to_builtins(value) for name, value in fields.items() if value is not None},
            **self.extra,
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text of ``to_dict()``.

        Args:
            indent: spaces per level; None writes one line.
        """
        return dump_json(self.to_dict(), indent)

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> Any:
        extra = getattr(self, "_sent", None)
        return _restore_model, (type(self), msgspec.structs.astuple(self), extra)


class Unusual(NamedTuple):
    """What an answer was made from that has more than the known fields in the known places, or less.

    Attributes:
        text: the JSON text.
        data: the object that it gives.
    """

    text: str
    data: Mapping[str, Any]


class Gathered(NamedTuple):
    """What a completion that was put together from chunks remembers.

    Attributes:
        extra: the fields that the server added to the chunks.
    """

    extra: dict[str, Any]


class Response(Model, frozen=True):
    """A whole object from the wire. It remembers what it was made from, for whoever asks.

    Remembering costs one reference; only ``extra`` and ``to_dict()`` parse the text again. A copy with
    other values (``msgspec.structs.replace``) forgets it.
    """

    # Typed streams decode the text themselves, and leave it here.
    text_slot: ClassVar[str] = "_sent"

    @classmethod
    def shapes(cls) -> KnownShapes:
        """The shapes of JSON texts that hold only known fields, and no error."""
        return _shapes_of(cls)

    @classmethod
    def extended_shapes(cls) -> KnownShapes:
        """The shapes of texts that are the same but for fields that a server added."""
        return _extended_shapes_of(cls)

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
            return cls.adopt(None, text, load_json(text))
        if cls.shapes().knows(text):
            remember(response, text)
            return response
        if cls.extended_shapes().knows(text):
            return cls.extend(response, text)
        return cls.adopt(response, text, load_json(text))

    @classmethod
    def adopt(cls, response: Self | None, text: str, data: Any) -> Self:
        """Completes a response by what its type does not know.

        Args:
            response: as msgspec read it; None if it could not.
            text: the JSON text.
            data: what the text gives.

        Raises:
            msgspec.ValidationError: it is not an object, or is nested too deep.
        """
        if not isinstance(data, Mapping):
            raise msgspec.ValidationError(f"expected an object, got {type(data).__name__}")
        if is_too_deep(data):
            raise msgspec.ValidationError(f"nested deeper than {_MOST_DEPTH} levels")
        documented = _documented(cls, data)
        if response is None or documented is not data:
            response = _build_documented(cls, documented)
        elif attach_extra(response, data):
            if data.get("choices") and not is_error_answer(data):
                cls.extended_shapes().add(text)
        elif data.get("choices") and not is_error_answer(data):
            cls.shapes().add(text)
            remember(response, text)
            return response
        remember(response, Unusual(text, data))
        return response

    @classmethod
    def extend(cls, response: Self, text: str) -> Self:
        """Completes a response, as msgspec read it, whose text is of one of the ``extended_shapes()``."""
        data = load_json(text)
        attach_extra(response, data)
        remember(response, Unusual(text, data))
        return response

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Builds the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object; keys that are no field are found in ``extra``.
        """
        response = _build(cls, data)
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
        text = source.text if isinstance(source, Unusual) else source
        return text if isinstance(text, str) and indent is None else super().to_json(indent=indent)

    @property
    def _source(self) -> Any:
        """The text or the mapping that this was made from, both, or None."""
        return getattr(self, "_sent", None)

    def _as_sent(self) -> dict[str, Any]:
        source = self._source
        if isinstance(source, str):
            return dict(load_json(source))
        return dict(source.data if isinstance(source, Unusual) else source or {})

    def __reduce__(self) -> Any:
        source = self._source
        if source is None:
            return super().__reduce__()
        return _restore, (type(self), source.text if isinstance(source, Unusual) else source)


def remember(model: Model, source: Any) -> None:
    """Let a model, frozen as it is, know what it was made from, or what the server added to it."""
    msgspec.structs.force_setattr(model, "_sent", source)


# How deep answers may be nested. Python's own functions for copies and JSON reach their limit at about 1,000.
_MOST_DEPTH = 200


def is_too_deep(value: Any) -> bool:
    """Whether decoded JSON is nested deeper than what can be copied and written again."""
    level = [value]
    for _ in range(_MOST_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


ModelT = TypeVar("ModelT", bound=Model)
ResponseT = TypeVar("ResponseT", bound=Response)


def _restore(cls: type[ResponseT], sent: str | Mapping[str, Any]) -> ResponseT:
    return cls.from_json(sent) if isinstance(sent, str) else cls.from_dict(sent)


def _restore_model(cls: type[ModelT], fields: tuple[Any, ...], extra: dict[str, Any] | None) -> ModelT:
    model = cls(*fields)
    if extra is not None:
        remember(model, extra)
    return model


_shapes_of = functools.cache(lambda cls: KnownShapes())
_extended_shapes_of = functools.cache(lambda cls: KnownShapes())


def _build(cls: type[ModelT], data: Any) -> ModelT:
    """Makes a model of decoded JSON, with the default for every field that does not fit.

    Raises:
        msgspec.ValidationError: it is not an object.
    """
    return _build_documented(cls, _documented(cls, data) if isinstance(data, Mapping) else data)


def _build_documented(cls: type[ModelT], data: Any) -> ModelT:
    model = _fitted(cls, data)
    attach_extra(model, data)
    return model


def _fitted(cls: type[ModelT], data: Any) -> ModelT:
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


def _documented(cls: type[Model], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data with all its parts in the form that OpenAI documents; the same object if nothing changes."""
    data = cls.documented(data)
    changes = {}
    for name, model in _parts_of(cls):
        value = data.get(name)
        if isinstance(value, Mapping):
            part: Any = _documented(model, value)
        elif isinstance(value, list):
            parts = [_documented(model, each) if isinstance(each, Mapping) else each for each in value]
            part = value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
        else:
            continue
        if part is not value:
            changes[name] = part
    return {**data, **changes} if changes else data


def attach_extra(model: Model, data: Mapping[str, Any]) -> bool:
    """Give a model's parts the fields that a server added to them; a response finds its own in its source.

    Returns:
        Whether there are any.
    """
    # With some servers, this runs for each chunk.
    names, parts, is_response = _layout_of(type(model))
    found = False
    if not is_response and (added := data.keys() - names):
        remember(model, {name: data[name] for name in data if name in added})
        found = True
    for name in parts:
        sent = data.get(name)
        if not sent:
            continue
        value = getattr(model, name)
        if isinstance(value, list):
            if isinstance(sent, list):
                kept = [each for each in sent if isinstance(each, dict)]
                if len(kept) == len(value):
                    for part, each in zip(value, kept, strict=True):
                        found |= attach_extra(part, each)
        elif isinstance(value, Model) and isinstance(sent, dict):
            found |= attach_extra(value, sent)
    return found


@functools.cache
def _layout_of(cls: type[Model]) -> tuple[frozenset[str], list[str], bool]:
    """The names of a model's fields, of those that are models or lists of models, and if it is a response."""
    return frozenset(cls.__struct_fields__), [name for name, _ in _parts_of(cls)], issubclass(cls, Response)


@functools.cache
def _parts_of(cls: type[Model]) -> list[tuple[str, type[Model]]]:
    """The fields of a model that are models or lists of models."""
    parts = []
    for field in _fields_of(cls):
        types = [field.type]
        while types:
            type_ = types.pop()
            if isinstance(type_, type) and issubclass(type_, Model):
                parts.append((field.name, type_))
                break
            origin = get_origin(type_)
            if isinstance(origin, type) and issubclass(origin, Model):
                parts.append((field.name, origin))
                break
            if origin in {Union, UnionType, list}:
                types += get_args(type_)
    return parts


_fields_of = functools.cache(msgspec.structs.fields)


def _fit(value: Any, type_: Any) -> Any:
    """The value as the type, or None if it cannot be."""
    try:
        return msgspec.convert(value, type_)
    except (msgspec.ValidationError, UnicodeEncodeError):
        for member in get_args(type_) if get_origin(type_) in {Union, UnionType} else (type_,):
            if (fitted := _bend(value, member)) is not None:
                return fitted
        return None


def _bend(value: Any, type_: Any) -> Any:
    """The value bent to a type that it is not, or None."""
    if isinstance(value, dict) and isinstance(type_, type) and issubclass(type_, Model):
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


def load_json(text: str) -> Any:
    """Whatever ``json.loads`` accepts, at orjson's speed where orjson accepts it."""
    return ServerSentEvent(data=text).json()


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

"""What the models share: reading an answer from text or a dict, and writing it back.

A text of a shape that was seen before is taken as msgspec reads it. Any other text is parsed once more, to
look for what the types do not know: see ``Response.adopt``. msgspec refuses a value of a wrong type; then the
model is built field by field, with the default for each field that does not fit.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Union, cast, get_args, get_origin

import msgspec

from ssejet._answers.plan import assembler_of, assembler_of_union
from ssejet._answers.source import Marked, Place, Sent, Source, added_to, copy_json, names_in_json, remember
from ssejet._core import AnswerBuilder, KnownShapes
from ssejet._json import dump_builtins, is_deeper, loads, to_json_types
from ssejet._server_errors import is_error_answer

if TYPE_CHECKING:
    from typing_extensions import Self

    from ssejet._core import Assembler

__all__ = ["Model", "Response", "build", "holds_parts", "is_too_deep"]

# How deep answers may be nested. Python's functions for copies and JSON reach their limit at about 1,000.
MAX_DEPTH = 200


class Model(msgspec.Struct, Sent, frozen=True, gc=False, repr_omit_defaults=True):
    """A part of an answer: immutable, equal by value, with a default for each field.

    The garbage collector does not track models: they are immutable, so they cannot refer to themselves.
    """

    keeps_source: ClassVar[bool] = False
    """Whether the model finds the fields that the server added to it in its ``Source``."""

    keeps_all: ClassVar[bool] = False
    """Whether the model keeps the whole JSON object that it was made from, not only what the server added."""

    @classmethod
    def class_for(cls, _: Mapping[str, Any], /) -> type[Model]:
        """The class to build of the data: this one, unless the data names another of a union."""
        return cls

    @staticmethod
    def documented(data: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The data, with all its parts, in the form that OpenAI documents; the same object if it has it."""
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object; keys that are not fields are in ``extra``.
        """
        return build(cls, copy_json(data))

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that the server added to this object, as a copy.

        ``msgspec.structs.replace`` makes objects without them.
        """
        return dict(copy_json(added_to(self) or {}))

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not None, and those that the server added, as JSON types."""
        config = self.__struct_config__
        fields: dict[str, Any] = {} if config.tag_field is None else {config.tag_field: config.tag}
        for name, value in zip(self.__struct_encode_fields__, msgspec.structs.astuple(self), strict=True):
            if value is not None:
                fields[name] = to_json_types(value)
        return {**fields, **self.extra}

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text of ``to_dict()``.

        Args:
            indent: spaces per level; None writes one line.
        """
        return dump_builtins(self.to_dict(), indent)

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> Any:
        return _restore_model, (type(self), msgspec.structs.astuple(self), added_to(self))


class Response(Model, frozen=True):
    """A whole answer or chunk. It remembers the JSON text that it was made from.

    That costs one reference; only ``extra`` and ``to_dict()`` parse the text again. A copy with other values
    (``msgspec.structs.replace``) has none.
    """

    keeps_source: ClassVar[bool] = True

    # Typed streams decode the text themselves, and store it here.
    text_slot: ClassVar[str] = "_sent"
    # What puts the chunks of a stream together; None if nothing does. See AnswerCast.
    collect: ClassVar[Any] = None

    @classmethod
    def decoded_type(cls) -> Any:
        """The type that msgspec decodes a text to: this class, or the union that it stands for."""
        return cls

    @classmethod
    def is_answer(cls, data: Mapping[str, Any]) -> bool:
        """Whether decoded JSON, if it reports no error, is what this class stands for."""
        return bool(data.get("choices"))

    @classmethod
    def shapes(cls) -> KnownShapes:
        """The known shapes of JSON texts, all of answers without an error.

        A shape with fields that a server added has their places.
        """
        return _shapes_of(cls)

    @classmethod
    def builder(cls) -> AnswerBuilder | None:
        """What builds the answers of one stream if their shapes are known; None if only msgspec can."""
        assembler, types = _assembler_of(cls)
        return None if assembler is None else AnswerBuilder(assembler, cls.shapes(), types)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read JSON text; what is null, missing or of a wrong type becomes the field's default.

        Raises:
            json.JSONDecodeError: the text is not JSON.
            msgspec.ValidationError: it is not an object.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        try:
            response: Self = msgspec.json.decode(text, type=cls.decoded_type())
        except msgspec.DecodeError:  # a field of a wrong type, or JSON that msgspec refuses
            return cls.adopt(None, text, loads(text))
        if cls.shapes().knows(text):
            _set(response, "_sent", text)
            return response
        return cls.complete(response, text, lambda: loads(text))

    @classmethod
    def complete(cls, response: Self | None, text: str, read: Callable[[], Any]) -> Self:
        """Add to a response what its type does not know, if the shape of its text is not known to be plain.

        Args:
            response: as msgspec read it; None if it could not.
            text: the JSON text.
            read: gives what the text gives, or raises.

        Raises:
            msgspec.ValidationError: it is not an object, or is nested too deep.
        """
        if response is not None and cls.extend(response, text):
            return response
        return cls.adopt(response, text, read())

    @classmethod
    def extend(cls, response: Self, text: str) -> bool:
        """Add to a response, as msgspec read it, the fields that a server added in known places.

        Returns:
            Whether the shape of the text is one whose places are known.
        """
        # With some servers, this runs for each chunk.
        places = _shapes_of(cls).note(text)
        if places is None:
            return False
        source = Source(text, places)
        _set(response, "_sent", source)
        for place in places:
            part: Any = response
            for step in place.path:
                part = part[step] if type(step) is int else getattr(part, step)
            if part is not response:
                _set(part, "_sent", (source, place))
        return True

    @classmethod
    def adopt(cls, response: Self | None, text: str, data: Any) -> Self:
        """Add to a response what its type does not know, and learn the shape of its text.

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
            raise msgspec.ValidationError(f"nested deeper than {MAX_DEPTH} levels")
        in_documented_form = cls.documented(data)
        if response is None or in_documented_form is not data:
            response = _build_documented(cls, in_documented_form)
            _set(response, "_sent", Source(text, data=data))
            return response
        places = tuple(_attach_extra(response, data))
        is_ordinary = cls.is_answer(data) and not is_error_answer(data)
        if is_ordinary:
            cls.shapes().add(text, places or None)
        plain = is_ordinary and not places
        _set(response, "_sent", text if plain else Source(text, data=data))
        return response

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object, which is copied; keys that are not fields are in ``extra``.
        """
        data = copy_json(data)
        response = build(cls, data)
        _set(response, "_sent", Source(None, data=data))
        return response

    def to_dict(self) -> dict[str, Any]:
        """All that the server sent. If the object was made by hand: the fields that are not None."""
        text = self._text
        if text is not None:
            return dict(loads(text))
        sent = self._source
        return dict(copy_json(sent.read())) if isinstance(sent, Source) else super().to_dict()

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text that the server sent. With an indent, or made by hand: that of ``to_dict()``.

        Args:
            indent: spaces per level; None leaves the text as it came.
        """
        text = self._text
        return text if text is not None and indent is None else super().to_json(indent=indent)

    @property
    def _source(self) -> Any:
        """The JSON text if it holds known fields only, else a ``Source``; None if made by hand."""
        return getattr(self, "_sent", None)

    @property
    def _text(self) -> str | None:
        sent = self._source
        return sent.text if isinstance(sent, Source) else sent if isinstance(sent, str) else None

    def __reduce__(self) -> Any:
        sent = self._source
        if isinstance(sent, (str, Source)):
            return _restore, (type(self), self._text or self._source.read())
        return super().__reduce__()


ModelT = TypeVar("ModelT", bound=Model)
ResponseT = TypeVar("ResponseT", bound=Response)


def _restore(cls: type[ResponseT], sent: str | Mapping[str, Any]) -> ResponseT:
    return cls.from_json(sent) if isinstance(sent, str) else cls.from_dict(sent)


def _restore_model(cls: type[ModelT], fields: tuple[Any, ...], extra: dict[str, Any] | None) -> ModelT:
    model = cls(*fields)
    if extra is not None:
        remember(model, extra)
    return model


def build(cls: type[ModelT], data: Any) -> ModelT:
    """Make a model of decoded JSON, with the default for each field that does not fit.

    Raises:
        msgspec.ValidationError: it is not an object.
    """
    return _build_documented(cls, cls.documented(data) if isinstance(data, Mapping) else data)


def _build_documented(cls: type[ModelT], data: Any) -> ModelT:
    """Do what ``build`` does, for data in the form that OpenAI documents."""
    model = _fitted(cls, data)
    _attach_extra(model, data)
    return model


def _fitted(cls: type[ModelT], data: Any) -> ModelT:
    if isinstance(data, Mapping):
        cls = cast("type[ModelT]", cls.class_for(data))
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


def _attach_extra(model: Model, data: Mapping[str, Any], path: tuple[Any, ...] = ()) -> list[Place]:
    """Give each part of a model the fields that a server added to it. A whole response keeps its source.

    Args:
        model: the part.
        data: what it was made from.
        path: what leads to it.

    Returns:
        Where these fields are.
    """
    names, parts, keeps_source, keeps_all = _layout_of(type(model))
    if keeps_all:
        _set(model, "_sent", data)
        names = data.keys()
    places = []
    added = data.keys() - names
    if added:
        places.append(Place(path, tuple(name for name in data if name in added)))
    if (path or not keeps_source) and (added or isinstance(data, Marked)):
        kind = type(data) if isinstance(data, Marked) else dict
        _set(model, "_sent", kind((name, data[name]) for name in data if name in added))
    for name, name_in_json in parts:
        sent = data.get(name_in_json)
        if sent is None:
            continue
        value = getattr(model, name)
        if isinstance(value, list):
            if isinstance(sent, list):
                kept = [each for each in sent if isinstance(each, dict)]
                if len(kept) == len(value):
                    for index, (part, each) in enumerate(zip(value, kept, strict=True)):
                        places += _attach_extra(part, each, (*path, name, index))
        elif isinstance(value, Model) and isinstance(sent, dict):
            places += _attach_extra(value, sent, (*path, name))
    return places


@functools.cache
def holds_parts(cls: type[Model]) -> bool:
    """Whether a model has fields that are models or lists of models."""
    return bool(_layout_of(cls)[1])


@functools.cache
def _layout_of(cls: type[Model]) -> tuple[AbstractSet[str], list[tuple[str, str]], bool, bool]:
    """A model's fields, those of them that are models or lists of models, and what it keeps."""
    parts = [(field.name, field.encode_name) for field in _fields_of(cls) if _holds_models(field.type)]
    return names_in_json(cls), parts, cls.keeps_source, cls.keeps_all


def _holds_models(type_: Any) -> bool:
    """Whether values of a type are models or lists of models."""
    if isinstance(type_, type) and issubclass(type_, Model):
        return True
    origin = get_origin(type_)
    if isinstance(origin, type) and issubclass(origin, Model):
        return True
    return origin in {Union, UnionType, list} and any(map(_holds_models, get_args(type_)))


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


def is_too_deep(value: Any) -> bool:
    """Whether decoded JSON is nested too deep to be copied and written again."""
    return is_deeper(value, MAX_DEPTH)


# What ``remember`` does, without the call.
_set = msgspec.structs.force_setattr
_shapes_of = functools.cache(lambda cls: KnownShapes())


@functools.cache
def _assembler_of(cls: type[Response]) -> tuple[Assembler | None, frozenset[str] | None]:
    """What builds the answers, or the events of a union; and the types of these events."""
    decoded = cls.decoded_type()
    if decoded is cls:
        return assembler_of(cls, Model), None
    members = get_args(decoded)
    return assembler_of_union(members, Model), frozenset(each.type for each in members)

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
from ssejet._server_errors import is_error_answer
from ssejet.chat._extra import WholeChoice, copy_json

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Model", "Place", "Response", "Source", "added_to", "remember"]


class _Sent:
    """A slot for what a server sent besides the fields. No comparison and no encoding sees a slot.

    For a part of an answer that is a dict of the fields that the server added, or a ``Place`` from which they
    are read when somebody asks. For an answer it is the JSON text, if that holds known fields only, or a
    ``Source``.
    """

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
        return _build(cls, copy_json(data))

    @staticmethod
    def documented(data: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The data in the form that OpenAI documents, or as it is."""
        return data

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that the server added to this object; a copy.

        Parts of a chunk have theirs in any case; ``msgspec.structs.replace`` makes copies without.
        """
        return dict(copy_json(added_to(self) or {}))

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
        return _restore_model, (type(self), msgspec.structs.astuple(self), added_to(self))


class Place(NamedTuple):
    """Where a server's own fields stand in texts of one shape.

    Attributes:
        path: the keys and positions that lead from the answer to the object; empty for the answer itself.
        names: the fields.
    """

    path: tuple[str | int, ...]
    names: tuple[str, ...]


class Source:
    """What an answer was made from that holds more than the known fields in the known places, or less.

    Attributes:
        text: the JSON text; None if the answer was made from a dict.
        places: where the server's own fields stand, if the shape of the text is known; else None. A text of a
            known shape is a chunk, and reports no error.
    """

    __slots__ = ("_data", "places", "text")

    def __init__(self, text: str | None, data: Any = None, places: tuple[Place, ...] | None = None) -> None:
        self.text = text
        self.places = places
        self._data = data

    @property
    def data(self) -> Any:
        """The JSON object, which the answer's parts share: nobody may change it."""
        if self._data is None and self.text is not None:
            self._data = load_json(self.text)
        return self._data


def added_to(model: Model) -> dict[str, Any] | None:
    """The fields that a server added to a part of an answer, or to an answer; nobody may change them."""
    sent: Any = getattr(model, "_sent", None)
    kind = type(sent)
    if kind is tuple:  # the source of the answer, and a place in it
        return _read_place(*sent)
    if kind is not Source:
        return None if kind is str else sent
    if sent.places is not None:
        own = [place for place in sent.places if not place.path]
        return _read_place(sent, own[0]) if own else None
    known = type(model).__struct_fields__
    return {name: value for name, value in sent.data.items() if name not in known}


def _read_place(source: Source, place: Place) -> dict[str, Any]:
    data = source.data
    try:
        for step in place.path:
            data = data[step]
        return {name: data[name] for name in place.names}
    except (LookupError, TypeError):  # two shapes that only hash alike
        return {}


class Response(Model, frozen=True):
    """A whole object from the wire. It remembers what it was made from, for those who ask.

    Remembering costs one reference; only ``extra`` and ``to_dict()`` parse the text again. A copy with
    other values (``msgspec.structs.replace``) forgets it.
    """

    # Typed streams decode the text themselves, and leave it here.
    text_slot: ClassVar[str] = "_sent"

    @classmethod
    def shapes(cls) -> KnownShapes:
        """The shapes of JSON texts of answers without an error.

        Those that hold fields which a server added are noted with their places.
        """
        return _shapes_of(cls)

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
        elif not cls.extend(response, text):
            return cls.adopt(response, text, load_json(text))
        return response

    @classmethod
    def extend(cls, response: Self, text: str) -> bool:
        """Completes a response, as msgspec read it, by the fields that a server added in known places.

        Returns:
            Whether the shape of the text is one whose places are known.
        """
        # With some servers, this runs for each chunk.
        places = _shapes_of(cls).note(text)
        if places is None:
            return False
        source = Source(text, None, places)
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
            remember(response, Source(text, data))
            return response
        places = tuple(attach_extra(response, data))
        is_ordinary = bool(data.get("choices")) and not is_error_answer(data)
        if is_ordinary:
            cls.shapes().add(text, places or None)
        plain = is_ordinary and not places
        remember(response, text if plain else Source(text, data))
        return response

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Builds the model; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object, which is copied; keys that are no field are found in ``extra``.
        """
        data = copy_json(data)
        response = _build(cls, data)
        remember(response, Source(None, data))
        return response

    def to_dict(self) -> dict[str, Any]:
        """The object as the server sent it, every field included; made by hand: the fields not None."""
        text = self._text
        if text is not None:
            return dict(load_json(text))
        sent = self._source
        return dict(copy_json(sent.data)) if isinstance(sent, Source) else super().to_dict()

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text as the server sent it; made by hand, or with an indent: that of ``to_dict()``.

        Args:
            indent: spaces per level; None leaves the text as it came.
        """
        text = self._text
        return text if text is not None and indent is None else super().to_json(indent=indent)

    @property
    def _source(self) -> Any:
        """A JSON text that holds known fields only and no error, a ``Source``, or None."""
        return getattr(self, "_sent", None)

    @property
    def _text(self) -> str | None:
        sent = self._source
        return sent.text if isinstance(sent, Source) else sent if isinstance(sent, str) else None

    def __reduce__(self) -> Any:
        sent = self._source
        if isinstance(sent, (str, Source)):
            return _restore, (type(self), self._text or self._source.data)
        return super().__reduce__()


def remember(model: Model, sent: Any) -> None:
    """Let a model, frozen as it is, know what it was made from, or what the server added to it."""
    _set(model, "_sent", sent)


_set = msgspec.structs.force_setattr


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
    return _kind_of(data)(data, **changes) if changes else data


def attach_extra(model: Model, data: Mapping[str, Any], path: tuple[Any, ...] = ()) -> list[Place]:
    """Give a model's parts the fields that a server added to them; a response finds its own in its source.

    Args:
        model: the part.
        data: what it was made from.
        path: what leads to it.

    Returns:
        Where they stand.
    """
    names, parts, is_response = _layout_of(type(model))
    places = []
    added = data.keys() - names
    if added:
        places.append(Place(path, tuple(name for name in data if name in added)))
    if not is_response and (added or type(data) is WholeChoice):
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
        elif isinstance(value, Model) and isinstance(sent, dict):
            places += attach_extra(value, sent, (*path, name))
    return places


def _kind_of(data: Mapping[str, Any]) -> type[dict[str, Any]]:
    return WholeChoice if type(data) is WholeChoice else dict


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

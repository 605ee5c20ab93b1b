"""What the models share: reading an answer from text or a dict, and writing it back.

A text of a shape that was seen before is taken as msgspec reads it. Any other text is parsed once more, to
look for what the types do not know: see ``Response.adopt``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from ssejet._core import KnownShapes
from ssejet._json import dump_builtins, loads, to_json_types
from ssejet._server_errors import is_error_answer
from ssejet.chat._building import Buildable, attach_extra, build, build_documented, documented
from ssejet.chat._extra import Source, added_to, remember
from ssejet.chat._json_values import MAX_DEPTH, copy_json, is_too_deep

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Model", "Response"]


class Model(Buildable, frozen=True, gc=False, repr_omit_defaults=True):
    """A part of an answer: immutable, equal by value, with a default for each field.

    The garbage collector does not track models: they are immutable, so they cannot refer to themselves.
    """

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

    @classmethod
    def decoded_type(cls) -> Any:
        """The type that msgspec decodes a text to: this class, or a union of subclasses."""
        return cls

    @classmethod
    def is_answer(cls, data: Mapping[str, Any]) -> bool:
        """Whether decoded JSON, which reports no error, is what this class stands for."""
        return bool(data.get("choices"))

    @classmethod
    def shapes(cls) -> KnownShapes:
        """The known shapes of JSON texts, all of answers without an error.

        A shape with fields that a server added has their places.
        """
        return _shapes_of(cls)

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
            response = msgspec.json.decode(text, type=cls.decoded_type())
        except msgspec.DecodeError:  # a field of a wrong type, or JSON that msgspec refuses
            return cls.adopt(None, text, loads(text))
        if cls.shapes().knows(text):
            _set(response, "_sent", text)
        elif not cls.extend(response, text):
            return cls.adopt(response, text, loads(text))
        return response

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
        in_documented_form = documented(cls, data)
        if response is None or in_documented_form is not data:
            response = build_documented(cls, in_documented_form)
            _set(response, "_sent", Source(text, data=data))
            return response
        places = tuple(attach_extra(response, data))
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


# What ``remember`` does, without the call.
_set = msgspec.structs.force_setattr
_shapes_of = functools.cache(lambda cls: KnownShapes())

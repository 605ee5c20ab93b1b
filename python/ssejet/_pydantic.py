"""Decides what is pydantic's, by attributes, so that pydantic is imported only if it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "can_dump",
    "can_dump_json",
    "dump_json",
    "has_validator",
    "is_dataclass",
    "is_from_pydantic_1",
    "is_model",
    "is_plain",
    "is_sdk_model",
    "keeps_fields_set",
    "model_fields",
    "to_builtins",
    "type_adapter",
    "validator_of",
]

# How the SDKs' own to_json() and to_dict() dump a model: without unset fields, as servers send it.
_SDK_OPTIONS = {"by_alias": True, "exclude_unset": True, "warnings": False}


def has_validator(type_: Any) -> bool:
    """Whether a type is a class that pydantic validates: a model or dataclass, or a model of pydantic 1."""
    return isinstance(type_, type) and (hasattr(type_, "__pydantic_validator__") or is_from_pydantic_1(type_))


def is_from_pydantic_1(type_: Any) -> bool:
    """Whether a type is a model of pydantic 1."""
    return (
        isinstance(type_, type)
        and hasattr(type_, "__get_validators__")
        and not hasattr(type_, "__pydantic_validator__")
    )


def is_model(type_: Any) -> bool:
    """Whether a type is a model class of pydantic 2: it reads JSON and has a schema."""
    return isinstance(type_, type) and hasattr(type_, "model_validate_json")


def is_dataclass(type_: Any) -> bool:
    """Whether a type is a dataclass of pydantic 2."""
    return isinstance(type_, type) and hasattr(type_, "__pydantic_validator__") and not is_model(type_)


def keeps_fields_set(cls: type[Any]) -> bool:
    """Whether instances are models of pydantic 2, with their values in ``__dict__`` and pydantic's slots."""
    return hasattr(cls, "__pydantic_fields_set__")


def can_dump(cls: type[Any]) -> bool:
    """Whether instances convert themselves to JSON types, with ``model_dump()``."""
    return hasattr(cls, "model_dump")


def can_dump_json(cls: type[Any]) -> bool:
    """Whether instances encode themselves as JSON, with ``model_dump_json()``."""
    return hasattr(cls, "model_dump_json")


def is_sdk_model(cls: type[Any]) -> bool:
    """Whether a class is a model of the OpenAI or Anthropic SDK, or of one with the same base class."""
    return can_dump_json(cls) and hasattr(cls, "to_json")


def is_plain(cls: type[Any]) -> bool:
    """Whether a class is a model of an SDK whose JSON is that of its attributes, under their names."""
    fields = model_fields(cls)
    if fields is None or cls.__module__.partition(".")[0] not in ("anthropic", "openai"):
        return False
    decorators = cls.__pydantic_decorators__
    if decorators.computed_fields or decorators.field_serializers or decorators.model_serializers:
        return False
    known = ((name, cls.model_fields[name]) for name in fields)
    return all(field.serialization_alias in (None, name) and not field.exclude for name, field in known)


def model_fields(cls: type[Any]) -> Iterable[str] | None:
    """The names of a model's fields; None if the class is no model of pydantic 2."""
    return getattr(cls, "model_fields", None)


def dump_json(model: Any) -> bytes:
    """Encode a model for which ``can_dump_json`` is true."""
    if is_sdk_model(type(model)):
        # The result is that of model.to_json(), with two Python calls fewer.
        encoded: bytes = model.__pydantic_serializer__.to_json(model, **_SDK_OPTIONS)
        return encoded
    text: str = model.model_dump_json()
    return text.encode()


def to_builtins(model: Any) -> Any:
    """Convert a model for which ``can_dump`` is true to JSON types."""
    options = _SDK_OPTIONS if is_sdk_model(type(model)) else {}
    return model.model_dump(mode="json", **options)


def validator_of(type_: Any) -> Any:
    """The validator of pydantic-core for a class or another type that holds one."""
    validator = getattr(type_, "__pydantic_validator__", None)
    return type_adapter(type_).validator if validator is None else validator


def type_adapter(type_: Any) -> Any:
    """Make pydantic's adapter of a type, which validates it and gives its schema."""
    from pydantic import TypeAdapter

    return TypeAdapter(type_)

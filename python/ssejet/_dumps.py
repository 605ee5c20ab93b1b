"""JSON of whatever ``encode`` is given that is not text."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["builtins", "dumps", "is_plain"]


def dumps(value: Any) -> bytes:
    """Encode a value as JSON in UTF-8.

    Raises:
        TypeError: the value, or something in it, has no JSON form. NaN and the infinities, which have none,
            become null, as in JavaScript; but not beside something that only the standard library encodes.
    """
    cls = value.__class__
    try:
        return _encoder(cls)(value)
    except (TypeError, ValueError) as error:
        refused = error
    try:
        # Lone surrogates, integers beyond 64 bits and keys that are no strings have a JSON form nevertheless.
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=builtins)
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise TypeError(
            f"cannot send {cls.__qualname__} as JSON: {refused}; send text, a model, or what JSON can hold"
        ) from refused


# Looking at a class takes longer than encoding a token.
@lru_cache(maxsize=256)
def _encoder(cls: type[Any]) -> Callable[[Any], bytes]:
    if hasattr(cls, "model_dump_json"):
        if _is_of_an_sdk(cls):
            # Their own dump, without the two calls between it and pydantic-core.
            to_json = cls.__pydantic_serializer__.to_json
            return partial(to_json, by_alias=True, exclude_unset=True, warnings=False)
        return lambda model: model.model_dump_json().encode()
    if issubclass(cls, msgspec.Struct):
        if hasattr(cls, "to_json"):  # ssejet's own models remember what the server sent
            return lambda model: model.to_json().encode()
        return partial(msgspec.json.encode, enc_hook=builtins)
    return partial(orjson.dumps, default=builtins)


def builtins(value: Any) -> Any:
    """What stands in JSON for a value that an encoder does not know."""
    cls = type(value)
    if hasattr(cls, "model_dump"):
        options = {"by_alias": True, "exclude_unset": True, "warnings": False} if _is_of_an_sdk(cls) else {}
        return value.model_dump(mode="json", **options)
    if issubclass(cls, msgspec.Struct):
        return value.to_dict() if hasattr(cls, "to_dict") else msgspec.to_builtins(value, enc_hook=builtins)
    raise TypeError(f"{cls.__qualname__} has no JSON form")


def is_plain(cls: type[Any]) -> bool:
    """Whether a class is a model of an SDK whose JSON is that of its attributes, under their names."""
    if cls.__module__.partition(".")[0] not in ("anthropic", "openai") or not hasattr(cls, "model_fields"):
        return False
    made = cls.__pydantic_decorators__
    if made.computed_fields or made.field_serializers or made.model_serializers:
        return False
    fields = cls.model_fields.items()
    return all(field.serialization_alias in (None, name) and not field.exclude for name, field in fields)


def _is_of_an_sdk(cls: type) -> bool:
    # OpenAI's and Anthropic's models share this method, which leaves out what was never set, as servers do.
    return hasattr(cls, "to_json")
